// SPDX-License-Identifier: EUPL-1.2
// What must hold for every sample: by random cases, by simulation, and by small cases done by hand.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/random.h"
#include "stats/agreement.h"
#include "stats/bootstrap.h"
#include "stats/intervals.h"
#include "stats/multiplicity.h"
#include "stats/paired.h"
#include "stats/power.h"

namespace lem {
namespace {

struct Count {
  int64_t k, n;
};

rc::Gen<Count> AnyCount() {
  return rc::gen::mapcat(rc::gen::inRange<int64_t>(1, 2000), [](int64_t n) {
    return rc::gen::map(rc::gen::inRange<int64_t>(0, n + 1), [n](int64_t k) {
      return Count{k, n};
    });
  });
}

RC_GTEST_PROP(Intervals, ContainTheEstimateAndNestByLevel, ()) {
  const Count c = *AnyCount();
  const double p = static_cast<double>(c.k) / static_cast<double>(c.n);
  for (const auto interval : {WilsonInterval, ClopperPearsonInterval, JeffreysInterval}) {
    const Interval narrow = interval(c.k, c.n, 0.90), wide = interval(c.k, c.n, 0.99);
    RC_ASSERT(wide.low <= narrow.low && narrow.high <= wide.high);
    RC_ASSERT(wide.low <= p && p <= wide.high);
    RC_ASSERT(wide.low >= 0 && wide.high <= 1);
  }
  // Mirrored: an interval for failures is one minus the interval for successes.
  const Interval mirrored = WilsonInterval(c.n - c.k, c.n), plain = WilsonInterval(c.k, c.n);
  RC_ASSERT(std::abs(mirrored.low - (1 - plain.high)) < 1e-12);
}

RC_GTEST_PROP(Paired, SwappingTheModelsMirrorsEverything, ()) {
  const auto cell = rc::gen::inRange<int64_t>(0, 300);
  PairedCounts c{*cell, *cell, *cell, *cell};
  RC_PRE(c.n() > 1);
  const PairedProportions ab = ComparePairedProportions(c);
  const PairedProportions ba = ComparePairedProportions({c.both, c.only_b, c.only_a, c.neither});
  RC_ASSERT(std::abs(ab.difference + ba.difference) < 1e-12);
  RC_ASSERT(std::abs(ab.interval.low + ba.interval.high) < 1e-9);
  RC_ASSERT(ab.exact_p == ba.exact_p && ab.mid_p <= ab.exact_p);
  RC_ASSERT(ab.interval.low <= ab.difference && ab.difference <= ab.interval.high);
  const Interval tango = TangoInterval(c);
  RC_ASSERT(tango.low <= ab.difference + 1e-9 && ab.difference <= tango.high + 1e-9);
}

RC_GTEST_PROP(Paired, OrderOfItemsChangesNothing, ()) {
  auto values = *rc::gen::nonEmpty(rc::gen::container<std::vector<double>>(
      rc::gen::map(rc::gen::inRange(-9, 10), [](int v) { return static_cast<double>(v); })));
  RC_PRE(values.size() > 1);
  const PairedMeans before = ComparePairedMeans(values, {}, 1);
  std::ranges::sort(values);
  const PairedMeans after = ComparePairedMeans(values, {}, 1);
  RC_ASSERT(std::abs(before.difference.mean - after.difference.mean) < 1e-12);
  RC_ASSERT(std::abs(before.hodges_lehmann - after.hodges_lehmann) < 1e-9);
  RC_ASSERT(std::abs(before.wilcoxon_p - after.wilcoxon_p) < 1e-12);
  // Exact up to 20 values that are not zero; beyond, two draws of 20,000 differ by under 5 sd =
  // 0.018.
  RC_ASSERT(std::abs(before.sign_flip_p - after.sign_flip_p) < 0.018);
}

RC_GTEST_PROP(Agreement, IsCompleteForIdenticalRaters, ()) {
  const auto grades =
      *rc::gen::nonEmpty(rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 5)));
  const Agreement a = MeasureAgreement(grades, grades, 5);
  RC_ASSERT(a.observed == 1.0 || std::abs(a.observed - 1) < 1e-12);
  RC_ASSERT(a.alpha_nominal == 1 && a.alpha_ordinal == 1 && a.alpha_interval == 1);
  RC_ASSERT(std::isnan(a.cohen_kappa) || std::abs(a.cohen_kappa - 1) < 1e-9);
}

RC_GTEST_PROP(Multiplicity, AdjustedValuesKeepOrderAndNeverShrink, ()) {
  const auto p = *rc::gen::nonEmpty(rc::gen::container<std::vector<double>>(
      rc::gen::map(rc::gen::inRange(0, 1001), [](int v) { return v / 1000.0; })));
  const auto holm = HolmAdjust(p), hochberg = BenjaminiHochbergAdjust(p);
  for (size_t i = 0; i < p.size(); ++i) {
    RC_ASSERT(holm[i] >= p[i] && hochberg[i] >= p[i] - 1e-15 && holm[i] <= 1 &&
              hochberg[i] <= holm[i] + 1e-12);
    for (size_t j = 0; j < p.size(); ++j) RC_ASSERT(p[i] > p[j] || holm[i] <= holm[j]);
  }
}

TEST(Multiplicity, HandComputed) {
  const std::vector<double> p = {0.01, 0.04, 0.03, 0.005};
  EXPECT_EQ(HolmAdjust(p), (std::vector<double>{0.03, 0.06, 0.06, 0.02}));
  EXPECT_EQ(BenjaminiHochbergAdjust(p), (std::vector<double>{0.02, 0.04, 0.04, 0.02}));
}

TEST(Paired, HandComputed) {
  // Three signs: 2 of 8 assignments reach |sum| = 6.
  const std::vector<double> values = {1, 2, 3};
  const PairedMeans r = ComparePairedMeans(values, {}, 0);
  EXPECT_DOUBLE_EQ(r.sign_flip_p, 0.25);
  EXPECT_NEAR(r.hodges_lehmann, 2, 1e-9);
  EXPECT_DOUBLE_EQ(r.cohen_dz, 2);
  // Two clusters: 2 of 4 assignments.
  const std::vector<int64_t> clusters = {7, 7, 9};
  EXPECT_DOUBLE_EQ(ComparePairedMeans(values, clusters, 0).sign_flip_p, 0.5);
  // No discordant pair: nothing to test.
  EXPECT_EQ(ComparePairedProportions({5, 0, 0, 5}).exact_p, 1);
}

TEST(Power, TableOfTheSpecification) {
  // evaluation.md 5, rounded there to a tenth of a point.
  EXPECT_NEAR(100 * DetectablePairedProportion(50, 0.1), 12.5, 0.05);
  EXPECT_NEAR(100 * DetectablePairedProportion(100, 0.2), 12.5, 0.05);
  EXPECT_NEAR(100 * DetectablePairedProportion(1319, 0.3), 4.2, 0.05);
  EXPECT_NEAR(100 * DetectableProportion(50, 0.3), 25.7, 0.05);
  EXPECT_NEAR(DetectablePairedMean(100, 1.5), 0.42, 0.005);
}

TEST(Clusters, OneItemEachIsThePlainMean) {
  const std::vector<double> values = {1, 4, 2, 8, 5, 7};
  const std::vector<int64_t> own = {0, 1, 2, 3, 4, 5};
  EXPECT_NEAR(EstimateClusteredMean(values, own).standard_error,
              EstimateMean(values).standard_error, 1e-12);
}

TEST(Missing, BoundsHoldAllThatCouldHaveBeen) {
  const Interval bounds = MissingBounds(0.5, 8, 2, 0, 1);
  EXPECT_DOUBLE_EQ(bounds.low, 0.4);
  EXPECT_DOUBLE_EQ(bounds.high, 0.6);
}

TEST(Judge, CorrectionUndoesAKnownError) {
  // True rate 0.2, sensitivity 0.9, specificity 0.8: the judge says 0.2 * 0.9 + 0.8 * 0.2 = 0.34.
  const CorrectedRate r = CorrectRate(340, 1000, 90, 100, 80, 100);
  ASSERT_TRUE(r.usable);
  EXPECT_NEAR(r.rate, 0.2, 1e-12);
  EXPECT_FALSE(CorrectRate(50, 100, 10, 20, 8, 20).usable);  // 0.5 + 0.4 <= 1
}

// How often an interval misses the truth; 2000 trials, so a 95 % interval's rate has a standard
// error of 0.005, and 0.93 lies 4 of them below.
template <class Trial>
double Coverage(Trial trial) {
  int covered = 0;
  for (int t = 0; t < 2000; ++t) covered += trial(static_cast<uint64_t>(t));
  return covered / 2000.0;
}

TEST(Coverage, WilsonOverManyRates) {
  for (const double p : {0.05, 0.3, 0.7}) {
    const double coverage = Coverage([&](uint64_t trial) {
      CounterRandom random(trial, 1);
      int64_t k = 0;
      for (int i = 0; i < 60; ++i) k += random.NextUnit() < p;
      const Interval w = WilsonInterval(k, 60);
      return w.low <= p && p <= w.high;
    });
    EXPECT_GT(coverage, 0.93) << p;
    EXPECT_LT(coverage, 0.985) << p;
  }
}

TEST(Coverage, NewcombeAndTangoForPairs) {
  // P(both) 0.3, only a 0.1, only b 0.2, neither 0.4: the difference is 0.1.
  int tango_covered = 0;
  const double coverage = Coverage([&](uint64_t trial) {
    CounterRandom random(trial, 2);
    PairedCounts c;
    for (int i = 0; i < 100; ++i) {
      const double u = random.NextUnit();
      ++(u < 0.3 ? c.both : u < 0.4 ? c.only_a : u < 0.6 ? c.only_b : c.neither);
    }
    const Interval tango = TangoInterval(c), newcombe = ComparePairedProportions(c).interval;
    tango_covered += tango.low <= 0.1 && 0.1 <= tango.high;
    return newcombe.low <= 0.1 && 0.1 <= newcombe.high;
  });
  EXPECT_GT(coverage, 0.93);
  EXPECT_GT(tango_covered / 2000.0, 0.93);
}

TEST(Coverage, ClusteredMeanWhereThePlainOneFails) {
  int plain_covered = 0;
  const double coverage = Coverage([&](uint64_t trial) {
    CounterRandom random(trial, 3);
    std::vector<double> values;
    std::vector<int64_t> clusters;
    for (int64_t c = 0; c < 40; ++c) {
      const double shared = random.NextUnit() - 0.5;
      for (int i = 0; i < 6; ++i) {
        values.push_back(shared + 0.3 * (random.NextUnit() - 0.5));
        clusters.push_back(c);
      }
    }
    const Interval plain = EstimateMean(values).interval;
    plain_covered += plain.low <= 0 && 0 <= plain.high;
    const Interval clustered = EstimateClusteredMean(values, clusters).interval;
    return clustered.low <= 0 && 0 <= clustered.high;
  });
  EXPECT_GT(coverage, 0.93);
  EXPECT_LT(plain_covered / 2000.0, 0.75);  // six correlated answers counted as six
}

TEST(Coverage, BcaOfASkewedMean) {
  int covered = 0;
  constexpr int kTrials = 300;  // each draws 400 resamples: standard error of the rate 0.0126
  for (int t = 0; t < kTrials; ++t) {
    CounterRandom random(static_cast<uint64_t>(t), 4);
    std::vector<double> values;
    for (int i = 0; i < 60; ++i) values.push_back(-std::log(1 - random.NextUnit()));
    const Interval i = BcaMeanInterval(values, static_cast<uint64_t>(t), 400);
    covered += i.low <= 1 && 1 <= i.high;
  }
  EXPECT_GT(covered / static_cast<double>(kTrials), 0.89);
}

TEST(Coverage, WildClusterBootstrapWithFewClusters) {
  int covered = 0;
  constexpr int kTrials = 300;
  for (int t = 0; t < kTrials; ++t) {
    CounterRandom random(static_cast<uint64_t>(t), 5);
    std::vector<double> values;
    std::vector<int64_t> clusters;
    for (int64_t c = 0; c < 12; ++c) {
      const double shared = random.NextUnit() - 0.5;
      for (int i = 0; i < 5; ++i)
        values.push_back(shared + random.NextUnit() - 0.5), clusters.push_back(c);
    }
    const Interval i = WildClusterInterval(values, clusters, static_cast<uint64_t>(t), 399);
    covered += i.low <= 0 && 0 <= i.high;
  }
  EXPECT_GT(covered / static_cast<double>(kTrials), 0.90);
}

}  // namespace
}  // namespace lem
