// SPDX-License-Identifier: EUPL-1.2
// One answer as rows of lm-evaluation-harness' sample logs.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "pipelines/run_folder.h"

namespace lem {

// What a sample log of one lm-eval task holds, and its aggregate.
struct LmEvalLog {
  std::vector<Json> rows;
  // "exact_match,strict-match" -> values of all documents
  std::map<std::string, std::vector<double>> values;
};

using LmEvalLogs = std::map<std::string, LmEvalLog>;  // by lm-eval's task name

// Appends the rows of an answered sample. `scores`: its metric -> value, where there is one.
void AddLmEvalRows(const Sample& sample, int64_t doc_id,
                   const std::map<std::string, double>& scores, LmEvalLogs& logs);

}  // namespace lem
