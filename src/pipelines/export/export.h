// SPDX-License-Identifier: EUPL-1.2
// A run folder -> the files that lm-evaluation-harness writes with --log_samples, for its tools.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipelines/progress.h"

namespace lem {

struct ExportOptions {
  std::string run;
  std::string to;  // gets MODEL/results_TIME.json and MODEL/samples_TASK_TIME.jsonl
  std::vector<std::string> models;  // empty: all
};

struct ExportResult {
  std::vector<std::string> files;
  int64_t rows = 0;
};

// gsm8k: a row per document and filter (strict-match, flexible-extract) with exact_match.
// Choices: truthfulqa_mc1, truthfulqa_mc2 and toxigen with acc. Other tasks: the answers under the
// filter "none", with every score of ours. Answers that failed are left out, and said so. The same
// run gives the same bytes. Throws Error.
ExportResult ExportRun(const ExportOptions& options, Progress& progress);

}  // namespace lem
