// SPDX-License-Identifier: EUPL-1.2
// Two models on the same items: what `lem compare` prints and reports show. Reads kept scores,
// computes nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pipelines/run_folder.h"
#include "stats/intervals.h"

namespace lem {

struct Metric;

struct ComparisonOptions {
  std::vector<std::string> tasks, metrics;  // empty: all that both sides have
  // What Holm's correction covers: "primary" (each task's primary metric), "all", or metric names
  // with commas. The rest is exploratory and adjusted by Benjamini-Hochberg.
  std::string family = "primary";
  double level = 0.95;
  double margin = 0;  // > 0: also test non-inferiority at this margin
  uint64_t seed = 0;  // of permutations and bootstraps
};

// One side: a model of a run.
struct RunSide {
  const RunFolder* run = nullptr;
  std::string model;
};

struct Comparison {
  std::string task, metric;
  int64_t n = 0;                        // items with a value on both sides
  int64_t missing = 0;                  // items of either plan without
  double a = 0, b = 0, difference = 0;  // over the n items; difference = b - a
  // Unset where the sample gives none: all differences alike (one item) in an unbounded metric.
  std::optional<Interval> ci;
  Interval
      bounds;  // of the difference, whatever the missing values were; equal to difference when none
  bool bounded = false;  // false when the metric has no range
  std::string test;      // "mcnemar-exact", "sign-flip", "cluster-sign-flip"
  std::optional<double> p, mid_p, wilcoxon_p, p_adjusted, non_inferiority_p;
  std::string adjustment;  // "holm" or "benjamini-hochberg"
  bool in_family = false;
  bool higher_is_better = true;
  std::optional<double> odds_ratio;  // paired binary
  std::optional<double> detectable;  // smallest difference shown with 80 % power by this sample
  std::vector<std::string> gained, lost;  // items on which b is better, worse
  std::string cluster, subset;
};

struct ComparisonSet {
  std::string model_a, model_b, family;
  double level = 0.95;
  int64_t pairs_in_family = 1;  // of models, whose comparisons were adjusted together
  std::vector<Comparison> comparisons;
  std::vector<std::string> warnings;  // different data versions, subsets, unequal questions
};

// Throws Error when the sides share no item.
ComparisonSet CompareSides(const RunSide& a, const RunSide& b, const ComparisonOptions& options);
// The same with these scores instead of the kept ones: of `a.model` and of `b.model`.
ComparisonSet CompareSides(const RunSide& a, const RunSide& b, const std::vector<Score>& scores_a,
                           const std::vector<Score>& scores_b, const ComparisonOptions& options);
// Adjusts all p values of several sets again, as of one family (and one set of exploratory rows).
void AdjustTogether(const std::vector<ComparisonSet*>& sets);
Json ToJson(const ComparisonSet& set);

// What an interval of a difference leaves within the metric's range: differences beyond it do not
// exist. Unchanged for a metric that is unknown (null) or has no range.
Interval WithinRange(const Interval& difference, const Metric* metric);

// The definition of a task as its run kept it (task.h, Task::ToJson); null when the run has none.
const Json* KeptDefinition(const RunManifest& manifest, std::string_view task);

// The kept scores of a run, or, when it was never scored, those its answers give.
std::vector<Score> KeptScores(const RunFolder& run);

}  // namespace lem
