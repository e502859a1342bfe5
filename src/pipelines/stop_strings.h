// SPDX-License-Identifier: EUPL-1.2
// Streams text while holding back what might be the beginning of a stop string.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lem {

class StopStrings {
 public:
  explicit StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  // Text that is certain not to be part of a stop string. After a hit, nothing more comes and hit()
  // is true.
  std::string Push(std::string_view piece);
  std::string Finish();  // what was held back, unless there was a hit
  bool hit() const { return hit_; }

 private:
  size_t HeldBack() const;  // length of the longest suffix of held_ that begins a stop string
  std::vector<std::string> stops_;
  std::string held_;
  bool hit_ = false;
};

}  // namespace lem
