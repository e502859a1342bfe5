// SPDX-License-Identifier: EUPL-1.2
#include "stats/agreement.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/check.h"
#include "base/random.h"

namespace lem {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double Ratio(double above, double below) { return below != 0 ? above / below : kNan; }

// Weighted kappa from a confusion table of shares; weight is the disagreement of two categories.
template <class Weight>
double Kappa(const std::vector<std::vector<double>>& table, const std::vector<double>& rows,
             const std::vector<double>& cols, Weight weight) {
  double observed = 0, expected = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t j = 0; j < cols.size(); ++j) {
      observed += weight(i, j) * table[i][j];
      expected += weight(i, j) * rows[i] * cols[j];
    }
  }
  return expected > 0 ? 1 - observed / expected : kNan;
}

// delta^2(c, k) of Krippendorff (2011), given how often each category was used.
double SquaredDistance(Distance distance, const std::vector<double>& used, size_t c, size_t k) {
  if (c == k) return 0;
  if (distance == Distance::kNominal) return 1;
  if (distance == Distance::kInterval) {
    const double d = static_cast<double>(c) - static_cast<double>(k);
    return d * d;
  }
  const auto [low, high] = std::minmax(c, k);
  double sum = -(used[low] + used[high]) / 2;
  for (size_t g = low; g <= high; ++g) sum += used[g];
  return sum * sum;
}

// pairs[c][k]: how often two raters of one item gave c and k, each pair weighted as Krippendorff
// does.
double AlphaOfPairs(const std::vector<std::vector<double>>& pairs, Distance distance) {
  const size_t size = pairs.size();
  std::vector<double> used(size);
  double n = 0;
  for (size_t c = 0; c < size; ++c) {
    for (size_t k = 0; k < size; ++k) used[c] += pairs[c][k];
    n += used[c];
  }
  double observed = 0, expected = 0;
  for (size_t c = 0; c < size; ++c) {
    for (size_t k = 0; k < size; ++k) {
      const double d = SquaredDistance(distance, used, c, k);
      observed += pairs[c][k] * d;
      expected += used[c] * used[k] * d;
    }
  }
  if (observed == 0) return n > 0 ? 1 : kNan;
  return 1 - (n - 1) * observed / expected;
}

}  // namespace

double KrippendorffAlpha(const std::vector<std::vector<int>>& ratings, int categories,
                         Distance distance) {
  LEM_CHECK(!ratings.empty() && categories > 0);
  const auto size = static_cast<size_t>(categories);
  std::vector<std::vector<double>> pairs(size, std::vector<double>(size));
  for (size_t item = 0; item < ratings[0].size(); ++item) {
    std::vector<double> counts(size);
    double total = 0;
    for (const auto& rater : ratings) {
      if (rater[item] >= 0) counts[static_cast<size_t>(rater[item])] += 1, total += 1;
    }
    if (total < 2) continue;
    for (size_t c = 0; c < size; ++c) {
      for (size_t k = 0; k < size; ++k)
        pairs[c][k] += counts[c] * (counts[k] - (c == k)) / (total - 1);
    }
  }
  return AlphaOfPairs(pairs, distance);
}

Agreement MeasureAgreement(std::span<const int> first, std::span<const int> second,
                           int categories) {
  LEM_CHECK(first.size() == second.size() && categories > 1);
  const auto size = static_cast<size_t>(categories);
  std::vector<std::vector<int64_t>> counts(size, std::vector<int64_t>(size));
  for (size_t i = 0; i < first.size(); ++i) {
    const auto a = static_cast<size_t>(first[i]), b = static_cast<size_t>(second[i]);
    LEM_CHECK(a < size && b < size);
    ++counts[a][b];
  }
  return MeasureAgreement(counts);
}

Agreement MeasureAgreement(const std::vector<std::vector<int64_t>>& counts) {
  const size_t size = counts.size();
  double n = 0;
  for (const auto& row : counts) n += static_cast<double>(std::reduce(row.begin(), row.end()));
  LEM_CHECK(n > 0);
  std::vector<std::vector<double>> table(size, std::vector<double>(size)), pairs = table;
  std::vector<double> rows(size), cols(size);
  for (size_t a = 0; a < size; ++a) {
    for (size_t b = 0; b < size; ++b) {
      const auto count = static_cast<double>(counts[a][b]);
      table[a][b] = count / n;
      rows[a] += count / n;
      cols[b] += count / n;
      pairs[a][b] += count;
      pairs[b][a] += count;
    }
  }
  Agreement r;
  double scott = 0, gwet = 0;
  for (size_t c = 0; c < size; ++c) {
    const double share = (rows[c] + cols[c]) / 2;
    r.observed += table[c][c];
    scott += share * share;
    gwet += share * (1 - share) / static_cast<double>(size - 1);
  }
  const auto apart = [](size_t i, size_t j) {
    return std::abs(static_cast<double>(i) - static_cast<double>(j));
  };
  r.cohen_kappa = Kappa(table, rows, cols, [](size_t i, size_t j) { return i == j ? 0.0 : 1.0; });
  r.kappa_linear = Kappa(table, rows, cols, apart);
  r.kappa_quadratic =
      Kappa(table, rows, cols, [&](size_t i, size_t j) { return apart(i, j) * apart(i, j); });
  r.scott_pi = Ratio(r.observed - scott, 1 - scott);
  r.gwet_ac1 = Ratio(r.observed - gwet, 1 - gwet);
  r.alpha_nominal = AlphaOfPairs(pairs, Distance::kNominal);
  r.alpha_ordinal = AlphaOfPairs(pairs, Distance::kOrdinal);
  r.alpha_interval = AlphaOfPairs(pairs, Distance::kInterval);
  return r;
}

namespace {

// The middle `level` of the values; sorts them.
Interval MiddleOf(std::vector<double>& values, int draws, double level) {
  if (values.size() * 2 < static_cast<size_t>(draws)) return {kNan, kNan};
  std::ranges::sort(values);
  const auto at = [&](double share) {
    const double place = share * static_cast<double>(values.size() - 1);
    return values[static_cast<size_t>(std::lround(place))];
  };
  return {at((1 - level) / 2), at((1 + level) / 2)};
}

}  // namespace

AgreementIntervals BootstrapAgreement(std::span<const int> first, std::span<const int> second,
                                      int categories, uint64_t seed, int draws, double level) {
  LEM_CHECK(first.size() == second.size() && !first.empty() && categories > 1 && draws > 0);
  const auto size = static_cast<size_t>(categories);
  CounterRandom random(seed, 0x616772);
  std::vector<std::vector<int64_t>> counts(size, std::vector<int64_t>(size));
  std::vector<double> kappa, ac1, alpha;
  const auto keep = [](double value, std::vector<double>& values) {
    if (std::isfinite(value)) values.push_back(value);
  };
  for (int draw = 0; draw < draws; ++draw) {
    for (auto& row : counts) std::ranges::fill(row, 0);
    for (size_t i = 0; i < first.size(); ++i) {
      const uint64_t item = random.NextBelow(first.size());
      ++counts[static_cast<size_t>(first[item])][static_cast<size_t>(second[item])];
    }
    const Agreement a = MeasureAgreement(counts);
    keep(a.cohen_kappa, kappa);
    keep(a.gwet_ac1, ac1);
    keep(a.alpha_nominal, alpha);
  }
  return {MiddleOf(kappa, draws, level), MiddleOf(ac1, draws, level),
          MiddleOf(alpha, draws, level)};
}

BinaryQuality MeasureBinary(const BinaryCounts& c, double level) {
  const auto tp = static_cast<double>(c.true_positive), fp = static_cast<double>(c.false_positive);
  const auto fn = static_cast<double>(c.false_negative), tn = static_cast<double>(c.true_negative);
  BinaryQuality q;
  q.precision = Ratio(tp, tp + fp);
  q.recall = Ratio(tp, tp + fn);
  q.specificity = Ratio(tn, tn + fp);
  q.f1 = Ratio(2 * tp, 2 * tp + fp + fn);
  q.mcc = Ratio(tp * tn - fp * fn, std::sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)));
  q.recall_interval = q.specificity_interval = {kNan, kNan};
  if (tp + fn > 0)
    q.recall_interval = WilsonInterval(c.true_positive, c.true_positive + c.false_negative, level);
  if (tn + fp > 0)
    q.specificity_interval =
        WilsonInterval(c.true_negative, c.true_negative + c.false_positive, level);
  return q;
}

CorrectedRate CorrectRate(int64_t judged_positive, int64_t judged, int64_t true_positive,
                          int64_t positives, int64_t true_negative, int64_t negatives,
                          double level) {
  LEM_CHECK(judged > 0 && positives > 0 && negatives > 0);
  const double n = static_cast<double>(judged), n1 = static_cast<double>(positives),
               n0 = static_cast<double>(negatives);
  const double p = static_cast<double>(judged_positive) / n;
  const double q1 = static_cast<double>(true_positive) / n1,
               q0 = static_cast<double>(true_negative) / n0;
  const double power = q0 + q1 - 1;
  CorrectedRate r;
  if (power <= 0) return r;
  r.usable = true;
  const double theta = (p + q0 - 1) / power;
  const double variance = (p * (1 - p) / n + (1 - theta) * (1 - theta) * q0 * (1 - q0) / n0 +
                           theta * theta * q1 * (1 - q1) / n1) /
                          (power * power);
  r.rate = std::clamp(theta, 0.0, 1.0);
  r.standard_error = std::sqrt(variance);
  const double reach = NormalQuantile((1 + level) / 2) * r.standard_error;
  r.interval = {std::clamp(theta - reach, 0.0, 1.0), std::clamp(theta + reach, 0.0, 1.0)};
  return r;
}

MeanEstimate PredictionPoweredMean(std::span<const double> judged,
                                   std::span<const double> labelled_judged,
                                   std::span<const double> labels, double level) {
  LEM_CHECK(judged.size() > 1 && labels.size() > 1 && labels.size() == labelled_judged.size());
  std::vector<double> errors;
  for (size_t i = 0; i < labels.size(); ++i) errors.push_back(labels[i] - labelled_judged[i]);
  const MeanEstimate many = EstimateMean(judged, level), rectifier = EstimateMean(errors, level);
  MeanEstimate r;
  r.mean = many.mean + rectifier.mean;
  r.standard_error = std::hypot(many.standard_error, rectifier.standard_error);
  r.degrees = std::numeric_limits<double>::infinity();
  const double reach = NormalQuantile((1 + level) / 2) * r.standard_error;
  r.interval = {r.mean - reach, r.mean + reach};
  return r;
}

}  // namespace lem
