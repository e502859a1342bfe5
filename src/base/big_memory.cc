// SPDX-License-Identifier: EUPL-1.2
#include "base/big_memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

namespace lem {

void BigMemoryFree::operator()(std::byte* memory) const { std::free(memory); }

BigMemory AllocateBig(size_t bytes) {
  constexpr size_t kHugePage = size_t{2} << 20;
  const size_t alignment = bytes >= kHugePage ? kHugePage : 64;
  const size_t size = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, size > 0 ? size : alignment);
  if (memory == nullptr) throw std::bad_alloc();
  // A wish: small pages serve as well, only slower.
  if (bytes >= kHugePage) (void)::madvise(memory, size, MADV_HUGEPAGE);
  return BigMemory(static_cast<std::byte*>(memory));
}

}  // namespace lem
