// SPDX-License-Identifier: EUPL-1.2
// How products of several weights are cut into tasks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>

#include "backend/cpu/kernels.h"
#include "backend/cpu/products.h"
#include "base/check.h"
#include "base/threads.h"

namespace lem::cpu {

// work(panel, first block, last block) over all panels; wide machines split the rows as well.
inline void ForTiles(int64_t panels, int64_t blocks,
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

// Numbers the panels of several weights one after the other.
class PanelList {
 public:
  explicit PanelList(std::span<const WeightProduct> products) : products_(products) {
    for (const WeightProduct& p : products) size_ += Count(p);
  }
  int64_t size() const { return size_; }
  struct Place {
    const WeightProduct& product;
    int64_t panel;
  };
  Place At(int64_t number) const {
    for (const WeightProduct& p : products_) {
      if (number < Count(p)) return {p, number};
      number -= Count(p);
    }
    LEM_CHECK(false);
  }

 private:
  int64_t Count(const WeightProduct& p) const { return (p.weight->rows() + kPanel - 1) / kPanel; }

  std::span<const WeightProduct> products_;
  int64_t size_ = 0;
};

}  // namespace lem::cpu
