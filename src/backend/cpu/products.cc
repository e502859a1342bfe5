// SPDX-License-Identifier: EUPL-1.2
#include "backend/cpu/products.h"

#include <algorithm>

#include "backend/cpu/panel_list.h"
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

// Tile of the rows of block b and the outputs of one panel.
TileCall TileOf(const PackedRows& a, int64_t b, const WeightProduct& p, int64_t panel,
                const float* units) {
  const auto stride = static_cast<int64_t>(p.y.stride);
  return {a.units(b),
          a.width(b),
          units,
          kPanel,
          a.steps(),
          a.width(b),
          std::min(kPanel, p.weight->rows() - panel * kPanel),
          p.y.data + b * kBlockRows * stride + panel * kPanel,
          stride,
          1.0f,
          false};
}

// One block of few rows, straight from a panel's codes.
void MultiplyFew(const PackedRows& a, const WeightProduct& p, int64_t panel) {
  CodesCall call{};
  call.group_steps = p.weight->group_steps();
  call.sums = a.sums(0);
  p.weight->SetCodes(panel, &call);
  call.tile = TileOf(a, 0, p, panel, nullptr);
  p.weight->products().multiply_codes(call);
}

void MultiplyPanel(const PackedRows& a, const WeightProduct& p, int64_t panel, int64_t begin,
                   int64_t end) {
  thread_local AlignedFloats scratch;
  const Products& products = p.weight->products();
  const int64_t group_steps = p.weight->group_steps();
  const CpuWeight::Panel w = p.weight->Forward(panel, scratch);
  for (int64_t b = begin; b < end; ++b) {
    const TileCall tile = TileOf(a, b, p, panel, w.units);
    if (group_steps == 0) {
      products.multiply(tile);
      continue;
    }
    const bool first = b == begin;
    products.multiply_grouped({tile, group_steps, w.d, w.m, a.sums(b), first ? w.codes : Ahead{},
                               first ? w.scales : Ahead{}});
  }
}

// Weights whose groups are alike, so that the sums of x's groups serve all.
void MultiplyPacked(ConstOperand x, std::span<const WeightProduct> products) {
  const CpuWeight& w = *products[0].weight;
  const PackedRows a(w.products(), x, false, x.rows, x.cols, w.group_steps());
  const PanelList panels(products);
  if (w.group_steps() > 0 && x.rows <= kFewRows && w.products().multiply_codes) {
    ParallelFor(panels.size(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        MultiplyFew(a, panels.At(i).product, panels.At(i).panel);
    });
    return;
  }
  ForTiles(panels.size(), a.blocks(), [&](int64_t i, int64_t begin, int64_t end) {
    MultiplyPanel(a, panels.At(i).product, panels.At(i).panel, begin, end);
  });
}

bool Alike(const CpuWeight& a, const CpuWeight& b) {
  return a.integers() == b.integers() && a.group() == b.group() &&
         a.group_steps() == b.group_steps();
}

}  // namespace

void MultiplyWeights(ConstOperand x, std::span<const WeightProduct> products) {
  for (const WeightProduct& p : products) {
    LEM_CHECK(static_cast<int64_t>(x.cols) == p.weight->cols() && x.rows == p.y.rows);
    LEM_CHECK(static_cast<int64_t>(p.y.cols) == p.weight->rows());
  }
  if (x.rows == 0) return;
  for (size_t begin = 0, end; begin < products.size(); begin = end) {
    for (end = begin + 1; end < products.size(); ++end)
      if (!Alike(*products[end].weight, *products[begin].weight)) break;
    const auto alike = products.subspan(begin, end - begin);
    if (alike[0].weight->integers()) {
      MultiplyIntegerWeights(x, alike);
    } else {
      MultiplyPacked(x, alike);
    }
  }
}

void CheckGradient(ConstOperand dy, const CpuWeight& w, Mat dx) {
  LEM_CHECK(static_cast<int64_t>(dy.cols) == w.rows() && static_cast<int64_t>(dx.cols) == w.cols());
  LEM_CHECK(dy.rows == dx.rows);
}

// Adds one block of rows, `steps` of dy's columns, to one panel of dx.
TileCall GradientTile(const float* rows, int64_t b, const float* units, int64_t steps,
                      int64_t panel, const CpuWeight& w, Mat dx) {
  const auto stride = static_cast<int64_t>(dx.stride);
  const int64_t first = b * kBlockRows;
  const int64_t width = std::min(kBlockRows, static_cast<int64_t>(dx.rows) - first);
  const int64_t cols = std::min(kPanel, w.cols() - panel * kPanel);
  float* y = dx.data + first * stride + panel * kPanel;
  return {rows, width, units, kPanel, steps, width, cols, y, stride, 1.0f, true};
}

void AddMultiplyWeightInputGrad(ConstOperand dy, const CpuWeight& w, Mat dx) {
  CheckGradient(dy, w, dx);
  if (dy.rows == 0) return;
  const PackedRows a(w.products(), dy, false, dy.rows, dy.cols, 0);
  for (int64_t k = 0; k < w.rows(); k += kGradientRows) {
    const int64_t end = std::min(w.rows(), k + kGradientRows), step = w.products().step;
    const auto multiply = [&](int64_t p, int64_t first, int64_t last) {
      thread_local AlignedFloats scratch;
      const float* units = w.Backward(p, k, end, scratch);
      for (int64_t b = first; b < last; ++b)
        w.products().multiply(GradientTile(a.units(b) + k / step * a.width(b), b, units,
                                           (end - k + step - 1) / step, p, w, dx));
    };
    ForTiles((w.cols() + kPanel - 1) / kPanel, a.blocks(), multiply);
  }
}

namespace {

// The same sums with a and b exchanged: the few columns of c become rows, of which a tile holds up
// to twelve, where as columns they would leave half of its lanes idle.
void AddFewColumns(const Products& products, float s, PlainOperand a, PlainOperand b, Mat c) {
  thread_local AlignedFloats scratch;
  const Mat turned(scratch.Reserve(static_cast<int64_t>(c.rows * c.cols)), c.cols, c.rows);
  std::fill_n(turned.data, c.rows * c.cols, 0.0f);
  AddProduct(products, s, {b.matrix, !b.transposed}, {a.matrix, !a.transposed}, turned);
  for (size_t i = 0; i < c.rows; ++i)
    for (size_t j = 0; j < c.cols; ++j) c.Row(i)[j] += turned.Row(j)[i];
}

}  // namespace

void AddProduct(const Products& products, float s, PlainOperand a, PlainOperand b, Mat c) {
  const int64_t m = c.rows, n = c.cols;
  const int64_t k = a.transposed ? a.matrix.rows : a.matrix.cols;
  LEM_CHECK(static_cast<int64_t>(a.transposed ? a.matrix.cols : a.matrix.rows) == m);
  LEM_CHECK(static_cast<int64_t>(b.transposed ? b.matrix.rows : b.matrix.cols) == n);
  LEM_CHECK(static_cast<int64_t>(b.transposed ? b.matrix.cols : b.matrix.rows) == k);
  if (m == 0 || n == 0 || k == 0) return;
  if (n <= kBlockRows && m > kPanel) return AddFewColumns(products, s, a, b, c);
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
