// SPDX-License-Identifier: EUPL-1.2
#include "stats/power.h"

#include <cmath>

#include "base/check.h"
#include "stats/intervals.h"

namespace lem {
namespace {

double Factor(const PowerOptions& options) {
  return NormalQuantile(1 - options.level / 2) + NormalQuantile(options.power);
}

}  // namespace

double DetectablePairedProportion(int64_t n, double discordant, const PowerOptions& options) {
  LEM_CHECK(n > 0 && discordant >= 0 && discordant <= 1);
  return Factor(options) * std::sqrt(discordant / static_cast<double>(n));
}

double DetectableProportion(int64_t n, double p, const PowerOptions& options) {
  LEM_CHECK(n > 0 && p >= 0 && p <= 1);
  return Factor(options) * std::sqrt(2 * p * (1 - p) / static_cast<double>(n));
}

double DetectablePairedMean(int64_t n, double standard_deviation, const PowerOptions& options) {
  LEM_CHECK(n > 0 && standard_deviation >= 0);
  return Factor(options) * standard_deviation / std::sqrt(static_cast<double>(n));
}

}  // namespace lem
