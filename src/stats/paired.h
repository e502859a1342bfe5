// SPDX-License-Identifier: EUPL-1.2
// Two models on the same items: the default comparison. Differences are b - a.
#pragma once

#include <cstdint>
#include <span>

#include "stats/intervals.h"

namespace lem {

// Items by outcome of (a, b): both right, only a, only b, neither.
struct PairedCounts {
  int64_t both = 0, only_a = 0, only_b = 0, neither = 0;
  int64_t n() const { return both + only_a + only_b + neither; }
};

struct PairedProportions {
  double a = 0, b = 0, difference = 0;
  double standard_error = 0;  // of the paired difference
  Interval interval;          // Newcombe (1998b), method 10: Wilson limits with the correlation
  double exact_p = 1;         // McNemar, exact binomial on the discordant pairs
  double mid_p = 1;           // the same with half the probability of the observed table
  double odds_ratio = 0;  // only_b / only_a; infinity when only_a is 0, not a number when both are
};
PairedProportions ComparePairedProportions(const PairedCounts& counts, double level = 0.95);

// Tango's (1998) score interval for the paired difference.
Interval TangoInterval(const PairedCounts& counts, double level = 0.95);

struct PairedMeans {
  MeanEstimate difference;  // Student's t, or CR1 when clusters are given
  double t_p = 1;
  double sign_flip_p = 1;  // permutation of signs (of whole clusters when given): exact up to 20
                           // units, else 20,000 draws
  double cohen_dz = 0;     // mean difference over its standard deviation
  double hodges_lehmann = 0;
  double wilcoxon_p =
      1;  // signed ranks with Pratt's zeros, normal approximation with ties corrected
};
// differences: b - a per item. clusters may be empty.
PairedMeans ComparePairedMeans(std::span<const double> differences,
                               std::span<const int64_t> clusters, uint64_t seed,
                               double level = 0.95);

// Two one-sided tests: the p-value against "the difference lies outside [-margin, margin]"
// (Schuirmann 1987).
double EquivalenceP(const MeanEstimate& difference, double margin);
// One-sided: p against "the difference is at or below -margin".
double NonInferiorityP(const MeanEstimate& difference, double margin);

}  // namespace lem
