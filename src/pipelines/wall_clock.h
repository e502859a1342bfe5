// SPDX-License-Identifier: EUPL-1.2
// Wall time between two moments, in seconds.
#pragma once

#include <chrono>

namespace lem {

class WallClock {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  double Restart() {
    const double seconds = Seconds();
    start_ = std::chrono::steady_clock::now();
    return seconds;
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace lem
