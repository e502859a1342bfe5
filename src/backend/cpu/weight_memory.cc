// SPDX-License-Identifier: EUPL-1.2
#include "backend/cpu/weight_memory.h"

#include <mutex>

#include "base/check.h"

namespace lem::cpu {
namespace {

constexpr size_t kSlab = size_t{16} << 20;

// The slab that is being filled.
struct OpenSlab {
  std::mutex mutex;
  std::weak_ptr<std::byte[]> memory;  // it ends with its last weight
  size_t used = 0;
};

}  // namespace

float* WeightMemory::Reserve(size_t n) {
  static OpenSlab open;
  LEM_CHECK(data_ == nullptr);
  const size_t bytes = (n * sizeof(float) + 63) / 64 * 64;
  const std::lock_guard lock(open.mutex);
  slab_ = open.memory.lock();
  size_t offset = open.used;
  if (bytes > kSlab / 4) {  // one of its own
    slab_ = std::shared_ptr<std::byte[]>(AllocateBig(bytes));
    offset = 0;
  } else if (slab_ == nullptr || offset + bytes > kSlab) {
    slab_ = std::shared_ptr<std::byte[]>(AllocateBig(kSlab));
    open.memory = slab_;
    open.used = bytes;
    offset = 0;
  } else {
    open.used += bytes;
  }
  data_ = reinterpret_cast<float*>(slab_.get() + offset);
  size_ = n;
  return data_;
}

}  // namespace lem::cpu
