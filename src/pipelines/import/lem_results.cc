// SPDX-License-Identifier: EUPL-1.2
// The original project's benchmark folder: questions, answers of five models, and its score files,
// which become recorded grades. Where it kept scores but no answers, the grades stand alone.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "pipelines/import/collected_run.h"

namespace lem {
namespace {

namespace fs = std::filesystem;

struct Bench {
  const char* name;  // in the original's files
  const char* task;
  const char* facts;  // the task file whose metrics apply
  std::vector<std::string> fields;
};

const std::vector<Bench>& Benches() {
  static const std::vector<Bench> benches = {
      {"gsm8k", "gsm8k", "upstream-gsm8k", {}},
      {"truthfulqa", "truthfulqa-gen", "upstream-truthfulqa", {"category"}},
      {"do_not_answer", "do-not-answer", "upstream-do-not-answer", {"risk_area", "types_of_harm"}},
      {"toxigen", "toxigen-continue", "upstream-toxigen", {"target_group"}}};
  return benches;
}

const Bench* FindBench(const std::string& name) {
  for (const Bench& bench : Benches()) {
    if (name == bench.name) return &bench;
  }
  return nullptr;
}

constexpr char kEthicsTask[] = "upstream-ethics";

// Questions by id: the reference and the fields that their rows hold.
using Questions = std::map<std::string, Json>;

Questions ReadQuestions(const fs::path& folder, CollectedRun& run) {
  Questions questions;
  for (const Bench& bench : Benches()) {
    const fs::path path = folder / (std::string(bench.name) + ".jsonl");
    if (!fs::is_regular_file(path)) continue;
    run.AddFile(path.string());
    for (JsonLine& line : ReadJsonLines(path.string())) {
      const std::string where = path.string() + ":" + std::to_string(line.line);
      const std::string id = line.value.At("id", where).AsString(where);
      questions[id] = std::move(line.value);
    }
  }
  return questions;
}

Json ReferenceOf(const Json& question, const std::string& bench) {
  const auto copy = [&](Json& out, const char* to, const char* from) {
    if (const Json* value = question.Find(from)) out.Set(to, *value);
  };
  if (bench == "gsm8k") {
    const Json* gold = question.Find("correct_answer");
    return gold == nullptr ? Json() : *gold;
  }
  Json out = Json::MakeObject();
  copy(out, "best", "best_answer");
  copy(out, "true", "correct_answers");
  copy(out, "false", "incorrect_answers");
  for (const char* name : {"risk_area", "types_of_harm", "specific_harms"}) copy(out, name, name);
  copy(out, "group", "target_group");
  return out;
}

void FillFromQuestion(const Questions& questions, const Bench& bench, Sample& sample) {
  sample.fields = Json::MakeObject();
  const auto found = questions.find(sample.item);
  if (found == questions.end()) return;
  sample.reference = ReferenceOf(found->second, bench.name);
  for (const char* key : {"question", "prompt"}) {
    const Json* text = found->second.Find(key);
    if (text != nullptr && text->IsString()) sample.question = text->string();
  }
  for (const std::string& field : bench.fields) {
    const Json* value = found->second.Find(field);
    if (value != nullptr && value->IsString()) sample.fields.Set(field, *value);
  }
}

void AddAnswer(const Json& row, const std::string& where, const Questions& questions,
               CollectedRun& run) {
  const std::string name = row.At("benchmark", where).AsString(where);
  const Bench* bench = FindBench(name);
  if (bench == nullptr) {
    Fail(where, ": expected benchmark gsm8k, truthfulqa, do_not_answer or toxigen, found ", name);
  }
  Sample sample;
  sample.task = bench->task;
  sample.item = row.At("id", where).AsString(where);
  sample.model = row.At("model", where).AsString(where);
  sample.question = row.At("prompt", where).AsString(where);
  FillFromQuestion(questions, *bench, sample);
  sample.response = row.At("response", where).AsString(where);
  if (sample.response.starts_with("ERROR:")) {  // an exception that was kept as an answer
    sample.state = State::kError;
    sample.problem = sample.response;
    sample.response.clear();
  }
  if (const Json* seconds = row.Find("elapsed_seconds")) sample.seconds = seconds->AsNumber(where);
  run.Add(std::move(sample));
}

std::vector<fs::path> ResultFiles(const fs::path& folder) {
  const fs::path results = fs::is_directory(folder / "results") ? folder / "results" : folder;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(results)) {
    const std::string name = entry.path().filename().string();
    const bool is_result = entry.path().extension() == ".jsonl" &&
                           std::any_of(Benches().begin(), Benches().end(), [&](const Bench& bench) {
                             return name.starts_with(std::string(bench.name) + "_");
                           });
    if (is_result) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// The answer that grades belong to; where none was kept, a row that says so.
size_t GradedAnswer(CollectedRun& run, const Bench& bench, const Questions& questions,
                    const std::string& item, const std::string& model) {
  const size_t found = run.Find(bench.task, item, model);
  if (found != std::string::npos) return found;
  Sample sample;
  sample.task = bench.task;
  sample.item = item;
  sample.model = model;
  sample.state = State::kSkipped;
  sample.problem = "the answer was not recorded, its score was";
  FillFromQuestion(questions, bench, sample);
  return run.Add(std::move(sample));
}

constexpr std::pair<const char*, const char*> kGradeNames[] = {
    {"truthfulness", "truthfulqa.truthfulness"},
    {"informativeness", "truthfulqa.informativeness"},
    {"safety", "do_not_answer.safety"},
    {"nuance", "do_not_answer.nuance"},
    {"kindness", "toxigen.kindness"},
    {"awareness", "toxigen.awareness"}};

void AddGradeRow(const Json& row, const std::string& file, size_t index, CollectedRun& run) {
  Json values = Json::MakeObject(), detail = Json::MakeObject();
  detail.Set("file", Json(file));
  for (const auto& [key, metric] : kGradeNames) {
    if (const Json* value = row.Find(key)) values.Set(metric, *value);
  }
  if (const Json* correct = row.Find("correct"); correct != nullptr && correct->IsBool()) {
    values.Set("gsm8k.lem", Json(correct->boolean() ? 1 : 0));
  }
  for (const char* key : {"reasoning", "extracted", "expected"}) {
    if (const Json* value = row.Find(key)) detail.Set(key, *value);
  }
  run.AddGrades(index, std::move(values), std::move(detail));
}

// {"scores":{bench:{model:{id:{...}}}}}
void AddScoreFile(const fs::path& path, const Questions& questions, CollectedRun& run) {
  if (!fs::is_regular_file(path)) return;
  const std::string where = path.string();
  run.AddFile(where);
  const Json file = Json::ParseFile(where);
  for (const auto& [name, models] : file.At("scores", where).AsObject(where)) {
    const Bench* bench = FindBench(name);
    if (bench == nullptr) continue;
    for (const auto& [model, items] : models.AsObject(where)) {
      for (const auto& [item, row] : items.AsObject(where)) {
        row.AsObject(where);
        const size_t index = GradedAnswer(run, *bench, questions, item, model);
        AddGradeRow(row, path.filename().string(), index, run);
      }
    }
  }
}

size_t EthicsAnswer(CollectedRun& run, const std::string& item, const std::string& model,
                    const std::string& domain, bool again) {
  const size_t found = run.Find(kEthicsTask, item, model);
  if (found != std::string::npos && !again) return found;
  Sample sample;
  sample.task = kEthicsTask;
  sample.item = item;
  sample.model = model;
  sample.state = State::kSkipped;
  sample.problem = "the answer was not recorded, its score was";
  sample.fields = Json::MakeObject();
  if (!domain.empty()) sample.fields.Set("domain", Json(domain));
  return run.Add(std::move(sample));
}

// {"per_prompt":{model:[{sub-scores, "lek_score", "id", "domain"}]}}
void AddRegexScores(const fs::path& path, CollectedRun& run, Progress& progress) {
  if (!fs::is_regular_file(path)) return;
  const std::string where = path.string();
  run.AddFile(where);
  const Json file = Json::ParseFile(where);
  int64_t twice = 0;
  for (const auto& [model, rows] : file.At("per_prompt", where).AsObject(where)) {
    for (const Json& row : rows.AsArray(where)) {
      const std::string& item = row.At("id", where).AsString(where);
      const bool again = run.Find(kEthicsTask, item, model) != std::string::npos;
      twice += again ? 1 : 0;
      const Json* domain = row.Find("domain");
      const size_t index = EthicsAnswer(
          run, item, model, domain != nullptr && domain->IsString() ? domain->string() : "", again);
      Json values = Json::MakeObject(), detail = row;
      values.Set("lek.v1", row.At("lek_score", where));
      run.AddGrades(index, std::move(values), std::move(detail));
    }
  }
  if (twice > 0) {
    progress.Note(where + ": " + std::to_string(twice) +
                  " rows of an item that has one already are kept as repeats of it");
  }
}

// {"per_response":{model:{id:{four dimensions, "composite"}}}}
void AddSemanticScores(const fs::path& path, CollectedRun& run, Progress& progress) {
  constexpr const char* kDimensions[] = {"sovereignty", "ethical_depth", "creative_expression",
                                         "self_concept"};
  if (!fs::is_regular_file(path)) return;
  const std::string where = path.string();
  run.AddFile(where);
  const Json file = Json::ParseFile(where);
  int64_t odd = 0;
  for (const auto& [model, items] : file.At("per_response", where).AsObject(where)) {
    for (const auto& [item, row] : items.AsObject(where)) {
      Json values = Json::MakeObject(), detail = Json::MakeObject();
      double sum = 0;
      for (const char* name : kDimensions) {
        const Json& value = row.At(name, where);
        sum += value.AsNumber(where);
        values.Set(std::string("ethics.") + name, value);
      }
      const Json& composite = row.At("composite", where);
      values.Set("ethics.composite", composite);
      values.Set("ethics.dimensions", Json(sum / 4));
      odd += std::abs(composite.AsNumber(where) - sum / 4) > 0.0051 ? 1 : 0;
      if (const Json* reasoning = row.Find("reasoning")) detail.Set("reasoning", *reasoning);
      run.AddGrades(EthicsAnswer(run, item, model, "", false), std::move(values),
                    std::move(detail));
    }
  }
  if (odd > 0) {
    progress.Warn(where + ": " + std::to_string(odd) +
                  " stored composites are not the mean of their four dimensions; kept as stored");
  }
}

TaskFacts EthicsFacts() {
  TaskFacts facts;
  facts.metrics = {"lek.v1",
                   "ethics.composite",
                   "ethics.dimensions",
                   "ethics.sovereignty",
                   "ethics.ethical_depth",
                   "ethics.creative_expression",
                   "ethics.self_concept"};
  facts.primary = "ethics.composite";
  facts.cluster = "domain";
  facts.groups = {"domain"};
  return facts;
}

}  // namespace

void CollectLemResults(const std::string& from, CollectedRun& run, Progress& progress) {
  const fs::path folder(from);
  if (!fs::is_directory(folder)) {
    Fail(from, ": expected the original project's benchmarks folder, found ",
         fs::exists(folder) ? "a file" : "nothing");
  }
  for (const Bench& bench : Benches()) run.SetFacts(bench.task, KnownFacts(bench.facts));
  run.SetFacts(kEthicsTask, EthicsFacts());
  const Questions questions = ReadQuestions(folder, run);
  if (questions.empty()) {
    progress.Warn(from + ": no question files; answers are imported without references");
  }
  for (const fs::path& path : ResultFiles(folder)) {
    run.AddFile(path.string());
    for (const JsonLine& line : ReadJsonLines(path.string())) {
      AddAnswer(line.value, path.string() + ":" + std::to_string(line.line), questions, run);
    }
  }
  for (const char* name : {"standard_scores.json", "scale_scores.json", "cross_arch_scores.json"}) {
    AddScoreFile(folder / name, questions, run);
  }
  AddRegexScores(folder / "regex_scores.json", run, progress);
  AddSemanticScores(folder / "semantic_scores.json", run, progress);
}

}  // namespace lem
