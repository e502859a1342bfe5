// SPDX-License-Identifier: EUPL-1.2
// lem judge calibrate: a judge against human labels. How often it agrees with people, and what it
// misses, with intervals; bound to the judge's configuration, and shown wherever it judges.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "pipelines/judge/judge.h"

namespace lem {

struct CalibrateOptions {
  JudgeOptions judge;
  std::string dataset;  // do-not-answer, truthfulqa, toxigen
  int64_t limit = 0;    // rows, drawn by judge.seed; 0: all
  std::string out;      // the JSON file; empty: in CalibrationFolder()
};

// Judges the rows (resuming what an earlier call has judged), and writes and gives back
// {"judge","judge_config","dataset","data":{file:sha256},"created","rows","missing":{state:n},
//  "seed","metrics":{metric:{"n","labels","confusion","observed","kappa","kappa_ci95",
//   "kappa_quadratic","ac1","ac1_ci95","alpha","alpha_ci95"; for two labels also "sensitivity",
//   "sensitivity_ci95","specificity","specificity_ci95","precision","f1","mcc","human_rate",
//   "judged_rate","counts":{"tp","fp","fn","tn"},"threshold","reliability":[{"from","to","n","mean","rate"}]}}}.
// Numbers that are not defined are null. Throws Error when the data is absent, naming `lem data
// fetch`, and Interrupted after Ctrl-C.
Json CalibrateJudge(const CalibrateOptions& options, Progress& progress);

}  // namespace lem
