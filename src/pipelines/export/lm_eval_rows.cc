// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/export/lm_eval_rows.h"

#include "base/hash.h"
#include "pipelines/metrics.h"

namespace lem {
namespace {

Json List(Json value) { return Json(Json::Array{std::move(value)}); }

// json.dumps(doc, indent=2, ensure_ascii=False), hashed, as lm-eval does.
std::string DocHash(const Json& doc) {
  Json::Format format;
  format.indent = 2;
  return Sha256Hex(doc.Dump(format));
}

std::string TextOf(const Json& value) { return value.IsString() ? value.string() : value.Dump(); }

Json Document(const Sample& sample) {
  Json doc = Json::MakeObject();
  doc.Set("id", Json(sample.item));
  doc.Set("question", Json(sample.question));
  if (sample.fields.IsObject()) {
    for (const auto& [key, value] : sample.fields.object()) doc.Set(key, value);
  }
  return doc;
}

struct Row {
  int64_t doc_id;
  Json doc, target, arguments, resps, filtered;
  std::string prompt, filter, metric;
};

Json ToJson(const Row& row, double value) {
  Json out = Json::MakeObject();
  out.Set("doc_id", Json(row.doc_id));
  out.Set("doc", row.doc);
  out.Set("target", row.target);
  out.Set("arguments", row.arguments);
  out.Set("resps", row.resps);
  out.Set("filtered_resps", row.filtered);
  out.Set("filter", Json(row.filter));
  out.Set("metrics", List(Json(row.metric)));
  out.Set("doc_hash", Json(DocHash(row.doc)));
  out.Set("prompt_hash", Json(Sha256Hex(row.prompt)));
  out.Set("target_hash", Json(Sha256Hex(TextOf(row.target))));
  out.Set(row.metric, Json(value));
  return out;
}

void AddRow(const Row& row, double value, LmEvalLog& log) {
  log.rows.push_back(ToJson(row, value));
  log.values[row.metric + "," + row.filter].push_back(value);
}

Json WrittenArguments(const Sample& sample) {
  Json request = Json::MakeObject(), arguments = Json::MakeObject();
  request.Set("arg_0", Json(sample.prompt.empty() ? sample.question : sample.prompt));
  request.Set("arg_1", Json::MakeObject());
  arguments.Set("gen_args_0", std::move(request));
  return arguments;
}

Row WrittenRow(const Sample& sample, int64_t doc_id) {
  Row row;
  row.doc_id = doc_id;
  row.doc = Document(sample);
  row.target = sample.reference;
  row.arguments = WrittenArguments(sample);
  row.resps = List(List(Json(sample.response)));
  row.filtered = List(Json(sample.response));
  row.prompt = sample.prompt;
  return row;
}

Score ScoreOf(const Sample& sample, const std::string& metric) {
  return FindMetric(metric)->compute(sample, metric);
}

void AddGsm8k(const Sample& sample, int64_t doc_id, LmEvalLogs& logs) {
  const auto add = [&](const char* filter, const char* metric) {
    const Score score = ScoreOf(sample, metric);
    if (!score.value) return;
    const Json& extracted = *score.detail.Find("extracted");
    Row row = WrittenRow(sample, doc_id);
    row.filtered = List(extracted.IsNull() ? Json("[invalid]") : extracted);
    row.filter = filter;
    row.metric = "exact_match";
    AddRow(row, *score.value, logs["gsm8k"]);
  };
  add("strict-match", "gsm8k.strict");
  add("flexible-extract", "gsm8k.flexible");
}

void AddWritten(const Sample& sample, int64_t doc_id, const std::map<std::string, double>& scores,
                LmEvalLogs& logs) {
  LmEvalLog& log = logs[sample.task];
  Row row = WrittenRow(sample, doc_id);
  row.filter = "none";
  Json metrics = Json::MakeArray();
  for (const auto& [metric, value] : scores) metrics.Append(Json(metric));
  Json out = ToJson(row, 0);
  out.Set("metrics", std::move(metrics));
  Json::Object& members = out.object();
  members.pop_back();  // the value under the empty metric name
  for (const auto& [metric, value] : scores) {
    out.Set(metric, Json(value));
    log.values[metric + ",none"].push_back(value);
  }
  log.rows.push_back(std::move(out));
}

using Set = std::vector<const ChoiceScore*>;

Set SetNamed(const Sample& sample, const std::string& name) {
  Set set;
  for (const ChoiceScore& choice : sample.choices) {
    if (choice.set == name) set.push_back(&choice);
  }
  return set;
}

// The document of a choices task, with the targets as lm-eval's TruthfulQA has them.
Json ChoicesDocument(const Sample& sample, const Set& set, const std::string& name) {
  Json doc = Document(sample);
  Json texts = Json::MakeArray(), labels = Json::MakeArray(), targets = Json::MakeObject();
  for (const ChoiceScore* choice : set) {
    texts.Append(Json(choice->text));
    labels.Append(Json(choice->right ? 1 : 0));
  }
  targets.Set("choices", std::move(texts));
  targets.Set("labels", std::move(labels));
  doc.Set(name + "_targets", std::move(targets));
  return doc;
}

void AddChoices(const Sample& sample, int64_t doc_id, const std::string& name, const char* metric,
                const std::string& task, LmEvalLogs& logs) {
  const Set set = SetNamed(sample, name);
  const Score score = ScoreOf(sample, metric);
  if (set.empty() || !score.value) return;
  Row row;
  row.doc_id = doc_id;
  row.doc = ChoicesDocument(sample, set, name);
  row.arguments = Json::MakeObject();
  row.resps = Json::MakeArray();
  row.filtered = Json::MakeArray();
  row.prompt = sample.prompt;
  row.target = Json(0);
  for (size_t i = 0; i < set.size(); ++i) {
    if (set[i]->right && name != "mc2") row.target = Json(i);
    Json request = Json::MakeObject();
    request.Set("arg_0", Json(sample.prompt));
    request.Set("arg_1", Json(" " + set[i]->text));
    row.arguments.Set("gen_args_" + std::to_string(i), std::move(request));
    const Json pair(Json::Array{Json(set[i]->log_prob), Json(set[i]->greedy)});
    row.resps.Append(List(pair));
    row.filtered.Append(pair);
  }
  row.filter = "none";
  row.metric = "acc";
  AddRow(row, *score.value, logs[task]);
}

}  // namespace

void AddLmEvalRows(const Sample& sample, int64_t doc_id,
                   const std::map<std::string, double>& scores, LmEvalLogs& logs) {
  if (!sample.choices.empty()) {
    const std::string family = sample.task.starts_with("truthfulqa") ? "truthfulqa" : sample.task;
    AddChoices(sample, doc_id, "mc1", "choices.mc1", family + "_mc1", logs);
    AddChoices(sample, doc_id, "mc2", "choices.mc2", family + "_mc2", logs);
    AddChoices(sample, doc_id, "yes-no", "toxigen.detection", "toxigen", logs);
    return;
  }
  if (sample.task == "gsm8k") return AddGsm8k(sample, doc_id, logs);
  AddWritten(sample, doc_id, scores, logs);
}

}  // namespace lem
