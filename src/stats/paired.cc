// SPDX-License-Identifier: EUPL-1.2
#include "stats/paired.h"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
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

constexpr int64_t kExactSignFlips = 20;
constexpr int kSignFlipDraws = 20000;

double NormalTail(double z) {
  return boost::math::cdf(boost::math::complement(boost::math::normal(), z));
}

double StudentTwoSided(double t, double degrees) {
  if (std::isnan(t) || degrees < 1) return 1;
  if (std::isinf(t)) return 0;
  return 2 *
         boost::math::cdf(boost::math::complement(boost::math::students_t(degrees), std::abs(t)));
}

// Newcombe (1998), Statistics in Medicine 17:2635, method 10.
Interval NewcombeInterval(const PairedCounts& c, double level) {
  const double n = static_cast<double>(c.n());
  const double p1 = static_cast<double>(c.both + c.only_b) / n,
               p2 = static_cast<double>(c.both + c.only_a) / n;
  const Interval w1 = WilsonInterval(c.both + c.only_b, c.n(), level);
  const Interval w2 = WilsonInterval(c.both + c.only_a, c.n(), level);
  const double a = static_cast<double>(c.both), b = static_cast<double>(c.only_b);
  const double d = static_cast<double>(c.only_a), e = static_cast<double>(c.neither);
  const double product = (a + b) * (d + e) * (a + d) * (b + e);
  double phi = 0;
  if (product > 0) {
    double numerator = a * e - b * d;
    if (numerator > 0) numerator = std::max(numerator - n / 2, 0.0);  // continuity
    phi = numerator / std::sqrt(product);
  }
  const double difference = p1 - p2;
  const double l1 = p1 - w1.low, u1 = w1.high - p1, l2 = p2 - w2.low, u2 = w2.high - p2;
  return {difference - std::sqrt(std::max(0.0, l1 * l1 - 2 * phi * l1 * u2 + u2 * u2)),
          difference + std::sqrt(std::max(0.0, l2 * l2 - 2 * phi * l2 * u1 + u1 * u1))};
}

// Sums per cluster, or the values themselves.
std::vector<double> Units(std::span<const double> values, std::span<const int64_t> clusters) {
  if (clusters.empty()) return {values.begin(), values.end()};
  std::map<int64_t, double> sums;
  for (size_t i = 0; i < values.size(); ++i) sums[clusters[i]] += values[i];
  std::vector<double> out;
  for (const auto& [cluster, sum] : sums) out.push_back(sum);
  return out;
}

double SignFlipP(const std::vector<double>& all_units, uint64_t seed) {
  std::vector<double> units;
  double observed = 0, scale = 0;
  for (const double u : all_units) {
    if (u != 0) units.push_back(u);
    observed += u;
    scale += std::abs(u);
  }
  if (units.empty()) return 1;
  const double limit = std::abs(observed) - 1e-12 * scale;  // ties by rounding count as ties
  int64_t extreme = 0;
  if (static_cast<int64_t>(units.size()) <= kExactSignFlips) {
    const uint64_t all = uint64_t{1} << units.size();
    for (uint64_t signs = 0; signs < all; ++signs) {
      double sum = 0;
      for (size_t i = 0; i < units.size(); ++i) sum += signs >> i & 1 ? units[i] : -units[i];
      extreme += std::abs(sum) >= limit;
    }
    return static_cast<double>(extreme) / static_cast<double>(all);
  }
  CounterRandom random(seed, 0x666c6970);
  for (int draw = 0; draw < kSignFlipDraws; ++draw) {
    double sum = 0;
    uint32_t word = 0;
    for (size_t i = 0; i < units.size(); ++i, word >>= 1) {
      if (i % 32 == 0) word = random.NextWord();
      sum += word & 1 ? units[i] : -units[i];
    }
    extreme += std::abs(sum) >= limit;
  }
  return static_cast<double>(extreme + 1) / (kSignFlipDraws + 1);  // Phipson and Smyth (2010)
}

struct RankSums {
  double positive = 0, expected = 0, variance = 0;
};

// Signed ranks with zeros ranked and then dropped (Pratt 1959); tied ranks are averaged.
RankSums SignedRanks(std::span<const double> values) {
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted, {}, [](double v) { return std::abs(v); });
  RankSums sums;
  for (size_t i = 0; i < sorted.size();) {
    size_t end = i;
    while (end < sorted.size() && std::abs(sorted[end]) == std::abs(sorted[i])) ++end;
    const double rank = (static_cast<double>(i + end) + 1) / 2;
    for (size_t j = i; j < end && sorted[i] != 0; ++j) {
      if (sorted[j] > 0) sums.positive += rank;
      sums.expected += rank / 2;
      sums.variance += rank * rank / 4;
    }
    i = end;
  }
  return sums;
}

double WilcoxonP(std::span<const double> values) {
  const RankSums sums = SignedRanks(values);
  if (sums.variance == 0) return 1;
  return std::min(
      1.0, 2 * NormalTail(std::abs(sums.positive - sums.expected) / std::sqrt(sums.variance)));
}

// Median of all Walsh averages, by bisection on their count: no n^2 array.
double HodgesLehmann(std::span<const double> values) {
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  const size_t n = sorted.size();
  const auto count_at_most = [&](double x) {
    int64_t count = 0;
    size_t j = n;
    for (size_t i = 0; i < n; ++i) {
      while (j > i && (sorted[i] + sorted[j - 1]) / 2 > x) --j;
      if (j <= i) break;
      count += static_cast<int64_t>(j - i);
    }
    return count;
  };
  const int64_t total = static_cast<int64_t>(n) * static_cast<int64_t>(n + 1) / 2;
  const auto kth = [&](int64_t k) {  // smallest x with at least k averages at or below it
    double low = sorted.front(), high = sorted.back();
    for (int step = 0; step < 200 && low < high; ++step) {
      const double middle = low + (high - low) / 2;
      if (middle <= low || middle >= high) break;
      (count_at_most(middle) >= k ? high : low) = middle;
    }
    return count_at_most(low) >= k ? low : high;
  };
  return (kth((total + 1) / 2) + kth(total / 2 + 1)) / 2;
}

}  // namespace

PairedProportions ComparePairedProportions(const PairedCounts& c, double level) {
  LEM_CHECK(c.n() > 0);
  const double n = static_cast<double>(c.n());
  PairedProportions r;
  r.a = static_cast<double>(c.both + c.only_a) / n;
  r.b = static_cast<double>(c.both + c.only_b) / n;
  r.difference = static_cast<double>(c.only_b - c.only_a) / n;
  const double discordant = static_cast<double>(c.only_a + c.only_b);
  r.standard_error = n > 1 ? std::sqrt((discordant / n - r.difference * r.difference) / (n - 1))
                           : std::numeric_limits<double>::quiet_NaN();
  r.interval = NewcombeInterval(c, level);
  r.odds_ratio = static_cast<double>(c.only_b) / static_cast<double>(c.only_a);
  const int64_t total = c.only_a + c.only_b, least = std::min(c.only_a, c.only_b);
  if (total > 0) {
    const boost::math::binomial coin(static_cast<double>(total), 0.5);
    const double tail = boost::math::cdf(coin, static_cast<double>(least));
    const double point = boost::math::pdf(coin, static_cast<double>(least));
    r.exact_p = std::min(1.0, 2 * tail);
    r.mid_p = std::min(1.0, 2 * tail - point);
  }
  return r;
}

Interval TangoInterval(const PairedCounts& c, double level) {
  LEM_CHECK(c.n() > 0);
  const double n = static_cast<double>(c.n()), b = static_cast<double>(c.only_b),
               a = static_cast<double>(c.only_a);
  const double z = NormalQuantile((1 + level) / 2), difference = (b - a) / n;
  // The score statistic at a hypothetical difference, with the constrained estimate of the
  // discordant share.
  const auto score = [&](double delta) {
    const double p = -b - a + (2 * n - b + a) * delta;
    const double q = -a * delta * (1 - delta);
    const double q21 = (std::sqrt(std::max(0.0, p * p - 8 * n * q)) - p) / (4 * n);
    const double variance = n * (2 * q21 + delta * (1 - delta));
    const double excess = b - a - n * delta;
    if (variance <= 0)
      return excess == 0 ? 0.0 : std::copysign(std::numeric_limits<double>::infinity(), excess);
    return excess / std::sqrt(variance);
  };
  const auto root = [&](double inside, double outside, double target) {
    for (int step = 0; step < 200; ++step) {
      const double middle = (inside + outside) / 2;
      (std::abs(score(middle)) <= target ? inside : outside) = middle;
    }
    return inside;
  };
  return {root(difference, -1, z), root(difference, 1, z)};
}

PairedMeans ComparePairedMeans(std::span<const double> differences,
                               std::span<const int64_t> clusters, uint64_t seed, double level) {
  LEM_CHECK(!differences.empty() && (clusters.empty() || clusters.size() == differences.size()));
  PairedMeans r;
  r.difference = clusters.empty() ? EstimateMean(differences, level)
                                  : EstimateClusteredMean(differences, clusters, level);
  const MeanEstimate plain = EstimateMean(differences, level);
  const double spread = plain.standard_error * std::sqrt(static_cast<double>(differences.size()));
  r.cohen_dz = plain.mean / spread;
  r.t_p = r.difference.mean == 0 ? 1
                                 : StudentTwoSided(r.difference.mean / r.difference.standard_error,
                                                   r.difference.degrees);
  r.sign_flip_p = SignFlipP(Units(differences, clusters), seed);
  r.hodges_lehmann = HodgesLehmann(differences);
  r.wilcoxon_p = WilcoxonP(differences);
  return r;
}

double NonInferiorityP(const MeanEstimate& d, double margin) {
  if (std::isnan(d.standard_error) || d.degrees < 1) return 1;
  if (d.standard_error == 0) return d.mean > -margin ? 0 : 1;
  const double t = (d.mean + margin) / d.standard_error;
  return boost::math::cdf(boost::math::complement(boost::math::students_t(d.degrees), t));
}

double EquivalenceP(const MeanEstimate& difference, double margin) {
  MeanEstimate mirrored = difference;
  mirrored.mean = -difference.mean;
  return std::max(NonInferiorityP(difference, margin), NonInferiorityP(mirrored, margin));
}

}  // namespace lem
