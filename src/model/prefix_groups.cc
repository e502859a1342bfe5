// SPDX-License-Identifier: EUPL-1.2
#include "model/prefix_groups.h"

#include <algorithm>
#include <map>

namespace lem {

std::vector<PrefixGroup> GroupByPrefix(std::span<const std::span<const int32_t>> sequences) {
  std::map<std::vector<int32_t>, size_t> by_beginning;
  std::vector<PrefixGroup> groups;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const auto& ids = sequences[i];
    if (ids.size() <= kLeastSharedTokens) {
      groups.push_back({.members = {i}});
      continue;
    }
    std::vector<int32_t> beginning(ids.begin(), ids.begin() + kLeastSharedTokens);
    const auto [at, fresh] = by_beginning.try_emplace(std::move(beginning), groups.size());
    if (fresh) {
      groups.push_back({.members = {i}, .length = ids.size() - 1});
      continue;
    }
    PrefixGroup& group = groups[at->second];
    const auto& first = sequences[group.members[0]];
    const size_t most = std::min(group.length, ids.size() - 1);
    group.length = static_cast<size_t>(
        std::mismatch(first.begin(), first.begin() + static_cast<int64_t>(most), ids.begin())
            .first -
        first.begin());
    group.members.push_back(i);
  }
  for (PrefixGroup& group : groups) {
    if (group.members.size() < 2) group.length = 0;
  }
  return groups;
}

}  // namespace lem
