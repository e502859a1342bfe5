// SPDX-License-Identifier: EUPL-1.2
// Memory that kernels use within one call: grown once, kept by its thread, aligned to cache lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace lem::cpu {

// n floats (or as many bytes as they take), uninitialised.
class AlignedFloats {
 public:
  AlignedFloats() = default;
  explicit AlignedFloats(size_t n) { Reserve(n); }
  // Keeps nothing of what was there.
  float* Reserve(size_t n) {
    if (n > size_) {
      data_.reset();
      data_.reset(static_cast<float*>(::operator new (n * sizeof(float), std::align_val_t{64})));
      size_ = n;
    }
    return data_.get();
  }
  float* data() const { return data_.get(); }
  size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(float* p) const { ::operator delete (p, std::align_val_t{64}); }
  };
  std::unique_ptr<float, Free> data_;
  size_t size_ = 0;
};

}  // namespace lem::cpu
