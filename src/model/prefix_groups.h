// SPDX-License-Identifier: EUPL-1.2
// Which sequences begin alike, so that what they share is computed once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lem {

inline constexpr size_t kLeastSharedTokens = 32;  // below it, sharing costs more than it saves

struct PrefixGroup {
  std::vector<size_t> members;  // ascending indices into the sequences
  size_t length = 0;            // of what all members begin with; 0: nothing worth sharing
};

// Every sequence is in exactly one group; groups are in the order of their first members. A shared
// prefix leaves every member at least one token of its own.
std::vector<PrefixGroup> GroupByPrefix(std::span<const std::span<const int32_t>> sequences);

}  // namespace lem
