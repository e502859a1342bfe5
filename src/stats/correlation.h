// SPDX-License-Identifier: EUPL-1.2
// Rank correlation, for the question whether long answers get the good grades.
#pragma once

#include <cstdint>
#include <span>

#include "stats/intervals.h"

namespace lem {

struct Correlation {
  double rho = 0;  // not a number with fewer than 3 pairs or when one side does not vary
  int64_t n = 0;
  Interval interval;  // Fisher's z with variance 1.06 / (n - 3) (Fieller, Hartley, Pearson 1957)
};

// Spearman (1904), ties at their mean rank.
Correlation SpearmanCorrelation(std::span<const double> x, std::span<const double> y,
                                double level = 0.95);

}  // namespace lem
