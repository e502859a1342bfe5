// SPDX-License-Identifier: EUPL-1.2
// Keys and values of one sequence: global layers keep all positions, window layers keep a window
// (model-formats 1.5).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "model/config.h"

namespace lem {

class KvCache {
 public:
  // `capacity`: positions of its own (after the shared prefix) it must be able to hold. `chunk`:
  // the most tokens appended at once, so that a window layer's ring has window - 1 + chunk rows.
  KvCache(const ModelConfig& config, Precision precision, int64_t capacity, int chunk,
          std::shared_ptr<const KvCache> prefix = nullptr);

  int64_t length() const { return length_; }  // positions held, prefix included
  int64_t prefix_length() const { return prefix_length_; }
  int64_t capacity() const { return capacity_; }
  int chunk() const { return chunk_; }
  uint64_t bytes() const;

  KvRing Ring(int layer) const;
  // Rows [begin, end) of a batch as positions length() .. of this sequence.
  CachedSegment SegmentFor(int layer, size_t begin, size_t end) const;
  void Advance(int64_t tokens) { length_ += tokens; }
  // Forgets positions from `length` on. False (and unchanged) when a window layer no longer holds
  // what it would need.
  bool Truncate(int64_t length);

  // Takes over all positions of `other`, which has no prefix, as this empty cache's own.
  void CopyFrom(const KvCache& other);

  static uint64_t BytesFor(const ModelConfig& config, Precision precision, int64_t capacity,
                           int chunk);

 private:
  size_t LayerBytes(size_t layer) const;  // of its keys, or its values

  std::shared_ptr<const KvCache> prefix_;
  int64_t prefix_length_ = 0, length_ = 0, capacity_ = 0;
  int chunk_ = 0;
  bool bf16_ = false;
  struct Free {
    void operator()(std::byte* memory) const;
  };
  std::vector<std::unique_ptr<std::byte[], Free>> storage_;  // per layer: k rows, then v rows
  std::vector<int64_t> rows_;                                // ring rows per layer
  std::vector<int> windows_;
  int kv_dim_ = 0;
};

}  // namespace lem
