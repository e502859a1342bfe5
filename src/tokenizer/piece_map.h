// SPDX-License-Identifier: EUPL-1.2
// Two open-addressing hash tables: text -> id and (left id, right id) -> merge. A vocabulary of
// 262,144 pieces must load within half a second, which node-based maps do not reach.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace lem {

// Multiply-and-fold over eight bytes at a time; good enough for tables, no defence against an
// attacker (a slow table is the worst that a hostile vocabulary can get).
inline uint64_t MixBits(uint64_t a, uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline uint64_t HashText(std::string_view text) {
  constexpr uint64_t kOdd = 0x9E3779B97F4A7C15u, kOther = 0xD6E8FEB86659FD93u;
  uint64_t hash = text.size() * kOther ^ kOdd;
  const char* at = text.data();
  size_t left = text.size();
  for (; left >= 8; at += 8, left -= 8) {
    uint64_t word;
    std::memcpy(&word, at, 8);
    hash = MixBits(hash ^ word, kOdd);
  }
  uint64_t tail = 0;
  if (left > 0) std::memcpy(&tail, at, left);
  return MixBits(hash ^ tail, kOther);
}

// Text -> id. The texts are not owned: they must outlive the map and not move.
class PieceMap {
 public:
  void Reserve(size_t count);
  // Returns the id that is there already, or -1 when `id` was inserted.
  int32_t Insert(std::string_view text, int32_t id);
  void Replace(std::string_view text, int32_t id);  // inserts, or changes the id
  int32_t Find(std::string_view text) const { return FindHashed(text, HashText(text)); }
  int32_t FindHashed(std::string_view text, uint64_t hash) const {
    if (slots_.empty()) return -1;
    for (size_t at = hash & mask_;; at = (at + 1) & mask_) {
      const Slot& slot = slots_[at];
      if (slot.id < 0) return -1;
      if (slot.tag == static_cast<uint32_t>(hash >> 32) && slot.length == text.size() &&
          std::memcmp(slot.data, text.data(), text.size()) == 0) {
        return slot.id;
      }
    }
  }

 private:
  struct Slot {
    const char* data = nullptr;
    uint32_t length = 0, tag = 0;
    int32_t id = -1;
  };
  Slot* FindOrFree(std::string_view text, uint64_t hash);

  std::vector<Slot> slots_;
  size_t mask_ = 0, used_ = 0;
};

struct Merge {
  uint32_t rank = 0;
  int32_t result = -1;  // -1: the pair does not merge
};

// (left id, right id) -> merge.
class MergeMap {
 public:
  void Reserve(size_t count);
  void Put(int32_t left, int32_t right, Merge merge);  // a later entry replaces an earlier one
  Merge Find(int32_t left, int32_t right) const {
    if (slots_.empty()) return {};
    const uint64_t key = Key(left, right);
    for (size_t at = MixBits(key, kOdd) & mask_;; at = (at + 1) & mask_) {
      const Slot& slot = slots_[at];
      if (slot.key == key) return slot.merge;
      if (slot.key == kFree) return {};
    }
  }
  size_t size() const { return used_; }

 private:
  static constexpr uint64_t kFree = ~uint64_t{0}, kOdd = 0x9E3779B97F4A7C15u;
  static uint64_t Key(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  struct Slot {
    uint64_t key = kFree;
    Merge merge;
  };
  std::vector<Slot> slots_;
  size_t mask_ = 0, used_ = 0;
};

}  // namespace lem
