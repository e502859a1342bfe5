// SPDX-License-Identifier: EUPL-1.2
// Judges the kept answers of a run folder: what `lem score --judge` does before it scores.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipelines/judge/judge.h"
#include "pipelines/run_folder.h"

namespace lem {

struct JudgeRunOptions {
  JudgeOptions judge;
  std::vector<std::string> metrics;  // only rubrics that give one of them; empty: all
};

struct JudgeRunResult {
  std::string judge;
  int64_t answers = 0;  // that have a rubric
  int64_t kept = 0;     // judged before
  int64_t judged = 0;   // in this run, with a verdict
  int64_t failed = 0;   // asked in this run, without a verdict
};

// Judges what has no good judgement of this judge's configuration yet, then 5 % (at least 30) a
// second time and the canaries; keeps every attempt; makes the judge the run's current one, with
// its audit (retest agreement, canaries, correlation with length) and the calibrations at hand in
// run.json. `run` is open for writing. Throws Interrupted after Ctrl-C, with everything kept.
JudgeRunResult JudgeRun(RunFolder& run, const JudgeRunOptions& options, Progress& progress);

}  // namespace lem
