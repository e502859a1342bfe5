// SPDX-License-Identifier: EUPL-1.2
// Scores -> means with intervals: what `lem score` prints and reports start from.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/run_folder.h"

namespace lem {

// One number of a task: the mean of a metric's values over items, or an aggregate over the whole
// task (toxigen.auroc, gsm8k.spread).
struct Summary {
  std::string model, task, metric;
  std::optional<double> value;  // unset when no value is there
  int64_t n = 0;                // items with a value (repeats are averaged within an item first)
  int64_t missing = 0;          // items of the plan without one
  std::optional<double> low, high;  // 95 % interval
  std::string interval;  // "wilson", "t", "cluster-t", "bootstrap", "" when there is none
  std::string subset;    // RunPlan::subset
};
// Ordered by model, task, metric in order of appearance. `scores` as ScoresOf or
// RunFolder::scores() gives them. Aggregates come after the metrics of their task.
std::vector<Summary> Summarise(const RunFolder& run, const std::vector<Score>& scores);

// Of task_aggregates.h: a number of a whole task, which `metrics.h` does not know.
bool IsAggregate(std::string_view name);

// {"scores":{task:{metric:{"value","n","missing","ci95":[lo,hi]}}}}; several models:
// {"models":{name:{task:{...}}}}.
Json SummaryJson(const std::vector<Summary>& summaries, const RunManifest& manifest);

}  // namespace lem
