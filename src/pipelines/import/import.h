// SPDX-License-Identifier: EUPL-1.2
// Recorded answers of others -> a run folder, so that they get the same metrics and statistics.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipelines/progress.h"

namespace lem {

struct ImportOptions {
  // "lem": the original project's folder (results/*.jsonl, the questions, *_scores.json).
  // "lm-eval": samples_*.jsonl, one file or a folder of them.
  // "answers": JSON lines {"task","item","model","question","reference","response"}, and where
  // known "repeat", "prompt", "finish_reason", "fields" and "choices".
  std::string format;
  std::string from;
  std::string to;
};

struct ImportResult {
  std::vector<std::string> models, tasks;
  int64_t answers = 0;     // imported now
  int64_t kept = 0;        // there before
  int64_t unanswered = 0;  // of both: rows that hold no answer
  int64_t judgements = 0;  // recorded grades
};

// Tells `progress` what is odd about the source. The folder `to` is made, or added to when it is a
// run; importing the same again changes nothing. Throws Error with file and line.
ImportResult ImportRun(const ImportOptions& options, Progress& progress);

}  // namespace lem
