// SPDX-License-Identifier: EUPL-1.2
// Intervals for one proportion or one mean. Every function gives a two-sided interval at `level`.
#pragma once

#include <cstdint>
#include <span>

namespace lem {

struct Interval {
  double low = 0, high = 0;
};

// Quantiles of the standard normal and of Student's t.
double NormalQuantile(double p);
double StudentQuantile(double p, double degrees);

// k successes of n. Wilson (1927), the default for proportions. n > 0.
Interval WilsonInterval(int64_t k, int64_t n, double level = 0.95);
// Clopper and Pearson (1934): exact, conservative.
Interval ClopperPearsonInterval(int64_t k, int64_t n, double level = 0.95);
// Jeffreys: equal-tailed quantiles of Beta(k + 1/2, n - k + 1/2), with the ends closed at k = 0 and
// k = n.
Interval JeffreysInterval(int64_t k, int64_t n, double level = 0.95);

struct MeanEstimate {
  double mean = 0;
  double standard_error = 0;  // 0 observations or 1: not a number
  double degrees = 0;
  Interval interval;
};

// Student's t on independent observations.
MeanEstimate EstimateMean(std::span<const double> values, double level = 0.95);

// Clustered observations: CR1, SE^2 = C / (C - 1) sum_c (sum_i e_ic)^2 / n^2, t with C - 1 degrees
// of freedom (Miller, arXiv:2411.00640; Cameron and Miller 2015). clusters[i] names the cluster of
// values[i].
MeanEstimate EstimateClusteredMean(std::span<const double> values,
                                   std::span<const int64_t> clusters, double level = 0.95);

// Fewer than about 30 clusters: wild cluster bootstrap-t with Webb's six-point weights (Webb 2014),
// inverted on the mean's t statistic; seeded.
Interval WildClusterInterval(std::span<const double> values, std::span<const int64_t> clusters,
                             uint64_t seed, int draws = 9999, double level = 0.95);

// Several answers per item: variance of the mean = sigma_item^2 / n + sigma_within^2 / (n K).
struct TwoLevel {
  double mean = 0, item_variance = 0, within_variance = 0, standard_error = 0;
  Interval interval;
};
// answers: items * repeats, row-major; repeats >= 2, items >= 2.
TwoLevel EstimateTwoLevel(std::span<const double> answers, int64_t items, int64_t repeats,
                          double level = 0.95);

// Bounds on a mean of n + missing values in [lowest, highest] when `missing` were not observed
// (Manski 1989).
Interval MissingBounds(double observed_mean, int64_t observed, int64_t missing, double lowest,
                       double highest);

}  // namespace lem
