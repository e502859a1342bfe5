// SPDX-License-Identifier: EUPL-1.2
#include "model/rope.h"

#include <algorithm>
#include <cmath>

#include "base/threads.h"

namespace lem {

bool RopeTables::SameRule(const LayerConfig& other) const {
  return rule_.rope_theta == other.rope_theta &&
         rule_.rope_position_divisor == other.rope_position_divisor &&
         rule_.rope_divisors == other.rope_divisors && rule_.rope_magnitude == other.rope_magnitude;
}

// Angles in double: at position 100,000 a float32 product would be off by 6e-3 radians.
void RopeTables::Cover(int64_t count) {
  const auto have = static_cast<int64_t>(table_.cos.rows);
  if (count <= have) return;
  const int64_t rows = std::max<int64_t>({count, 2 * have, 256});
  const size_t half = static_cast<size_t>(head_dim_ / 2);
  cos_.resize(static_cast<size_t>(rows) * half);
  sin_.resize(static_cast<size_t>(rows) * half);
  std::vector<double> frequency(half);
  for (size_t j = 0; j < half; ++j) {
    frequency[j] = std::pow(double{rule_.rope_theta}, -2.0 * static_cast<double>(j) / head_dim_) /
                   rule_.rope_position_divisor;
    if (!rule_.rope_divisors.empty()) frequency[j] /= rule_.rope_divisors[j];
  }
  ParallelFor(rows - have, 64, [&](int64_t begin, int64_t end) {
    for (int64_t p = have + begin; p < have + end; ++p) {
      for (size_t j = 0; j < half; ++j) {
        const double angle = static_cast<double>(p) * frequency[j];
        const size_t at = static_cast<size_t>(p) * half + j;
        cos_[at] = static_cast<float>(std::cos(angle) * rule_.rope_magnitude);
        sin_[at] = static_cast<float>(std::sin(angle) * rule_.rope_magnitude);
      }
    }
  });
  table_ = {.cos = ConstMat(cos_.data(), static_cast<size_t>(rows), half),
            .sin = ConstMat(sin_.data(), static_cast<size_t>(rows), half)};
}

}  // namespace lem
