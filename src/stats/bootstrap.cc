// SPDX-License-Identifier: EUPL-1.2
#include "stats/bootstrap.h"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/check.h"
#include "base/random.h"

namespace lem {
namespace {

double NormalCdf(double z) { return boost::math::cdf(boost::math::normal(), z); }

// Jackknife acceleration.
double Acceleration(size_t n, const std::function<double(std::span<const size_t>)>& statistic) {
  std::vector<double> left_out(n);
  std::vector<size_t> indices(n - 1);
  for (size_t skip = 0; skip < n; ++skip) {
    for (size_t i = 0, j = 0; i < n; ++i) {
      if (i != skip) indices[j++] = i;
    }
    left_out[skip] = statistic(indices);
  }
  const double mean =
      std::accumulate(left_out.begin(), left_out.end(), 0.0) / static_cast<double>(n);
  double squares = 0, cubes = 0;
  for (const double v : left_out) {
    squares += (mean - v) * (mean - v);
    cubes += (mean - v) * (mean - v) * (mean - v);
  }
  return squares > 0 ? cubes / (6 * std::pow(squares, 1.5)) : 0;
}

}  // namespace

Interval BcaInterval(size_t n, const std::function<double(std::span<const size_t>)>& statistic,
                     uint64_t seed, int draws, double level) {
  LEM_CHECK(n >= 2 && draws > 0);
  std::vector<size_t> indices(n);
  std::iota(indices.begin(), indices.end(), size_t{0});
  const double estimate = statistic(indices);
  CounterRandom random(seed, 0x62636100);
  std::vector<double> values(static_cast<size_t>(draws));
  for (double& value : values) {
    for (size_t& index : indices) index = random.NextBelow(n);
    value = statistic(indices);
  }
  std::ranges::sort(values);
  if (values.front() == values.back()) return {values.front(), values.back()};
  // Half of the ties count as below, so that a discrete statistic is not biased by its own lattice.
  const auto below = std::ranges::lower_bound(values, estimate) - values.begin();
  const auto at_most = std::ranges::upper_bound(values, estimate) - values.begin();
  const double share =
      std::clamp(static_cast<double>(below + at_most) / 2 / draws, 0.5 / draws, 1 - 0.5 / draws);
  const double bias = NormalQuantile(share), acceleration = Acceleration(n, statistic);
  const auto end = [&](double p) {
    const double z = bias + NormalQuantile(p);
    const double q = NormalCdf(bias + z / (1 - acceleration * z));
    const auto at = static_cast<int64_t>(q * draws);
    return values[static_cast<size_t>(std::clamp<int64_t>(at, 0, draws - 1))];
  };
  return {end((1 - level) / 2), end((1 + level) / 2)};
}

Interval BcaMeanInterval(std::span<const double> values, uint64_t seed, int draws, double level) {
  return BcaInterval(
      values.size(),
      [&](std::span<const size_t> indices) {
        double sum = 0;
        for (const size_t i : indices) sum += values[i];
        return sum / static_cast<double>(indices.size());
      },
      seed, draws, level);
}

}  // namespace lem
