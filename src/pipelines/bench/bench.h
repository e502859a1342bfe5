// SPDX-License-Identifier: EUPL-1.2
// lem bench: a model answers the items of tasks, and every answer is kept in a run folder the
// moment it is finished. Nothing is graded here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pipelines/loaded_model.h"
#include "pipelines/progress.h"

namespace lem {

struct BenchOptions {
  ModelOptions model;
  std::string name;                  // in the run folder; empty: ModelName(model)
  std::vector<std::string> tasks;    // names or task files
  std::string suite;                 // instead of tasks
  std::string out;                   // the run folder
  int64_t limit = 0;                 // the first so many items of each task; 0: all
  int64_t sample = 0;                // so many, drawn by seed
  int repeats = 1;                   // answers per item, for tasks that generate
  std::optional<float> temperature;  // instead of the tasks' own
  std::optional<int> max_tokens;     // likewise
  int max_batch = 16;
  uint64_t seed = 0;
  bool ceilings = false;  // measure what the machine can do, and say the share of it
};

struct BenchTaskResult {
  std::string task, subset;
  int64_t answers = 0;                // that the plan asks for
  int64_t kept = 0;                   // there before this run
  int64_t failed = 0, truncated = 0;  // of the plan's answers, now
  std::optional<double> mean_tokens;  // generated, of answered ones
};

// Shares of the machine's own rates, measured before answering.
struct CeilingShares {
  double gemm_flops = 0, read_bytes_per_second = 0;
  std::optional<double> prompts{};     // of gemm_flops: the blocks' products, nothing else counted
  std::optional<double> generation{};  // of reading: weights once a pass, keys and values
};

struct BenchResult {
  std::string model;
  std::vector<BenchTaskResult> tasks;
  int64_t prompt_tokens = 0, generation_tokens = 0;  // computed in this run
  double prompt_tps = 0, generation_tps = 0;         // 0 when nothing of that kind was computed
  double seconds = 0;                                // answering, without loading
  uint64_t peak_memory_bytes = 0;
  std::optional<CeilingShares> ceilings;
};

// Answers what is missing or has failed and keeps what is there. Throws UsageError before anything
// is loaded for tasks it does not know, and Interrupted after Ctrl-C, with everything finished
// kept.
BenchResult RunBench(const BenchOptions& options, Progress& progress);

}  // namespace lem
