// SPDX-License-Identifier: EUPL-1.2
#include "ops/dropout.h"

#include <array>

#include "base/check.h"
#include "base/random.h"
#include "base/threads.h"
#include "tensor/dtype.h"

namespace lem {
namespace {

// Calls visit(t, c, factor) for every element, where factor is 0 or 1 / (1 - p). The word that
// decides depends on the element's place alone, so threads do not matter.
template <class Visit>
void ForEachFactor(const DropoutKey& key, float p, size_t rows, size_t cols, const Visit& visit) {
  LEM_CHECK(p > 0 && p < 1);
  const float keep = 1 / (1 - p);
  const auto threshold = static_cast<uint32_t>(4294967296.0 * p);
  const std::array<uint32_t, 2> module_key =
      Threefry2x32({static_cast<uint32_t>(key.seed >> 32), static_cast<uint32_t>(key.seed)},
                   {static_cast<uint32_t>(key.step), key.module});
  ParallelFor(static_cast<int64_t>(rows), 4, [&](int64_t begin, int64_t end) {
    for (auto t = static_cast<size_t>(begin); t < static_cast<size_t>(end); ++t) {
      for (size_t c = 0; c < cols; c += 2) {
        const auto words =
            Threefry2x32(module_key, {static_cast<uint32_t>(t), static_cast<uint32_t>(c / 2)});
        visit(t, c, words[0] < threshold ? 0.0f : keep);
        if (c + 1 < cols) visit(t, c + 1, words[1] < threshold ? 0.0f : keep);
      }
    }
  });
}

}  // namespace

void Dropout(const DropoutKey& key, float p, ConstOperand x, Operand y) {
  LEM_CHECK(x.rows == y.rows && x.cols == y.cols && x.bf16 == y.bf16);
  if (x.bf16) {
    const auto from = x.AsBFloat16();
    const auto to = y.AsBFloat16();
    ForEachFactor(key, p, x.rows, x.cols, [&](size_t t, size_t c, float factor) {
      to.Row(t)[c].bits = FloatToBFloat16(BFloat16ToFloat(from.Row(t)[c].bits) * factor);
    });
  } else {
    const ConstMat from = x.AsFloat();
    const Mat to = y.AsFloat();
    ForEachFactor(key, p, x.rows, x.cols, [&](size_t t, size_t c, float factor) {
      to.Row(t)[c] = from.Row(t)[c] * factor;
    });
  }
}

void AddDropout(const DropoutKey& key, float p, ConstMat x, Mat y) {
  LEM_CHECK(x.rows == y.rows && x.cols == y.cols);
  ForEachFactor(key, p, x.rows, x.cols,
                [&](size_t t, size_t c, float factor) { y.Row(t)[c] += x.Row(t)[c] * factor; });
}

}  // namespace lem
