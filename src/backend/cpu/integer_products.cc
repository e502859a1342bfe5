// SPDX-License-Identifier: EUPL-1.2
// Products whose rows are rounded to 8-bit integers, in groups of 32 with a scale each.
#include <algorithm>

#include "backend/cpu/panel_list.h"
#include "backend/cpu/products.h"
#include "backend/cpu/scratch.h"
#include "base/threads.h"

namespace lem::cpu {
namespace {

// Up to so many rows read codes where they lie; more of them expand each panel once.
constexpr int64_t kDirectRows = 24;

// Rows rounded and packed in blocks of kBlockRows.
class IntegerRowsOf {
 public:
  IntegerRowsOf(const IntegerProducts& integers, ConstOperand x, int64_t group)
      : m_(x.rows), k_(x.cols), group_(group), sum_group_(std::min<int64_t>(32, group)) {
    thread_local AlignedFloats scratch;
    numbers_ = scratch.Reserve(m_ * PerRow() + 16);
    ParallelFor(blocks(), std::max<int64_t>(1, 4096 / std::max<int64_t>(1, k_)),
                [&](int64_t begin, int64_t end) {
                  for (int64_t b = begin; b < end; ++b) {
                    const void* source = static_cast<const char*>(x.data) +
                                         b * kBlockRows * x.stride * (x.bf16 ? 2 : 4);
                    integers.pack({source, x.bf16, static_cast<int64_t>(x.stride), width(b), k_,
                                   sum_group_, quads(b), scales(b), sums(b), raises(b)});
                  }
                });
  }
  int64_t blocks() const { return (m_ + kBlockRows - 1) / kBlockRows; }

  // Tile of the rows of block b and the outputs of one panel.
  IntegerTile Tile(int64_t b, const WeightProduct& p, int64_t panel) const {
    const auto stride = static_cast<int64_t>(p.y.stride);
    return {quads(b),
            scales(b),
            sums(b),
            raises(b),
            width(b),
            k_,
            group_,
            std::min(kPanel, p.weight->rows() - panel * kPanel),
            p.y.data + b * kBlockRows * stride + panel * kPanel,
            stride};
  }

 private:
  int64_t PerRow() const { return k_ / 4 + k_ / 32 + 2 * (k_ / sum_group_); }
  int64_t width(int64_t b) const { return std::min(kBlockRows, m_ - b * kBlockRows); }
  float* block(int64_t b) const { return numbers_ + b * kBlockRows * PerRow(); }
  int32_t* quads(int64_t b) const { return reinterpret_cast<int32_t*>(block(b)); }
  float* scales(int64_t b) const { return block(b) + width(b) * (k_ / 4); }
  float* sums(int64_t b) const { return scales(b) + width(b) * (k_ / 32); }

  int32_t* raises(int64_t b) const {
    return reinterpret_cast<int32_t*>(sums(b) + width(b) * (k_ / sum_group_));
  }

  int64_t m_, k_, group_, sum_group_;
  float* numbers_;
};

void MultiplyFew(const IntegerRowsOf& x, const WeightProduct& p, int64_t panel) {
  IntegerCodesCall call{};
  p.weight->SetIntegerCodes(panel, &call);
  for (int64_t b = 0; b < x.blocks(); ++b) {
    call.tile = x.Tile(b, p, panel);
    p.weight->integers()->multiply_codes(call);
  }
}

void MultiplyPanel(const IntegerRowsOf& x, const WeightProduct& p, int64_t panel, int64_t begin,
                   int64_t end) {
  thread_local AlignedFloats scratch;
  IntegerCall call{};
  p.weight->SetIntegers(panel, scratch, &call);
  for (int64_t b = begin; b < end; ++b) {
    call.tile = x.Tile(b, p, panel);
    p.weight->integers()->multiply(call);
    call.codes = call.scales = {};
  }
}

}  // namespace

void MultiplyIntegerWeights(ConstOperand x, std::span<const WeightProduct> products) {
  const CpuWeight& w = *products[0].weight;
  const IntegerRowsOf rows(*w.integers(), x, w.group());
  const PanelList panels(products);
  if (w.integers()->multiply_codes && static_cast<int64_t>(x.rows) <= kDirectRows) {
    ParallelFor(panels.size(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        MultiplyFew(rows, panels.At(i).product, panels.At(i).panel);
    });
    return;
  }
  ForTiles(panels.size(), rows.blocks(), [&](int64_t i, int64_t begin, int64_t end) {
    MultiplyPanel(rows, panels.At(i).product, panels.At(i).panel, begin, end);
  });
}

}  // namespace lem::cpu
