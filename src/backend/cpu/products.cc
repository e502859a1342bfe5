// SPDX-License-Identifier: EUPL-1.2
#include "backend/cpu/products.h"

#include <algorithm>
#include <functional>

#include "base/check.h"
#include "base/threads.h"

namespace lem::cpu {
namespace {

// Rows packed in blocks of kBlockRows, and for grouped weights the sums of each group.
class PackedRows {
 public:
  // group_steps 0: no sums.
  PackedRows(const Products& products, ConstOperand a, bool transposed, int64_t m, int64_t k,
             int64_t group_steps)
      : m_(m),
        steps_((k + products.step - 1) / products.step),
        groups_(group_steps > 0 ? steps_ / group_steps : 0) {
    thread_local AlignedFloats scratch;
    units_ = scratch.Reserve(m * (steps_ + groups_) + 16);
    sums_ = units_ + m * steps_;
    ParallelFor(blocks(), std::max<int64_t>(1, 4096 / std::max<int64_t>(1, k)),
                [&](int64_t begin, int64_t end) {
                  for (int64_t b = begin; b < end; ++b) {
                    const int64_t first = b * kBlockRows;
                    const size_t offset = transposed ? first : first * a.stride;
                    const void* source =
                        static_cast<const char*>(a.data) + offset * (a.bf16 ? 2 : 4);
                    products.pack({source, a.bf16, transposed, static_cast<int64_t>(a.stride),
                                   width(b), width(b), k, units_ + first * steps_});
                    if (groups_ > 0)
                      products.group_sums(units_ + first * steps_, width(b), steps_, group_steps,
                                          sums_ + first * groups_);
                  }
                });
  }
  int64_t blocks() const { return (m_ + kBlockRows - 1) / kBlockRows; }
  int64_t width(int64_t b) const { return std::min(kBlockRows, m_ - b * kBlockRows); }
  int64_t steps() const { return steps_; }
  const float* units(int64_t b) const { return units_ + b * kBlockRows * steps_; }
  const float* sums(int64_t b) const { return sums_ + b * kBlockRows * groups_; }

 private:
  int64_t m_, steps_, groups_;
  float *units_, *sums_;
};

// work(panel, first block, last block) over all panels; wide machines split the rows as well.
void ForTiles(int64_t panels, int64_t blocks,
              const std::function<void(int64_t, int64_t, int64_t)>& work) {
  const int64_t threads = Threads();
  const int64_t parts = std::clamp<int64_t>((2 * threads + panels - 1) / panels, 1,
                                            panels >= 2 * threads ? 1 : blocks);
  ParallelFor(panels * parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end;) {
      const int64_t panel = task / parts, first = task % parts;
      const int64_t last = std::min(parts, first + end - task);
      work(panel, blocks * first / parts, blocks * last / parts);
      task += last - first;
    }
  });
}

// y = a w^T for one block of few rows, two panels at a time.
bool MultiplyFew(const PackedRows& a, int64_t group_steps, const CpuWeight& w, Mat y) {
  if (!w.products().multiply_codes) return false;
  const int64_t panels = (w.rows() + kPanel - 1) / kPanel;
  ParallelFor((panels + 1) / 2, 1, [&](int64_t begin, int64_t end) {
    CodesCall call{};
    call.group_steps = group_steps;
    call.sums = a.sums(0);
    for (int64_t p = 2 * begin; p < 2 * end; p += 2) {
      const int64_t count = std::min<int64_t>(2, panels - p);
      w.SetCodes(p, count, &call);
      call.tile = {a.units(0),
                   a.width(0),
                   nullptr,
                   kPanel,
                   a.steps(),
                   a.width(0),
                   std::min(count * kPanel, w.rows() - p * kPanel),
                   y.data + p * kPanel,
                   static_cast<int64_t>(y.stride),
                   1.0f,
                   false};
      w.products().multiply_codes(call);
    }
  });
  return true;
}

}  // namespace

void MultiplyWeight(ConstOperand x, const CpuWeight& w, Mat y) {
  LEM_CHECK(static_cast<int64_t>(x.cols) == w.cols() && static_cast<int64_t>(y.cols) == w.rows());
  LEM_CHECK(x.rows == y.rows);
  if (x.rows == 0) return;
  const Products& products = w.products();
  const int64_t group_steps = w.group_steps();
  const PackedRows a(products, x, false, x.rows, x.cols, group_steps);
  if (group_steps > 0 && x.rows <= kFewRows && MultiplyFew(a, group_steps, w, y)) return;
  const auto multiply = [&](int64_t p, int64_t begin, int64_t end) {
    thread_local AlignedFloats scratch;
    const auto tile_at = [&](int64_t b, const float* units) {
      return TileCall{a.units(b),
                      a.width(b),
                      units,
                      kPanel,
                      a.steps(),
                      a.width(b),
                      std::min(kPanel, w.rows() - p * kPanel),
                      y.data + b * kBlockRows * y.stride + p * kPanel,
                      static_cast<int64_t>(y.stride),
                      1.0f,
                      false};
    };
    const CpuWeight::Panel panel = w.Forward(p, scratch);
    for (int64_t b = begin; b < end; ++b) {
      const TileCall tile = tile_at(b, panel.units);
      if (group_steps > 0) {
        const bool first = b == begin;
        products.multiply_grouped({tile, group_steps, panel.d, panel.m, a.sums(b),
                                   first ? panel.codes : Ahead{}, first ? panel.scales : Ahead{}});
      } else {
        products.multiply(tile);
      }
    }
  };
  ForTiles((w.rows() + kPanel - 1) / kPanel, a.blocks(), multiply);
}

void AddMultiplyWeightInputGrad(ConstOperand dy, const CpuWeight& w, Mat dx) {
  LEM_CHECK(static_cast<int64_t>(dy.cols) == w.rows() && static_cast<int64_t>(dx.cols) == w.cols());
  LEM_CHECK(dy.rows == dx.rows);
  if (dy.rows == 0) return;
  const PackedRows a(w.products(), dy, false, dy.rows, dy.cols, 0);
  // A vocabulary's rows come in parts whose panel (128 KiB) and gradients stay in the second cache.
  constexpr int64_t kRows = 2048;
  for (int64_t k = 0; k < w.rows(); k += kRows) {
    const int64_t end = std::min(w.rows(), k + kRows), step = w.products().step;
    const auto multiply = [&](int64_t p, int64_t first, int64_t last) {
      thread_local AlignedFloats scratch;
      const float* units = w.Backward(p, k, end, scratch);
      for (int64_t b = first; b < last; ++b)
        w.products().multiply({a.units(b) + k / step * a.width(b), a.width(b), units, kPanel,
                               (end - k + step - 1) / step, a.width(b),
                               std::min(kPanel, w.cols() - p * kPanel),
                               dx.data + b * kBlockRows * dx.stride + p * kPanel,
                               static_cast<int64_t>(dx.stride), 1.0f, true});
    };
    ForTiles((w.cols() + kPanel - 1) / kPanel, a.blocks(), multiply);
  }
}

void AddProduct(const Products& products, float s, PlainOperand a, PlainOperand b, Mat c) {
  const int64_t m = c.rows, n = c.cols;
  const int64_t k = a.transposed ? a.matrix.rows : a.matrix.cols;
  LEM_CHECK(static_cast<int64_t>(a.transposed ? a.matrix.cols : a.matrix.rows) == m);
  LEM_CHECK(static_cast<int64_t>(b.transposed ? b.matrix.rows : b.matrix.cols) == n);
  LEM_CHECK(static_cast<int64_t>(b.transposed ? b.matrix.cols : b.matrix.rows) == k);
  if (m == 0 || n == 0 || k == 0) return;
  const PackedRows rows(products, a.matrix, a.transposed, m, k, 0);
  ForTiles((n + kPanel - 1) / kPanel, rows.blocks(), [&](int64_t p, int64_t begin, int64_t end) {
    thread_local AlignedFloats scratch;
    float* units = scratch.Reserve(rows.steps() * kPanel + 16);
    const int64_t first = p * kPanel, count = std::min(kPanel, n - first);
    const size_t offset = b.transposed ? first * b.matrix.stride : first;
    products.pack({static_cast<const char*>(b.matrix.data) + offset * (b.matrix.bf16 ? 2 : 4),
                   b.matrix.bf16, !b.transposed, static_cast<int64_t>(b.matrix.stride), count,
                   kPanel, k, units});
    for (int64_t i = begin; i < end; ++i)
      products.multiply({rows.units(i), rows.width(i), units, kPanel, rows.steps(), rows.width(i),
                         count, c.data + i * kBlockRows * c.stride + first,
                         static_cast<int64_t>(c.stride), s, true});
  });
}

}  // namespace lem::cpu
