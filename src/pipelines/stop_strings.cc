// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/stop_strings.h"

#include <algorithm>
#include <utility>

namespace lem {

size_t StopStrings::HeldBack() const {
  size_t longest = 0;
  for (const std::string& stop : stops_) {
    for (size_t n = std::min(stop.size(), held_.size()); n > longest; --n) {
      if (held_.ends_with(std::string_view(stop).substr(0, n))) longest = n;
    }
  }
  return longest;
}

std::string StopStrings::Push(std::string_view piece) {
  if (hit_) return "";
  held_ += piece;
  size_t first = std::string::npos;
  for (const std::string& stop : stops_) {
    if (!stop.empty()) first = std::min(first, held_.find(stop));
  }
  hit_ = first != std::string::npos;
  const size_t certain = hit_ ? first : held_.size() - HeldBack();
  std::string out = held_.substr(0, certain);
  held_.erase(0, certain);
  return out;
}

std::string StopStrings::Finish() { return hit_ ? "" : std::exchange(held_, ""); }

}  // namespace lem
