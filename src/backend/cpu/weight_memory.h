// SPDX-License-Identifier: EUPL-1.2
// Memory that weights keep. Most matrices of a small model are smaller than a huge page, so they
// share slabs of 16 MiB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/big_memory.h"

namespace lem::cpu {

class WeightMemory {
 public:
  // n floats (or as many bytes as they take), uninitialised, aligned to cache lines. Once.
  float* Reserve(size_t n);
  float* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  std::shared_ptr<std::byte[]> slab_;
  float* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace lem::cpu
