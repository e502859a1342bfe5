// SPDX-License-Identifier: EUPL-1.2
#include "ops/rows.h"

#include <algorithm>

#include "base/check.h"
#include "base/threads.h"

namespace lem {

void GatherRows(ConstMat x, std::span<const int32_t> rows, Mat y) {
  LEM_CHECK(y.rows == rows.size() && y.cols == x.cols);
  ParallelFor(static_cast<int64_t>(rows.size()), 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto from = x.Row(static_cast<size_t>(rows[static_cast<size_t>(i)]));
      std::copy(from.begin(), from.end(), y.Row(static_cast<size_t>(i)).begin());
    }
  });
}

void AddScatteredRows(ConstMat y, std::span<const int32_t> rows, Mat x) {
  LEM_CHECK(y.rows == rows.size() && y.cols == x.cols);
  ParallelFor(static_cast<int64_t>(rows.size()), 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto from = y.Row(static_cast<size_t>(i));
      const auto to = x.Row(static_cast<size_t>(rows[static_cast<size_t>(i)]));
      for (size_t c = 0; c < to.size(); ++c) to[c] += from[c];
    }
  });
}

}  // namespace lem
