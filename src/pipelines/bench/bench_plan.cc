// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/bench/bench_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_set>

#include "base/error.h"
#include "base/hash.h"
#include "pipelines/model_record.h"

namespace lem {
namespace {

// Raised when the same settings would give another answer than before: a corrected prompt, a
// corrected sampler; 2: attention over a bfloat16 cache rounds on AVX-512; 3: int8 raises in
// integers.
constexpr int kAnswerRevision = 3;

// 0.3f as 0.3, not as 0.300000011920929.
Json Decimal(float value) { return Json(std::stod(fmt::format("{}", value))); }

std::vector<SuiteEntry> WantedTasks(const BenchOptions& options) {
  if (options.suite.empty() == options.tasks.empty()) {
    FailUsage("--task, --suite: expected one of the two, found ",
              options.suite.empty() ? "neither" : "both");
  }
  if (!options.suite.empty()) return SuiteByName(options.suite);
  std::vector<SuiteEntry> entries;
  for (const std::string& task : options.tasks) entries.push_back({task, 0});
  return entries;
}

// Whether two identities are of one model under one adapter. The template, the number type and the
// kernels may differ from task to task; each plan has its own.
bool SameModel(const Json& a, const Json& b) {
  for (const char* key : {"weights_sha256", "adapter_sha256", "tokenizer_sha256"}) {
    const Json *x = a.Find(key), *y = b.Find(key);
    if (x == nullptr || y == nullptr || !(*x == *y)) return false;
  }
  return true;
}

ItemSelection SelectItems(const BenchOptions& options, int64_t suite_limit,
                          std::vector<TaskItem> items) {
  if (options.sample > 0) return SampleItems(std::move(items), options.sample, options.seed);
  return FirstItems(std::move(items), options.limit > 0 ? options.limit : suite_limit);
}

void ApplyOptions(const BenchOptions& options, TaskRun& run, Progress& progress) {
  run.sampling = run.task.sampling;
  if (run.task.kind == TaskKind::kChoices) return;  // nothing is drawn, so once is enough
  if (options.temperature) run.sampling.temperature = *options.temperature;
  if (options.max_tokens) run.sampling.max_tokens = *options.max_tokens;
  run.plan.repeats = options.repeats;
  if (options.repeats > 1 && run.sampling.temperature <= 0) {
    progress.Warn(fmt::format(
        "{}: --repeat {} at temperature 0 gives the same answer {} times; --temp 0.7 makes them "
        "differ",
        run.task.name, options.repeats, options.repeats));
  }
}

TaskRun ChooseTask(const SuiteEntry& entry, const BenchOptions& options, Progress& progress) {
  TaskRun run;
  run.task = FindTask(entry.task);
  std::vector<TaskItem> items = run.task.LoadItems();
  run.plan.items_in_data = static_cast<int64_t>(items.size());
  ItemSelection selection = SelectItems(options, entry.limit, std::move(items));
  run.items = std::move(selection.items);
  run.plan.subset = std::move(selection.subset);
  run.plan.task = run.task.name;
  run.plan.seed = options.seed;
  for (const TaskItem& item : run.items) run.plan.items.push_back(item.id);
  ApplyOptions(options, run, progress);
  return run;
}

}  // namespace

std::vector<TaskRun> ChooseTasks(const BenchOptions& options, Progress& progress) {
  if (options.limit > 0 && options.sample > 0) {
    FailUsage("--limit, --sample: expected at most one of the two, found both");
  }
  std::vector<TaskRun> runs;
  std::set<std::string> names;
  for (const SuiteEntry& entry : WantedTasks(options)) {
    runs.push_back(ChooseTask(entry, options, progress));
    if (!names.insert(runs.back().task.name).second) {
      FailUsage("--task: expected every task once, found ", runs.back().task.name, " again");
    }
  }
  return runs;
}

void BindToModel(const Json& model_identity, TaskRun& run) {
  Json settings = Json::MakeObject();
  settings.Set("revision", Json(kAnswerRevision));
  settings.Set("model", model_identity);
  settings.Set("task", Json(run.task.name));
  settings.Set("task_hash", Json(run.task.hash()));
  if (run.task.kind == TaskKind::kGenerate) {
    settings.Set("temperature", Decimal(run.sampling.temperature));
    settings.Set("top_p", Decimal(run.sampling.top_p));
    settings.Set("max_tokens", Json(run.sampling.max_tokens));
    Json stop = Json::MakeArray();
    for (const std::string& text : run.task.stop) stop.Append(Json(text));
    settings.Set("stop", std::move(stop));
  }
  run.plan.config = PlanConfig(settings);
  run.plan.settings = std::move(settings);
}

void RecordPlans(const std::string& name, const Json& model_record,
                 const std::vector<TaskRun>& runs, RunFolder& folder, Progress& progress) {
  RunManifest manifest = folder.manifest();
  const Json& identity = *runs.front().plan.settings.Find("model");
  std::string dropped;
  std::erase_if(manifest.plans, [&](const RunPlan& plan) {
    if (plan.model != name) return false;
    const Json* earlier = plan.settings.Find("model");
    const bool stale = earlier == nullptr || !SameModel(*earlier, identity);
    if (stale) dropped += (dropped.empty() ? "" : ", ") + plan.task;
    return stale;
  });
  if (!dropped.empty()) {
    progress.Warn("the name " + name + " stood for another model or adapter here; its answers to " +
                  dropped + " no longer count (--name tells models apart)");
  }
  manifest.tool = ToolRecord();
  manifest.machine = MachineRecord();
  manifest.models.Set(name, model_record);
  for (const TaskRun& run : runs) {
    manifest.tasks.Set(run.task.name, run.task.ToJson());
    manifest.SetPlan(run.plan);
  }
  folder.SetManifest(std::move(manifest));
}

uint64_t AnswerSeed(uint64_t seed, std::string_view task, std::string_view item, int repeat) {
  Json::Array parts = {Json(std::to_string(seed)), Json(task), Json(item), Json(repeat)};
  const std::string hash = Sha256Hex(Json(std::move(parts)).Dump());
  return std::stoull(hash.substr(0, 16), nullptr, 16) >> 1;
}

std::vector<MissingAnswer> FindMissing(const TaskRun& run, const RunFolder& folder) {
  // By model too: one model under two names has the same keys twice.
  std::unordered_set<std::string> answered;
  for (const Sample& sample : folder.all_samples()) {
    if (sample.answered() && sample.model == run.plan.model) answered.insert(sample.key);
  }
  std::vector<MissingAnswer> missing;
  const bool draws = run.task.kind == TaskKind::kGenerate && run.sampling.temperature > 0;
  for (const TaskItem& item : run.items) {
    for (int repeat = 0; repeat < run.plan.repeats; ++repeat) {
      Sample sample;
      sample.config = run.plan.config;
      sample.task = run.task.name;
      sample.item = item.id;
      sample.model = run.plan.model;
      sample.repeat = repeat;
      // A greedy answer has no seed, so that another --seed does not make it another answer.
      sample.seed = draws ? AnswerSeed(run.plan.seed, run.task.name, item.id, repeat) : 0;
      sample.key = AnswerKey(sample.config, item.id, item.content, repeat, sample.seed);
      sample.question = item.question;
      sample.reference = item.reference;
      sample.fields = item.fields;
      if (answered.contains(sample.key)) continue;
      missing.push_back({&run, &item, std::move(sample)});
    }
  }
  return missing;
}

}  // namespace lem
