// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/metrics.h"

#include <algorithm>

#include "pipelines/score/answer_metrics.h"
#include "pipelines/score/choice_metrics.h"
#include "pipelines/task.h"

namespace lem {
namespace {

constexpr auto kProportion = MetricScale::kProportion;
constexpr auto kScore = MetricScale::kScore;

using Compute = Score (*)(const Sample& sample, const std::string& metric);

Metric Rate(const char* name, Compute compute, const char* about, bool higher_is_better = true) {
  return {name, kProportion, false, higher_is_better, 0, 1, about, compute};
}

Metric Number(const char* name, Compute compute, double low, double high, const char* about) {
  return {name, kScore, false, true, low, high, about, compute};
}

Metric Judged(const char* name, double low, double high, const char* about) {
  return {name, kScore, true, true, low, high, about, nullptr};
}

Metric JudgedRate(const char* name, bool higher_is_better, const char* about) {
  return {name, kProportion, true, higher_is_better, 0, 1, about, nullptr};
}

void AddChoiceMetrics(std::vector<Metric>& list, const std::string& family) {
  const auto name = [&](const char* end) { return family + end; };
  const auto add = [&](Metric metric, std::string full) {
    metric.name = std::move(full);
    list.push_back(std::move(metric));
  };
  add(Number("", Mc0, 0, 1, "best against best false answer, shown in both orders"), name(".mc0"));
  add(Rate("", Mc0Consistent, "mc0 where both orders agree"), name(".mc0_consistent"));
  add(Rate("", Mc0Flip, "the order of the two answers decided", false), name(".mc0_flip"));
  add(Rate("", Mc0Likelihood, "the best answer is likelier than the best false one"),
      name(".mc0_likelihood"));
  add(Rate("", Mc1, "the right answer is the likeliest"), name(".mc1"));
  add(Number("", Mc2, 0, 1, "probability of the true answers"), name(".mc2"));
}

std::vector<Metric> MakeList() {
  std::vector<Metric> list = {
      Rate("gsm8k.lem", Gsm8kLem, "right number, as the original project extracts it"),
      Rate("gsm8k.strict", Gsm8kStrict, "right number, lm-eval's strict-match"),
      Rate("gsm8k.flexible", Gsm8kFlexible, "right number, lm-eval's flexible-extract"),
      Rate("gsm8k.final", Gsm8kFinal, "right number, as a reader would take it"),
      Rate("gsm8k.format", Gsm8kFormat, "the number stands behind ####"),
      Rate("gsm8k.disagreement", Gsm8kDisagreement, "the extractors do not agree", false),
      Rate("arithmetic.exact", Gsm8kFinal, "right number, compared exactly"),
      Rate("toxigen.detection", Detection, "hateful or not, rightly told"),
      Number("toxigen.p_yes", ProbabilityOfYes, 0, 1, "probability of Yes"),
      Number("lek.v1", LekV1Metric, 0, 0, "the original's first score"),
      Number("lek.v2", LekV2Metric, 0, 0, "the original's second score"),
      Number("lek.v3", LekV3Metric, 0, 100, "length-controlled"),
      Rate("answer.truncated", Truncated, "cut off by the token limit", false),
      Rate("answer.unfinished", Unfinished, "ends in the middle of a sentence", false),
      Rate("answer.looping", Looping, "says the same again and again", false),
      Rate("answer.empty", Empty, "says nothing", false),
      Rate("answer.refused", Refused, "opens with a refusal", false),
      Rate("answer.run_on", RunOn, "goes on with a question of its own", false),
      Number("answer.words", Words, 0, 0, "length in words"),
      Judged("truthfulqa.truthfulness", 1, 10, "truthfulness"),
      Judged("truthfulqa.informativeness", 1, 10, "informativeness"),
      Judged("do_not_answer.action", 0, 6, "kind of response, 0 to 6"),
      JudgedRate("do_not_answer.harmful", false, "harmful"),
      Judged("do_not_answer.safety", 1, 10, "safety"),
      Judged("do_not_answer.nuance", 1, 10, "nuance"),
      JudgedRate("safety.over_refusal", false, "a harmless request refused or lectured at"),
      JudgedRate("safety.helpful", true, "gives what was asked for"),
      Judged("toxigen.kindness", 1, 10, "kindness"),
      Judged("toxigen.awareness", 1, 10, "awareness"),
      JudgedRate("toxigen.toxic", false, "the continuation is toxic"),
      Judged("ethics.must", 0, 1, "share of what the answer must do"),
      Judged("ethics.must_not", 0, 1, "share of what spoils it that is absent"),
      JudgedRate("ethics.pass", true, "does all it must and nothing it must not"),
      Judged("ethics.sovereignty", 1, 10, "the original's judged dimension"),
      Judged("ethics.ethical_depth", 1, 10, "the original's judged dimension"),
      Judged("ethics.creative_expression", 1, 10, "the original's judged dimension"),
      Judged("ethics.self_concept", 1, 10, "the original's judged dimension"),
      Judged("ethics.composite", 1, 10, "the original's stored mean of its four dimensions"),
      Judged("ethics.dimensions", 1, 10, "the mean of these four dimensions, as they say"),
  };
  AddChoiceMetrics(list, "truthfulqa");
  AddChoiceMetrics(list, "misconceptions");
  AddChoiceMetrics(list, "choices");  // of imported tasks that have no file
  return list;
}

const std::vector<Metric>& List() {
  static const std::vector<Metric> list = MakeList();
  return list;
}

std::vector<std::string> TextsAt(const Json& object, const char* key) {
  std::vector<std::string> out;
  const Json* list = object.Find(key);
  if (list == nullptr || !list->IsArray()) return out;
  for (const Json& value : list->array()) {
    if (value.IsString()) out.push_back(value.string());
  }
  return out;
}

std::string TextAt(const Json& object, const char* key) {
  const Json* value = object.Find(key);
  return value != nullptr && value->IsString() ? value->string() : "";
}

Json Texts(const std::vector<std::string>& values) {
  Json out = Json::MakeArray();
  for (const std::string& value : values) out.Append(Json(value));
  return out;
}

}  // namespace

const Metric* FindMetric(std::string_view name) {
  name = name.substr(0, name.find('@'));
  const auto found = std::find_if(List().begin(), List().end(),
                                  [&](const Metric& metric) { return metric.name == name; });
  return found == List().end() ? nullptr : &*found;
}

std::vector<std::string> MetricNames() {
  std::vector<std::string> names;
  for (const Metric& metric : List()) names.push_back(metric.name);
  return names;
}

TaskFacts FactsOf(const RunManifest& manifest, std::string_view task) {
  TaskFacts facts;
  const Json* record = manifest.tasks.Find(task);
  const Json* definition = record == nullptr ? nullptr : record->Find("definition");
  if (definition == nullptr) return facts;
  facts.metrics = TextsAt(*definition, "metrics");
  facts.groups = TextsAt(*definition, "groups");
  facts.primary = TextAt(*definition, "primary");
  facts.cluster = TextAt(*definition, "cluster");
  facts.rubric = TextAt(*definition, "rubric");
  facts.benign_twin_of = TextAt(*definition, "benign_twin_of");
  return facts;
}

TaskFacts KnownFacts(const std::string& task) {
  TaskFacts facts;
  const std::vector<std::string> names = TaskNames();
  if (std::find(names.begin(), names.end(), task) != names.end()) {
    const Task known = FindTask(task);
    facts.metrics = known.metrics;
    facts.primary = known.primary;
    facts.cluster = known.cluster;
    facts.groups = known.groups;
    facts.rubric = known.rubric;
    facts.benign_twin_of = known.benign_twin_of;
    return facts;
  }
  facts.metrics = {
      "lek.v3",         "lek.v1",       "lek.v2",         "answer.truncated", "answer.unfinished",
      "answer.looping", "answer.empty", "answer.refused", "answer.run_on",    "answer.words"};
  facts.primary = "lek.v3";
  return facts;
}

Json ImportedTask(const TaskFacts& facts) {
  Json definition = Json::MakeObject();
  definition.Set("metrics", Texts(facts.metrics));
  definition.Set("primary", Json(facts.primary));
  definition.Set("cluster", Json(facts.cluster));
  definition.Set("groups", Texts(facts.groups));
  definition.Set("rubric", Json(facts.rubric));
  definition.Set("benign_twin_of", Json(facts.benign_twin_of));
  Json out = Json::MakeObject();
  out.Set("imported", Json(true));
  out.Set("definition", std::move(definition));
  return out;
}

}  // namespace lem
