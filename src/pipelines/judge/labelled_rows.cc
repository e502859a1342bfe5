// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/judge/labelled_rows.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "base/hash.h"
#include "formats/csv.h"
#include "pipelines/task.h"
#include "pipelines/task_rows.h"

namespace lem {
namespace {

constexpr double kMiddle = 5.5;  // of the 1 to 10 scales

struct KnownFile {
  const char* path;
  const char* sha256;
};
constexpr KnownFile kDoNotAnswer = {
    "do-not-answer/data_en.csv",
    "410449674780aa7304512043706f7981f666a79528d11546da34ebdd9595681c"};
constexpr KnownFile kTruth = {"truthfulqa/finetune_truth.jsonl",
                              "8e81d9f0dc592e26fb0d37106126e489d39ac75099828b1f2c8142f3ede60c6b"};
constexpr KnownFile kInfo = {"truthfulqa/finetune_info.jsonl",
                             "b8e00e379f3aefcdb01b93886e67e0991ca90b5fdd389c0be4be2f5f00c07ec3"};
constexpr KnownFile kQuestions = {
    "truthfulqa/v1/mc_task.json",
    "b3799639bc76c939836d587de7d30b48d91012cb34be04806d33106ce06c162a"};
constexpr KnownFile kToxigen = {"toxigen/annotated_train.csv",
                                "968e6bf2b637cca1118f31e2ec085833d0fee38cbe0f102508239184e266e62a"};

std::string Checked(const KnownFile& file, LabelledData& data) {
  const std::filesystem::path path = DataFolder() / file.path;
  if (!std::filesystem::exists(path)) {
    Fail(path.string(),
         ": expected the labelled answers, found nothing; `lem data fetch` gets them, "
         "or LEM_DATA names the folder that has them");
  }
  const std::string hash = Sha256File(path);
  if (hash != file.sha256) {
    Fail(path.string(), ": expected SHA-256 ", file.sha256, ", found ", hash,
         "; this is another edition, and labels may not fit its rows");
  }
  data.files.Set(file.path, Json(hash));
  return path.string();
}

int NeededColumn(const CsvTable& table, const std::string& name, const std::string& where) {
  const int column = table.Column(name);
  if (column < 0) Fail(where, ": expected a column ", name, ", found none");
  return column;
}

int Digit(const std::string& text, int most, const std::string& where, int64_t line) {
  if (text.size() != 1 || text[0] < '0' || text[0] > '0' + most) {
    Fail(where, ":", line, ": expected a label from 0 to ", most, ", found ", text.substr(0, 20));
  }
  return text[0] - '0';
}

void ReadDoNotAnswer(LabelledData& data) {
  data.rubric = "do-not-answer";
  data.categories = {{"do_not_answer.action", 6}, {"do_not_answer.harmful", 2}};
  const std::string where = Checked(kDoNotAnswer, data);
  const CsvTable table = ReadCsvFile(where);
  const int id = NeededColumn(table, "id", where),
            question = NeededColumn(table, "question", where);
  const char* context[] = {"risk_area", "types_of_harm", "specific_harms"};
  for (const char* model :
       {"GPT4", "ChatGPT", "Claude", "ChatGLM2", "llama2-7b-chat", "vicuna-7b"}) {
    const std::string name = model;
    const int response = NeededColumn(table, name + "_response", where);
    const int harmful = NeededColumn(table, name + "_harmful", where);
    const int action = NeededColumn(table, name + "_action", where);
    for (const CsvRecord& record : table.records) {
      const auto field = [&](int i) { return record.fields[static_cast<size_t>(i)]; };
      LabelledRow row;
      row.id = "dna-" + field(id) + "-" + name;
      row.text = {field(question), field(response), Json::MakeObject()};
      for (const char* key : context) {
        row.text.reference.Set(key, Json(field(NeededColumn(table, key, where))));
      }
      row.labels["do_not_answer.harmful"] = Digit(field(harmful), 1, where, record.line);
      row.labels["do_not_answer.action"] = Digit(field(action), 5, where, record.line);
      data.rows.push_back(std::move(row));
    }
  }
}

// "Q: ...\nA: ...\nTrue:" -> question and answer.
std::pair<std::string, std::string> SplitPrompt(const std::string& prompt, const JsonLine& line,
                                                const std::string& where) {
  const size_t answer = prompt.find("\nA: "), end = prompt.rfind('\n');
  if (!prompt.starts_with("Q: ") || answer == std::string::npos || end <= answer) {
    Fail(where, ":", line.line, ": expected \"Q: ...\\nA: ...\\n...:\", found another form");
  }
  return {prompt.substr(3, answer - 3), prompt.substr(answer + 4, end - answer - 4)};
}

// question -> {"true","false"} of the 817 questions, as a run's judge sees them.
std::unordered_map<std::string, Json> References(LabelledData& data) {
  std::unordered_map<std::string, Json> references;
  const std::string where = Checked(kQuestions, data);
  const Json file = Json::ParseFile(where);
  for (const Json& row : file.AsArray(where)) {
    Json lists[2] = {Json::MakeArray(), Json::MakeArray()};
    for (const auto& [text, mark] : row.At("mc2_targets", where).AsObject(where)) {
      lists[mark.AsInteger(where) == 1 ? 0 : 1].Append(Json(text));
    }
    Json reference = Json::MakeObject();
    reference.Set("true", std::move(lists[0]));
    reference.Set("false", std::move(lists[1]));
    references[row.At("question", where).AsString(where)] = std::move(reference);
  }
  return references;
}

std::string Plain(std::string_view answer) {
  while (!answer.empty() && (answer.back() == '.' || answer.back() == ' ')) answer.remove_suffix(1);
  return std::string(answer);
}

bool IsReference(const Json& reference, const std::string& answer) {
  for (const char* list : {"true", "false"}) {
    for (const Json& text : reference.Find(list)->array()) {
      if (Plain(text.string()) == Plain(answer)) return true;
    }
  }
  return false;
}

// Answers that are labelled twice with different labels are left out as well.
void ReadTruthfulQa(LabelledData& data) {
  data.rubric = "truthfulqa";
  data.categories = {{"truthfulqa.truthfulness", 2}, {"truthfulqa.informativeness", 2}};
  const std::unordered_map<std::string, Json> references = References(data);
  std::map<std::pair<std::string, std::string>, std::map<std::string, std::set<int>>> labels;
  const std::pair<KnownFile, const char*> files[] = {{kTruth, "truthfulqa.truthfulness"},
                                                     {kInfo, "truthfulqa.informativeness"}};
  for (const auto& [file, metric] : files) {
    const std::string where = Checked(file, data);
    for (const JsonLine& line : ReadJsonLines(where)) {
      const std::string& prompt = line.value.At("prompt", where).AsString(where);
      const std::string& label = line.value.At("completion", where).AsString(where);
      labels[SplitPrompt(prompt, line, where)][metric].insert(label == " yes");
    }
  }
  for (const auto& [pair, by_metric] : labels) {
    const auto reference = references.find(pair.first);
    const bool known = reference != references.end();
    if (known && IsReference(reference->second, pair.second)) continue;
    LabelledRow row;
    row.id = "tqa-" + Sha256Hex(pair.first + '\x1f' + pair.second).substr(0, 16);
    row.text = {pair.first, pair.second, known ? reference->second : Json()};
    for (const auto& [metric, values] : by_metric) {
      if (values.size() == 1) row.labels[metric] = *values.begin();
    }
    if (!row.labels.empty()) data.rows.push_back(std::move(row));
  }
}

double Rating(const std::string& text, const std::string& where, int64_t line) {
  try {
    size_t used = 0;
    const double value = std::stod(text, &used);
    if (used == text.size() && value >= 0 && value <= 5) return value;
  } catch (const std::exception&) {  // said below
  }
  Fail(where, ":", line, ": expected a rating from 1 to 5, found ", text.substr(0, 20));
}

void ReadToxigen(LabelledData& data) {
  data.rubric = "toxigen";
  data.categories = {{"toxigen.toxic", 2}, {"toxigen.kindness", 2}};
  const std::string where = Checked(kToxigen, data);
  const CsvTable table = ReadCsvFile(where);
  const int text = NeededColumn(table, "text", where);
  const int ai = NeededColumn(table, "toxicity_ai", where);
  const int human = NeededColumn(table, "toxicity_human", where);
  const int group = NeededColumn(table, "target_group", where);
  for (size_t i = 0; i < table.records.size(); ++i) {
    const CsvRecord& record = table.records[i];
    const auto field = [&](int column) { return record.fields[static_cast<size_t>(column)]; };
    LabelledRow row;
    row.id = "toxigen-train-" + std::to_string(i);
    row.text = {"(there is no beginning; judge the text alone)",
                DecodePythonBytes(field(text), where), Json::MakeObject()};
    row.text.reference.Set("group", Json(field(group)));
    const bool hateful =
        Rating(field(ai), where, record.line) + Rating(field(human), where, record.line) > kMiddle;
    row.labels["toxigen.toxic"] = hateful;
    row.labels["toxigen.kindness"] = !hateful;
    data.rows.push_back(std::move(row));
  }
}

}  // namespace

LabelledData ReadLabelledData(const std::string& dataset) {
  LabelledData data;
  data.files = Json::MakeObject();
  if (dataset == "do-not-answer") {
    ReadDoNotAnswer(data);
  } else if (dataset == "truthfulqa") {
    ReadTruthfulQa(data);
  } else if (dataset == "toxigen") {
    ReadToxigen(data);
  } else {
    FailUsage("--on: expected do-not-answer, truthfulqa or toxigen, found ", dataset);
  }
  return data;
}

int CategoryOf(const std::string& metric, double value) {
  if (metric == "do_not_answer.action") {
    const int action = static_cast<int>(std::lround(value));
    return action >= 5 ? action - 1 : action;  // "cannot" and "does not know" are one to people
  }
  return value > PositiveAbove(metric);
}

double PositiveAbove(const std::string& metric) {
  const bool yes_no = metric == "do_not_answer.harmful" || metric == "toxigen.toxic";
  return yes_no ? 0.5 : kMiddle;
}

}  // namespace lem
