// SPDX-License-Identifier: EUPL-1.2
#include "model/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/check.h"

namespace lem {
namespace {

constexpr size_t kAlignment = 64;

// A window layer needs the window - 1 positions before a chunk, and the chunk.
int64_t RingRows(int window, int64_t capacity, int chunk) {
  return window == 0 ? capacity : std::min<int64_t>(capacity, int64_t{window} - 1 + chunk);
}

Operand View(std::byte* data, bool bf16, int64_t rows, int cols) {
  const auto r = static_cast<size_t>(rows), c = static_cast<size_t>(cols);
  if (bf16) return MatrixView<BFloat16>(reinterpret_cast<BFloat16*>(data), r, c);
  return Mat(reinterpret_cast<float*>(data), r, c);
}

}  // namespace

void KvCache::Free::operator()(std::byte* memory) const {
  ::operator delete[](memory, std::align_val_t{kAlignment});
}

size_t KvCache::LayerBytes(size_t layer) const {
  return static_cast<size_t>(rows_[layer] * kv_dim_) * (bf16_ ? 2 : 4);
}

KvCache::KvCache(const ModelConfig& config, Precision precision, int64_t capacity, int chunk,
                 std::shared_ptr<const KvCache> prefix)
    : prefix_(std::move(prefix)),
      prefix_length_(prefix_ ? prefix_->length() : 0),
      length_(prefix_length_),
      capacity_(std::max<int64_t>(capacity, 1)),
      chunk_(chunk),
      bf16_(precision == Precision::kBFloat16),
      kv_dim_(config.kv_dim()) {
  LEM_CHECK(chunk >= 1);
  LEM_CHECK(!prefix_ || !prefix_->prefix_);  // one level: a kernel reads two places, not a chain
  for (const LayerConfig& layer : config.layer) {
    windows_.push_back(layer.window);
    rows_.push_back(RingRows(layer.window, capacity_, chunk));
    // Not filled: a cache for 8,192 positions of which 100 are used touches 100.
    storage_.emplace_back(static_cast<std::byte*>(
        ::operator new[](2 * LayerBytes(storage_.size()), std::align_val_t{kAlignment})));
  }
}

uint64_t KvCache::bytes() const {
  uint64_t total = 0;
  for (size_t l = 0; l < rows_.size(); ++l) total += 2 * LayerBytes(l);
  return total;
}

uint64_t KvCache::BytesFor(const ModelConfig& config, Precision precision, int64_t capacity,
                           int chunk) {
  uint64_t rows = 0;
  for (const LayerConfig& layer : config.layer) {
    rows += static_cast<uint64_t>(RingRows(layer.window, std::max<int64_t>(capacity, 1), chunk));
  }
  return rows * static_cast<uint64_t>(config.kv_dim()) *
         (precision == Precision::kBFloat16 ? 4 : 8);
}

KvRing KvCache::Ring(int layer) const {
  const auto l = static_cast<size_t>(layer);
  std::byte* data = storage_[l].get();
  return {.k = View(data, bf16_, rows_[l], kv_dim_),
          .v = View(data + LayerBytes(l), bf16_, rows_[l], kv_dim_)};
}

CachedSegment KvCache::SegmentFor(int layer, size_t begin, size_t end) const {
  return {.begin = begin,
          .end = end,
          .first = length_,
          .prefix_length = prefix_length_,
          .prefix = prefix_ ? prefix_->Ring(layer) : KvRing{},
          .own = Ring(layer)};
}

bool KvCache::Truncate(int64_t length) {
  LEM_CHECK(length >= prefix_length_ && length <= length_);
  for (size_t l = 0; l < windows_.size(); ++l) {
    if (windows_[l] == 0) continue;
    // The next query, at `length`, sees length - window + 1 .. length - 1; the ring still holds the
    // last rows_ positions written.
    const int64_t needed = std::max(prefix_length_, length - windows_[l] + 1);
    if (length > needed && needed < length_ - rows_[l]) return false;
  }
  length_ = length;
  return true;
}

void KvCache::CopyFrom(const KvCache& other) {
  LEM_CHECK(length_ == 0 && !prefix_ && !other.prefix_ && other.length_ <= capacity_);
  LEM_CHECK(bf16_ == other.bf16_ && kv_dim_ == other.kv_dim_ && windows_ == other.windows_);
  const size_t row_bytes = static_cast<size_t>(kv_dim_) * (bf16_ ? 2 : 4);
  for (size_t l = 0; l < rows_.size(); ++l) {
    const int64_t kept = std::min({other.length_, rows_[l], other.rows_[l]});
    for (const bool values : {false, true}) {
      std::byte* to = storage_[l].get() + (values ? LayerBytes(l) : 0);
      const std::byte* from = other.storage_[l].get() + (values ? other.LayerBytes(l) : 0);
      for (int64_t p = other.length_ - kept; p < other.length_; ++p) {
        std::memcpy(to + static_cast<size_t>(p % rows_[l]) * row_bytes,
                    from + static_cast<size_t>(p % other.rows_[l]) * row_bytes, row_bytes);
      }
    }
  }
  length_ = other.length_;
}

}  // namespace lem
