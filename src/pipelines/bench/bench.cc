// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/bench/bench.h"

#include <algorithm>
#include <iterator>

#include "base/error.h"
#include "base/memory.h"
#include "base/stop.h"
#include "pipelines/bench/answers.h"
#include "pipelines/bench/bench_plan.h"
#include "pipelines/model_record.h"
#include "pipelines/wall_clock.h"

namespace lem {
namespace {

BenchTaskResult Describe(const TaskRun& run, const RunFolder& folder, int64_t missing) {
  BenchTaskResult result;
  result.task = run.task.name;
  result.subset = run.plan.subset;
  result.answers = static_cast<int64_t>(run.items.size()) * run.plan.repeats;
  result.kept = result.answers - missing;
  int64_t answered = 0, tokens = 0;
  for (const Sample* sample : folder.samples(run.plan.model, run.task.name)) {
    if (!sample->answered()) {
      ++result.failed;
      continue;
    }
    if (sample->finish_reason == "length") ++result.truncated;
    if (sample->generation_tokens < 0) continue;
    tokens += sample->generation_tokens;
    ++answered;
  }
  if (answered > 0) {
    result.mean_tokens = static_cast<double>(tokens) / static_cast<double>(answered);
  }
  return result;
}

void SetSpeeds(const EngineTimes& times, BenchResult& result) {
  result.prompt_tokens = times.prompt_tokens;
  result.generation_tokens = times.generation_tokens;
  if (times.prompt_seconds > 0) {
    result.prompt_tps = static_cast<double>(times.prompt_tokens) / times.prompt_seconds;
  }
  if (times.generation_seconds > 0) {
    result.generation_tps = static_cast<double>(times.generation_tokens) / times.generation_seconds;
  }
}

CeilingShares MeasureCeilings(Precision precision) {
  return {.gemm_flops = MeasureGemmFlops(precision),
          .read_bytes_per_second = MeasureReadBandwidth()};
}

void SetShares(const EngineTimes& times, const ModelConfig& config, CeilingShares& shares) {
  if (times.prompt_seconds > 0) {
    const double flops = 2.0 * static_cast<double>(config.block_products()) * config.layers *
                         static_cast<double>(times.prompt_tokens);
    shares.prompts = flops / times.prompt_seconds / shares.gemm_flops;
  }
  if (times.generation_bytes > 0) {
    shares.generation =
        times.generation_bytes / times.generation_seconds / shares.read_bytes_per_second;
  }
}

// Choices first: they take seconds where generation takes minutes. How many were missing, by run.
std::vector<int64_t> AnswerAll(const LoadedModel& model, Engine& engine,
                               const std::vector<TaskRun>& runs, RunFolder& folder,
                               Progress& progress) {
  std::vector<int64_t> counts;
  std::vector<MissingAnswer> generated;
  for (const TaskRun& run : runs) {
    std::vector<MissingAnswer> missing = FindMissing(run, folder);
    counts.push_back(static_cast<int64_t>(missing.size()));
    if (run.task.kind == TaskKind::kChoices) {
      ScoreChoices(model, engine, std::move(missing), folder, progress);
    } else {
      std::ranges::move(missing, std::back_inserter(generated));
    }
  }
  GenerateAnswers(model, engine, std::move(generated), folder, progress);
  return counts;
}

[[noreturn]] void SayInterrupted(const BenchResult& result, const std::string& out) {
  int64_t wanted = 0;
  for (const BenchTaskResult& task : result.tasks) wanted += task.answers;
  throw Interrupted("interrupted; the answers that were finished are kept in " + out +
                    ", and the same command goes on from there (" + std::to_string(wanted) +
                    " are wanted in all)");
}

}  // namespace

BenchResult RunBench(const BenchOptions& options, Progress& progress) {
  std::vector<TaskRun> runs = ChooseTasks(options, progress);
  RunFolder folder(options.out, RunFolder::Access::kCreate, progress);  // before the long loading
  const auto model = LoadedModel::Open(options.model, progress);
  BenchResult result;
  result.model = options.name.empty() ? ModelName(options.model) : options.name;
  const Json record = ModelRecord(*model, options.model);
  for (TaskRun& run : runs) {
    run.plan.model = result.model;
    BindToModel(ModelIdentity(record), run);
  }
  RecordPlans(result.model, record, runs, folder, progress);
  EngineOptions engine_options;
  engine_options.max_batch = options.max_batch;
  Engine engine(*model->decoder, engine_options);
  if (options.ceilings) result.ceilings = MeasureCeilings(model->decoder->options().precision);
  const WallClock clock;
  const std::vector<int64_t> missing = AnswerAll(*model, engine, runs, folder, progress);
  result.seconds = clock.Seconds();
  for (size_t i = 0; i < runs.size(); ++i) {
    result.tasks.push_back(Describe(runs[i], folder, missing[i]));
  }
  SetSpeeds(engine.times(), result);
  if (result.ceilings) SetShares(engine.times(), model->decoder->config(), *result.ceilings);
  result.peak_memory_bytes = PeakMemoryBytes();
  if (StopRequested()) SayInterrupted(result, options.out);
  return result;
}

}  // namespace lem
