// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <vector>

#include "model/engine.h"

namespace lem {

class Stopwatch {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

struct Engine::State {
  Decoder& decoder;
  EngineOptions options;
  EngineTimes times;
  std::vector<float> logits, scratch;

  std::unique_ptr<KvCache> NewCache(int64_t capacity, std::shared_ptr<const KvCache> prefix) const;
  uint64_t CacheBytes(int64_t capacity) const;
  uint64_t ReadBytes(size_t length) const;  // keys and values that one more token looks at
  uint64_t MemoryLimit() const;

  // The end of the piece of a prompt that begins at `from`: the next multiple of prefill_chunk.
  size_t PieceEnd(size_t from, size_t size) const;
  // Runs ids[from..] through the model without logits, in pieces.
  void Prefill(std::span<const int32_t> ids, size_t from, KvCache* cache);
  void CheckIds(std::span<const int32_t> ids, const char* what) const;
  // Ids that are only ever input (rows that multimodal files add) have no probability.
  void CheckScored(std::span<const int32_t> ids, const char* what) const;
  void CheckLength(size_t tokens, const char* what) const;
};

}  // namespace lem
