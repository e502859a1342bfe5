// SPDX-License-Identifier: EUPL-1.2
#include "stats/intervals.h"

#include <algorithm>
#include <boost/math/distributions/beta.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "base/check.h"
#include "base/random.h"

namespace lem {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double Mean(std::span<const double> values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

// Sum of residuals per cluster, in the order of cluster names.
std::vector<double> ClusterSums(std::span<const double> values, std::span<const int64_t> clusters,
                                double mean) {
  std::map<int64_t, double> sums;
  for (size_t i = 0; i < values.size(); ++i) sums[clusters[i]] += values[i] - mean;
  std::vector<double> out;
  for (const auto& [cluster, sum] : sums) out.push_back(sum);
  return out;
}

double ClusteredVariance(std::span<const double> sums, size_t n) {
  double squares = 0;
  for (const double s : sums) squares += s * s;
  const auto c = static_cast<double>(sums.size());
  return c / (c - 1) * squares / (static_cast<double>(n) * static_cast<double>(n));
}

MeanEstimate WithStudent(double mean, double variance, double degrees, double level) {
  MeanEstimate estimate{mean, kNan, degrees, {kNan, kNan}};
  if (degrees < 1) return estimate;
  estimate.standard_error = std::sqrt(variance);
  const double reach = StudentQuantile((1 + level) / 2, degrees) * estimate.standard_error;
  estimate.interval = {mean - reach, mean + reach};
  return estimate;
}

double BetaQuantile(double p, double a, double b) {
  return boost::math::quantile(boost::math::beta_distribution<>(a, b), p);
}

}  // namespace

double NormalQuantile(double p) { return boost::math::quantile(boost::math::normal(), p); }

double StudentQuantile(double p, double degrees) {
  return boost::math::quantile(boost::math::students_t(degrees), p);
}

Interval WilsonInterval(int64_t k, int64_t n, double level) {
  LEM_CHECK(n > 0 && k >= 0 && k <= n);
  const double z = NormalQuantile((1 + level) / 2), size = static_cast<double>(n);
  const double p = static_cast<double>(k) / size, z2 = z * z;
  const double center = (p + z2 / (2 * size)) / (1 + z2 / size);
  const double reach = z / (1 + z2 / size) * std::sqrt(p * (1 - p) / size + z2 / (4 * size * size));
  return {k == 0 ? 0.0 : std::max(0.0, center - reach),
          k == n ? 1.0 : std::min(1.0, center + reach)};
}

Interval ClopperPearsonInterval(int64_t k, int64_t n, double level) {
  LEM_CHECK(n > 0 && k >= 0 && k <= n);
  const double tail = (1 - level) / 2, a = static_cast<double>(k), b = static_cast<double>(n - k);
  return {k == 0 ? 0.0 : BetaQuantile(tail, a, b + 1),
          k == n ? 1.0 : BetaQuantile(1 - tail, a + 1, b)};
}

Interval JeffreysInterval(int64_t k, int64_t n, double level) {
  LEM_CHECK(n > 0 && k >= 0 && k <= n);
  const double tail = (1 - level) / 2, a = static_cast<double>(k) + 0.5,
               b = static_cast<double>(n - k) + 0.5;
  return {k == 0 ? 0.0 : BetaQuantile(tail, a, b), k == n ? 1.0 : BetaQuantile(1 - tail, a, b)};
}

MeanEstimate EstimateMean(std::span<const double> values, double level) {
  LEM_CHECK(!values.empty());
  const double mean = Mean(values), n = static_cast<double>(values.size());
  double squares = 0;
  for (const double v : values) squares += (v - mean) * (v - mean);
  return WithStudent(mean, squares / (n - 1) / n, n - 1, level);
}

MeanEstimate EstimateClusteredMean(std::span<const double> values,
                                   std::span<const int64_t> clusters, double level) {
  LEM_CHECK(!values.empty() && values.size() == clusters.size());
  const double mean = Mean(values);
  const std::vector<double> sums = ClusterSums(values, clusters, mean);
  return WithStudent(mean, ClusteredVariance(sums, values.size()),
                     static_cast<double>(sums.size()) - 1, level);
}

Interval WildClusterInterval(std::span<const double> values, std::span<const int64_t> clusters,
                             uint64_t seed, int draws, double level) {
  LEM_CHECK(!values.empty() && values.size() == clusters.size() && draws > 0);
  const double mean = Mean(values);
  const std::vector<double> sums = ClusterSums(values, clusters, mean);
  if (sums.size() < 2) return {kNan, kNan};
  std::map<int64_t, double> sizes;
  for (const int64_t c : clusters) sizes[c] += 1;
  std::vector<double> size;
  for (const auto& [cluster, n] : sizes) size.push_back(n);
  const double n = static_cast<double>(values.size());
  const double error = std::sqrt(ClusteredVariance(sums, values.size()));
  // Webb's points: +-sqrt(1/2), +-1, +-sqrt(3/2), each with probability 1/6.
  const double points[6] = {-std::sqrt(1.5), -1, -std::sqrt(0.5),
                            std::sqrt(0.5),  1,  std::sqrt(1.5)};
  CounterRandom random(seed, 0x77696c64);
  std::vector<double> statistics;
  std::vector<double> drawn(sums.size()), residual(sums.size());
  for (int draw = 0; draw < draws; ++draw) {
    double shift = 0;
    for (size_t c = 0; c < sums.size(); ++c) {
      drawn[c] = points[random.NextBelow(6)] * sums[c];
      shift += drawn[c] / n;
    }
    for (size_t c = 0; c < sums.size(); ++c) residual[c] = drawn[c] - shift * size[c];
    const double drawn_error = std::sqrt(ClusteredVariance(residual, values.size()));
    if (drawn_error > 0) statistics.push_back(std::abs(shift / drawn_error));
  }
  if (statistics.empty()) return {mean, mean};
  std::ranges::sort(statistics);
  const auto at =
      static_cast<size_t>(std::ceil(level * static_cast<double>(statistics.size()))) - 1;
  const double reach = statistics[std::min(at, statistics.size() - 1)] * error;
  return {mean - reach, mean + reach};
}

TwoLevel EstimateTwoLevel(std::span<const double> answers, int64_t items, int64_t repeats,
                          double level) {
  LEM_CHECK(items >= 2 && repeats >= 2 && static_cast<int64_t>(answers.size()) == items * repeats);
  const double n = static_cast<double>(items), k = static_cast<double>(repeats);
  std::vector<double> means;
  double within = 0;
  for (int64_t i = 0; i < items; ++i) {
    const auto row =
        answers.subspan(static_cast<size_t>(i * repeats), static_cast<size_t>(repeats));
    means.push_back(Mean(row));
    for (const double v : row) within += (v - means.back()) * (v - means.back());
  }
  TwoLevel result;
  result.within_variance = within / (n * (k - 1));
  const MeanEstimate of_means = EstimateMean(means, level);
  const double between = of_means.standard_error * of_means.standard_error * n;
  result.mean = of_means.mean;
  result.item_variance = std::max(0.0, between - result.within_variance / k);
  result.standard_error = of_means.standard_error;
  result.interval = of_means.interval;
  return result;
}

Interval MissingBounds(double observed_mean, int64_t observed, int64_t missing, double lowest,
                       double highest) {
  LEM_CHECK(observed >= 0 && missing >= 0 && observed + missing > 0);
  const double sum = observed > 0 ? observed_mean * static_cast<double>(observed) : 0;
  const double n = static_cast<double>(observed + missing), m = static_cast<double>(missing);
  return {(sum + lowest * m) / n, (sum + highest * m) / n};
}

}  // namespace lem
