// SPDX-License-Identifier: EUPL-1.2
// What a sample can show: smallest detectable differences, two-sided.
#pragma once

#include <cstdint>

namespace lem {

struct PowerOptions {
  double level = 0.05, power = 0.80;
};

// Paired binary outcomes of n items of which a share `discordant` differs between the models:
// (z_{1-level/2} + z_power) sqrt(discordant / n), in the unit of the proportion.
double DetectablePairedProportion(int64_t n, double discordant, const PowerOptions& options = {});
// Two separate samples of n each around proportion p.
double DetectableProportion(int64_t n, double p, const PowerOptions& options = {});
// Paired scores whose differences have this standard deviation.
double DetectablePairedMean(int64_t n, double standard_deviation, const PowerOptions& options = {});

}  // namespace lem
