// SPDX-License-Identifier: EUPL-1.2
// Many tests at once.
#pragma once

#include <span>
#include <vector>

namespace lem {

// Adjusted p-values, in the order given: compare them with the level directly.
std::vector<double> HolmAdjust(std::span<const double> p);  // Holm (1979), family-wise
std::vector<double> BenjaminiHochbergAdjust(
    std::span<const double> p);  // Benjamini and Hochberg (1995), false discoveries

}  // namespace lem
