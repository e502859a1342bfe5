// SPDX-License-Identifier: EUPL-1.2
#include "model/arena.h"

#include <algorithm>

#include "base/check.h"

namespace lem {
namespace {

// A cache line, so that no two buffers share one, and a whole AVX-512 register.
constexpr size_t kAlignment = 64;

}  // namespace

Arena::Arena(size_t bytes) : memory_(AllocateBig(bytes)), capacity_(bytes) {}

std::byte* Arena::Take(size_t bytes) {
  const size_t begin = used_;
  used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  peak_ = std::max(peak_, used_);
  if (memory_ == nullptr) return nullptr;
  LEM_CHECK(used_ <= capacity_);
  return memory_.get() + begin;
}

Mat Arena::Matrix(size_t rows, size_t cols) {
  return {reinterpret_cast<float*>(Take(rows * cols * sizeof(float))), rows, cols};
}

Vec Arena::Vector(size_t size) {
  std::byte* data = Take(size * sizeof(float));
  return data ? Vec(reinterpret_cast<float*>(data), size) : Vec();
}

Operand Arena::Activations(size_t rows, size_t cols, bool bf16) {
  if (!bf16) return Matrix(rows, cols);
  return MatrixView<BFloat16>(reinterpret_cast<BFloat16*>(Take(rows * cols * sizeof(BFloat16))),
                              rows, cols);
}

}  // namespace lem
