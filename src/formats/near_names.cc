// SPDX-License-Identifier: EUPL-1.2
#include "formats/near_names.h"

#include <algorithm>
#include <utility>

namespace lem {
namespace {

// The distance costs the product of both lengths, and a hostile file may hold very many names.
constexpr size_t kLongest = 256, kMostNames = 10'000;

// Levenshtein's distance.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t change = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, diagonal + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string NearNames(std::string_view wanted, const std::vector<std::string_view>& names) {
  if (names.empty()) return "; it holds no names at all";
  std::vector<std::pair<size_t, std::string_view>> near;
  for (const std::string_view name : names) {
    if (name.size() > kLongest || wanted.size() > kLongest || near.size() >= kMostNames) continue;
    near.emplace_back(Distance(wanted, name), name);
  }
  const size_t shown = std::min<size_t>(near.size(), 3);
  std::partial_sort(near.begin(), near.begin() + static_cast<std::ptrdiff_t>(shown), near.end());
  std::string text;
  for (size_t i = 0; i < shown; ++i) text += (i ? ", " : "") + std::string(near[i].second);
  return text.empty() ? "" : "; the nearest names are " + text;
}

}  // namespace lem
