// SPDX-License-Identifier: EUPL-1.2
// Memory of a pass, planned before it is taken. The same code lays out a plan and the real thing: a
// planning arena hands out views without memory and counts, an owning one has what was counted.
#pragma once

#include <cstddef>

#include "base/big_memory.h"
#include "tensor/view.h"

namespace lem {

class Arena {
 public:
  Arena() = default;             // plans
  explicit Arena(size_t bytes);  // owns `bytes`, aligned for any vector load

  Mat Matrix(size_t rows, size_t cols);
  Vec Vector(size_t size);
  Operand Activations(size_t rows, size_t cols, bool bf16);

  size_t used() const { return used_; }
  size_t peak() const { return peak_; }
  size_t capacity() const { return capacity_; }  // 0 while planning
  // Gives back what was taken after used() was `mark`; 0 lays out anew over the same memory.
  void Rewind(size_t mark) { used_ = mark; }

 private:
  std::byte* Take(size_t bytes);

  BigMemory memory_;
  size_t capacity_ = 0, used_ = 0, peak_ = 0;
};

}  // namespace lem
