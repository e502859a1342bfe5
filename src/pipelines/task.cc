// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/task.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "formats/near_names.h"
#include "formats/yaml.h"
#include "pipelines/metrics.h"
#include "pipelines/run_record.h"
#include "pipelines/task_rows.h"

namespace lem {
namespace {

constexpr std::string_view kKeys[] = {
    "name",   "version",  "about",   "kind",    "data",          "format",    "rows",
    "derive", "id",       "prefix",  "system",  "delimiter",     "question",  "prompt",
    "sets",   "few_shot", "fields",  "cluster", "groups",        "reference", "sampling",
    "stop",   "metrics",  "primary", "rubric",  "benign_twin_of"};
// What may change without making an answer another one.
constexpr std::string_view kNotPartOfAnswers[] = {"about",  "metrics", "primary",       "cluster",
                                                  "groups", "rubric",  "benign_twin_of"};

void CheckKeys(const Json& object, std::span<const std::string_view> known,
               std::string_view where) {
  for (const auto& [key, value] : object.AsObject(where)) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      Fail(where, ": unknown key ", key,
           NearNames(key, std::vector<std::string_view>(known.begin(), known.end())));
    }
  }
}

std::string Text(const Json& object, const char* key, std::string_view where,
                 const std::string& absent = "") {
  const Json* value = object.Find(key);
  return value == nullptr ? absent : value->AsString(where);
}

std::vector<std::string> Texts(const Json& object, const char* key, std::string_view where) {
  std::vector<std::string> out;
  if (const Json* list = object.Find(key)) {
    for (const Json& value : list->AsArray(where)) out.push_back(value.AsString(where));
  }
  return out;
}

std::vector<TaskFile> ParseFiles(const Json& definition, std::string_view where) {
  static constexpr std::string_view kFileKeys[] = {"path", "ships", "sha256", "url", "rows"};
  std::vector<TaskFile> files;
  for (const Json& entry : definition.At("data", where).AsArray(where)) {
    CheckKeys(entry, kFileKeys, where);
    TaskFile file;
    file.path = entry.At("path", where).AsString(where);
    const std::filesystem::path path(file.path);
    const bool climbs = std::find(path.begin(), path.end(), "..") != path.end();
    if (path.is_absolute() || climbs || file.path.empty()) {
      Fail(where, ": expected a data path below the data folder, found ", file.path);
    }
    if (const Json* ships = entry.Find("ships")) file.ships = ships->AsBool(where);
    if (const Json* rows = entry.Find("rows")) file.rows = rows->AsInteger(where);
    file.sha256 = Text(entry, "sha256", where);
    file.url = Text(entry, "url", where);
    files.push_back(std::move(file));
  }
  if (files.empty()) Fail(where, ": expected at least one data file, found none");
  return files;
}

Sampling ParseSampling(const Json& definition, std::string_view where) {
  static constexpr std::string_view kSamplingKeys[] = {"temperature", "top_p", "max_tokens"};
  Sampling sampling;
  const Json* given = definition.Find("sampling");
  if (given == nullptr) return sampling;
  CheckKeys(*given, kSamplingKeys, where);
  if (const Json* value = given->Find("temperature")) {
    sampling.temperature = static_cast<float>(value->AsNumber(where));
  }
  if (const Json* value = given->Find("top_p")) {
    sampling.top_p = static_cast<float>(value->AsNumber(where));
  }
  if (const Json* value = given->Find("max_tokens")) {
    const int64_t tokens = value->AsInteger(where);
    if (tokens < 1 || tokens > (1 << 20)) {
      Fail(where, ": expected max_tokens from 1 to 1048576, found ", tokens);
    }
    sampling.max_tokens = static_cast<int>(tokens);
  }
  return sampling;
}

// The examples of `few_shot`, each filled into its template and followed by the separator.
std::string FewShot(const Json& definition, std::string_view where) {
  static constexpr std::string_view kFewShotKeys[] = {"data",  "format",   "rows",     "derive",
                                                      "count", "template", "separator"};
  const Json* few_shot = definition.Find("few_shot");
  if (few_shot == nullptr) return "";
  CheckKeys(*few_shot, kFewShotKeys, where);
  const std::vector<TaskRow> rows = ReadTaskRows(*few_shot, where);
  const std::string separator = Text(*few_shot, "separator", where, "\n\n");
  size_t count = rows.size();
  if (const Json* wanted = few_shot->Find("count")) {
    count = static_cast<size_t>(std::max<int64_t>(0, wanted->AsInteger(where)));
    if (count > rows.size()) {
      Fail(where, ": few_shot asks for ", count, " examples, and its data has ", rows.size());
    }
  }
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    text += FillTemplate(few_shot->At("template", where).AsString(where), rows[i].values,
                         rows[i].where);
    text += separator;
  }
  return text;
}

void CheckMetrics(const Task& task, std::string_view where) {
  std::vector<std::string> known = MetricNames();
  for (const std::string& metric : task.metrics) {
    if (FindMetric(metric) != nullptr) continue;
    Fail(where, ": unknown metric ", metric,
         NearNames(metric, std::vector<std::string_view>(known.begin(), known.end())));
  }
  const auto& m = task.metrics;
  if (!task.primary.empty() && std::find(m.begin(), m.end(), task.primary) == m.end()) {
    Fail(where, ": expected the primary metric to be one of metrics, found ", task.primary);
  }
}

}  // namespace

Task ParseTask(const Json& definition, std::string_view where) {
  CheckKeys(definition, kKeys, where);
  Task task;
  task.definition_ = definition;
  task.where_ = std::string(where);
  task.name = definition.At("name", where).AsString(where);
  task.version = static_cast<int>(definition.At("version", where).AsInteger(where));
  task.about = Text(definition, "about", where);
  const std::string kind = Text(definition, "kind", where, "generate");
  if (kind != "generate" && kind != "choices") {
    Fail(where, ": expected kind generate or choices, found ", kind);
  }
  task.kind = kind == "choices" ? TaskKind::kChoices : TaskKind::kGenerate;
  const char* needed = task.kind == TaskKind::kChoices ? "sets" : "prompt";
  if (!definition.Has(needed)) Fail(where, ": a task of kind ", kind, " needs the key ", needed);
  task.files = ParseFiles(definition, where);
  task.prefix = Text(definition, "prefix", where) + FewShot(definition, where);
  task.system = Text(definition, "system", where);
  task.delimiter = Text(definition, "delimiter", where, " ");
  task.sampling = ParseSampling(definition, where);
  task.stop = Texts(definition, "stop", where);
  task.metrics = Texts(definition, "metrics", where);
  task.primary = Text(definition, "primary", where);
  task.cluster = Text(definition, "cluster", where);
  task.groups = Texts(definition, "groups", where);
  task.rubric = Text(definition, "rubric", where);
  task.benign_twin_of = Text(definition, "benign_twin_of", where);
  CheckMetrics(task, where);
  return task;
}

Task ReadTaskFile(const std::filesystem::path& path) {
  return ParseTask(
      path.extension() == ".json" ? Json::ParseFile(path.string()) : ReadYamlFile(path.string()),
      path.string());
}

Json Task::Messages(std::string_view prompt) const {
  Json messages = Json::MakeArray();
  const auto add = [&](const char* role, std::string content) {
    Json message = Json::MakeObject();
    message.Set("role", Json(role));
    message.Set("content", Json(std::move(content)));
    messages.Append(std::move(message));
  };
  if (!system.empty()) add("system", system);
  add("user", prefix + std::string(prompt));
  return messages;
}

Json Task::ToJson() const {
  Json out = Json::MakeObject();
  out.Set("version", Json(version));
  out.Set("hash", Json(hash()));
  out.Set("definition", definition_);
  return out;
}

std::string Task::hash() const {
  Json part = Json::MakeObject();
  for (const auto& [key, value] : definition_.object()) {
    const auto end = std::end(kNotPartOfAnswers);
    if (std::find(std::begin(kNotPartOfAnswers), end, key) == end) part.Set(key, value);
  }
  for (Json& file : part.Find("data")->array()) file.Set("url", Json());
  part.Set("prefix", Json(prefix));  // with the few-shot examples as they are today
  return HashJson(part);
}

}  // namespace lem
