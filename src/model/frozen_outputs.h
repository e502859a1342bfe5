// SPDX-License-Identifier: EUPL-1.2
// What the frozen blocks below the lowest trained one give for a sequence. It never changes while
// the blocks above learn, so a later epoch need not compute it again. Exact: a sequence is known by
// all of its ids, and its rows do not depend on its neighbours in a batch (docs/numerics.md).
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "tensor/view.h"

namespace lem {

class FrozenOutputs {
 public:
  FrozenOutputs() = default;  // keeps nothing
  FrozenOutputs(size_t dim, uint64_t max_bytes) : dim_(dim), room_(max_bytes) {}

  // (ids.size(), dim), as long as this lives; without rows when the sequence is not kept.
  ConstMat Find(std::span<const int32_t> ids) const;
  // Keeps a copy of x, (ids.size(), dim) and contiguous, if there is room.
  void Keep(std::span<const int32_t> ids, ConstMat x);

  uint64_t bytes() const { return bytes_; }  // of the rows that are kept

 private:
  using Ids = std::span<const int32_t>;
  struct Less {
    using is_transparent = void;
    bool operator()(Ids a, Ids b) const {
      return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
    }
  };
  size_t dim_ = 0;
  uint64_t room_ = 0, bytes_ = 0;
  std::map<std::vector<int32_t>, std::unique_ptr<float[]>, Less> kept_;
};

}  // namespace lem
