// SPDX-License-Identifier: EUPL-1.2
// Resampling with a fixed seed.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "stats/intervals.h"

namespace lem {

// Bias-corrected and accelerated bootstrap (Efron 1987) of a statistic of resampled items.
// statistic(indices) is called with n indices into the caller's items. The interval is a single
// point when the statistic does not vary.
Interval BcaInterval(size_t n,
                     const std::function<double(std::span<const size_t> indices)>& statistic,
                     uint64_t seed, int draws = 10000, double level = 0.95);
// Of the mean.
Interval BcaMeanInterval(std::span<const double> values, uint64_t seed, int draws = 10000,
                         double level = 0.95);

}  // namespace lem
