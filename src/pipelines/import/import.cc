// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/import/import.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "pipelines/import/collected_run.h"

namespace lem {
namespace {

// The judge under whose name recorded grades are kept.
constexpr char kRecorded[] = "recorded";

std::string Place(const std::string& task, const std::string& item, const std::string& model) {
  return task + '\x1f' + item + '\x1f' + model;
}

template <class Values>
void AddOnce(Values& values, const std::string& value) {
  if (std::find(values.begin(), values.end(), value) == values.end()) values.push_back(value);
}

// What makes an imported answer this one: all that was recorded of it.
std::string ContentOf(const Sample& sample) {
  Json content = Json::MakeObject();
  content.Set("question", Json(sample.question));
  content.Set("reference", sample.reference);
  content.Set("response", Json(sample.response));
  content.Set("state", Json(StateName(sample.state)));
  Json choices = Json::MakeArray();
  for (const ChoiceScore& choice : sample.choices) {
    choices.Append(Json(choice.set));
    choices.Append(Json(choice.text));
    choices.Append(Json(choice.log_prob));
  }
  content.Set("choices", std::move(choices));
  return HashJson(content);
}

}  // namespace

void CollectedRun::AddFile(const std::string& path) {
  files_.Set(std::filesystem::path(path).filename().string(), Json(Sha256File(path)));
}

size_t CollectedRun::Add(Sample sample, bool keep_repeat) {
  const std::string place = Place(sample.task, sample.item, sample.model);
  int& seen = seen_[place];
  if (!keep_repeat) sample.repeat = seen;
  ++seen;
  first_.emplace(place, samples_.size());
  samples_.push_back(std::move(sample));
  return samples_.size() - 1;
}

size_t CollectedRun::Find(const std::string& task, const std::string& item,
                          const std::string& model) const {
  const auto found = first_.find(Place(task, item, model));
  return found == first_.end() ? std::string::npos : found->second;
}

void CollectedRun::AddGrades(size_t index, Json values, Json detail) {
  grades_.push_back({index, std::move(values), std::move(detail)});
}

void CollectedRun::Identify() {
  for (Sample& sample : samples_) {
    Json settings = Json::MakeObject();
    settings.Set("imported", Json(format_));
    settings.Set("files", files_);
    settings.Set("model", Json(sample.model));
    settings.Set("task", Json(sample.task));
    sample.config = PlanConfig(settings);
    if (!sample.fields.IsObject()) sample.fields = Json::MakeObject();
    sample.key = AnswerKey(sample.config, sample.item, ContentOf(sample), sample.repeat, 0);
  }
}

RunManifest CollectedRun::Manifest(RunManifest manifest, const ImportOptions& options) const {
  std::map<std::pair<std::string, std::string>, RunPlan> plans;
  std::vector<std::pair<std::string, std::string>> order;
  std::map<std::pair<std::string, std::string>, std::set<std::string>> items;
  for (const Sample& sample : samples_) {
    const std::pair<std::string, std::string> key = {sample.model, sample.task};
    if (plans.count(key) == 0) order.push_back(key);
    RunPlan& plan = plans[key];
    plan.model = sample.model;
    plan.task = sample.task;
    plan.config = sample.config;
    plan.repeats = std::max(plan.repeats, sample.repeat + 1);
    if (items[key].insert(sample.item).second) plan.items.push_back(sample.item);
  }
  Json imported = Json::MakeObject();
  imported.Set("format", Json(options.format));
  imported.Set("files", files_);
  for (const auto& key : order) {
    RunPlan& plan = plans[key];
    plan.settings = imported;
    plan.items_in_data = static_cast<int64_t>(plan.items.size());
    if (!manifest.models.Has(plan.model)) {
      Json model = Json::MakeObject();
      model.Set("imported", Json(options.format));
      manifest.models.Set(plan.model, std::move(model));
    }
    manifest.tasks.Set(plan.task, ImportedTask(facts_.at(plan.task)));
    manifest.SetPlan(std::move(plan));
  }
  if (!grades_.empty()) {
    Json judge = Json::MakeObject();
    judge.Set("about", Json("grades that came with the imported answers"));
    judge.Set("files", files_);
    manifest.judges.Set(kRecorded, std::move(judge));
    if (manifest.judge.empty()) manifest.judge = kRecorded;
  }
  manifest.imported = std::move(imported);
  return manifest;
}

std::vector<Judgement> CollectedRun::Judgements(const RunFolder& run) const {
  std::set<std::string> known;
  for (const Judgement& judgement : run.judgements()) known.insert(judgement.key);
  std::vector<Judgement> judgements;
  for (const Grades& grades : grades_) {
    const Sample& sample = samples_[grades.index];
    Judgement judgement;
    judgement.judge = kRecorded;
    judgement.judge_config = HashJson(files_);
    judgement.sample = sample.key;
    judgement.task = sample.task;
    judgement.item = sample.item;
    judgement.model = sample.model;
    judgement.repeat = sample.repeat;
    judgement.rubric = kRecorded;
    judgement.values = grades.values;
    judgement.detail = grades.detail;
    judgement.key = HashJson(Json(Json::Array{Json(sample.key), judgement.values}));
    if (known.insert(judgement.key).second) judgements.push_back(std::move(judgement));
  }
  return judgements;
}

ImportResult CollectedRun::Write(const ImportOptions& options, Progress& progress) {
  Identify();
  RunFolder run(options.to, RunFolder::Access::kCreate, progress);
  ImportResult result;
  std::vector<Sample> fresh;
  for (const Sample& sample : samples_) {
    AddOnce(result.models, sample.model);
    AddOnce(result.tasks, sample.task);
    result.unanswered += sample.answered() ? 0 : 1;
    if (run.Find(sample.key) != nullptr) {
      ++result.kept;
    } else {
      fresh.push_back(sample);
    }
  }
  result.answers = static_cast<int64_t>(fresh.size());
  std::vector<Judgement> judgements = Judgements(run);
  result.judgements = static_cast<int64_t>(judgements.size());
  RunManifest manifest = Manifest(run.manifest(), options);
  if (!fresh.empty()) run.Append(std::move(fresh));
  if (!judgements.empty()) run.Append(std::move(judgements));
  run.SetManifest(std::move(manifest));  // last: only now do the answers count
  return result;
}

ImportResult ImportRun(const ImportOptions& options, Progress& progress) {
  CollectedRun run(options.format);
  if (options.format == "lem")
    CollectLemResults(options.from, run, progress);
  else if (options.format == "lm-eval")
    CollectLmEvalLogs(options.from, run, progress);
  else if (options.format == "answers")
    CollectAnswers(options.from, run, progress);
  else
    FailUsage("--format: expected lem, lm-eval or answers, found ", options.format);
  if (run.size() == 0) {
    Fail(options.from, ": expected recorded answers of the format ", options.format,
         ", found none; check --from and --format");
  }
  return run.Write(options, progress);
}

}  // namespace lem
