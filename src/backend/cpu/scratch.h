// SPDX-License-Identifier: EUPL-1.2
// Memory that kernels use within one call: grown once, kept by its thread, aligned to cache lines.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/big_memory.h"

namespace lem::cpu {

// n floats (or as many bytes as they take), uninitialised.
class AlignedFloats {
 public:
  AlignedFloats() = default;
  explicit AlignedFloats(size_t n) { Reserve(n); }
  // Keeps nothing of what was there.
  float* Reserve(size_t n) {
    if (n > size_) {
      memory_.reset();
      memory_ = AllocateBig(n * sizeof(float));
      size_ = n;
    }
    return data();
  }
  float* data() const { return reinterpret_cast<float*>(memory_.get()); }
  size_t size() const { return size_; }

 private:
  BigMemory memory_;
  size_t size_ = 0;
};

}  // namespace lem::cpu
