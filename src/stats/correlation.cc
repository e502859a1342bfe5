// SPDX-License-Identifier: EUPL-1.2
#include "stats/correlation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "base/check.h"

namespace lem {
namespace {

std::vector<double> MeanRanks(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    const double rank = static_cast<double>(begin + end - 1) / 2;
    for (size_t i = begin; i < end; ++i) ranks[order[i]] = rank;
    begin = end;
  }
  return ranks;
}

double Pearson(const std::vector<double>& x, const std::vector<double>& y) {
  const auto n = static_cast<double>(x.size());
  const double mean_x = std::accumulate(x.begin(), x.end(), 0.0) / n;
  const double mean_y = std::accumulate(y.begin(), y.end(), 0.0) / n;
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean_x) * (y[i] - mean_y);
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
  }
  if (xx <= 0 || yy <= 0) return std::numeric_limits<double>::quiet_NaN();
  return std::clamp(xy / std::sqrt(xx * yy), -1.0, 1.0);
}

}  // namespace

Correlation SpearmanCorrelation(std::span<const double> x, std::span<const double> y,
                                double level) {
  LEM_CHECK(x.size() == y.size());
  Correlation out;
  out.n = static_cast<int64_t>(x.size());
  const double nan = std::numeric_limits<double>::quiet_NaN();
  out.rho = nan;
  out.interval = {nan, nan};
  if (x.size() < 3) return out;
  out.rho = Pearson(MeanRanks(x), MeanRanks(y));
  if (std::isnan(out.rho)) return out;
  if (x.size() < 4 || std::abs(out.rho) >= 1) {
    out.interval = std::abs(out.rho) >= 1 ? Interval{out.rho, out.rho} : Interval{-1, 1};
    return out;
  }
  const double z = std::atanh(out.rho);
  const double half =
      NormalQuantile(0.5 + level / 2) * std::sqrt(1.06 / (static_cast<double>(x.size()) - 3));
  out.interval = {std::tanh(z - half), std::tanh(z + half)};
  return out;
}

}  // namespace lem
