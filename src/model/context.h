// SPDX-License-Identifier: EUPL-1.2
// What the layers of one pass need to know of its batch. Rows are tokens of several sequences, one
// after the other.
#pragma once

#include <cstdint>
#include <span>

#include "backend/backend.h"
#include "model/kv_cache.h"

namespace lem {

// Rows [begin, end) of the batch are the next tokens of the cache's sequence.
struct CachedRows {
  KvCache* cache = nullptr;
  size_t begin = 0, end = 0;
};

struct PassContext {
  Backend& backend;
  Precision precision = Precision::kBFloat16;
  std::span<const int32_t> positions;  // of each row in its sequence
  std::span<const Segment> segments;   // training: a sequence attends within its rows
  std::span<const CachedRows> cached;  // inference: ... and to what its cache holds
  bool dropout = false;
  uint64_t dropout_seed = 0, step = 0;

  bool bf16() const { return precision == Precision::kBFloat16; }
};

}  // namespace lem
