// SPDX-License-Identifier: EUPL-1.2
// The list of metrics. A metric turns one answer into one score. Judged metrics are listed too, so
// that their absence is shown. Numbers of a whole task (AUROC, spread) are in summary.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/run_record.h"

namespace lem {

enum class MetricScale : uint8_t {
  kProportion,  // each value is 0 or 1: Wilson interval
  kScore,       // any number: t interval
};

struct Metric {
  std::string name;
  MetricScale scale = MetricScale::kScore;
  bool judged = false;
  bool higher_is_better = true;
  double low = 0, high = 0;  // range of possible values; equal: unbounded
  std::string about;         // one phrase, for reports
  // Null for judged ones. The sample is answered. A score is always given back, missing or not.
  Score (*compute)(const Sample& sample, const std::string& metric) = nullptr;
};

// Null when unknown. "name@judge" (the score of a judge that is not the current one) is found as
// `name`. docs/evaluation.md lists all.
const Metric* FindMetric(std::string_view name);
std::vector<std::string> MetricNames();

// What run.json says of a task, for those who score, compare and report.
struct TaskFacts {
  std::vector<std::string> metrics;
  std::string primary, cluster, rubric, benign_twin_of;
  std::vector<std::string> groups;
};
TaskFacts FactsOf(const RunManifest& manifest, std::string_view task);

// The facts of a task that ships, and plain answer metrics for any other name: for imports.
TaskFacts KnownFacts(const std::string& task);
// As run.json's tasks[name] has it, for answers that did not come of a task file.
Json ImportedTask(const TaskFacts& facts);

}  // namespace lem
