// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/piece_map.h"

#include "base/check.h"

namespace lem {
namespace {

size_t TableSize(size_t count) {
  size_t size = 16;
  while (size < count * 2) size *= 2;
  return size;
}

}  // namespace

void PieceMap::Reserve(size_t count) {
  if (TableSize(count) <= slots_.size()) return;
  std::vector<Slot> old(TableSize(count));
  old.swap(slots_);
  mask_ = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.id >= 0)
      *FindOrFree({slot.data, slot.length}, HashText({slot.data, slot.length})) = slot;
  }
}

PieceMap::Slot* PieceMap::FindOrFree(std::string_view text, uint64_t hash) {
  for (size_t at = hash & mask_;; at = (at + 1) & mask_) {
    Slot& slot = slots_[at];
    if (slot.id < 0) return &slot;
    if (slot.tag == static_cast<uint32_t>(hash >> 32) && slot.length == text.size() &&
        std::memcmp(slot.data, text.data(), text.size()) == 0) {
      return &slot;
    }
  }
}

int32_t PieceMap::Insert(std::string_view text, int32_t id) {
  LEM_CHECK(id >= 0);
  Reserve(used_ + 1);
  const uint64_t hash = HashText(text);
  Slot* slot = FindOrFree(text, hash);
  if (slot->id >= 0) return slot->id;
  *slot = {text.data(), static_cast<uint32_t>(text.size()), static_cast<uint32_t>(hash >> 32), id};
  ++used_;
  return -1;
}

void PieceMap::Replace(std::string_view text, int32_t id) {
  if (Insert(text, id) >= 0) FindOrFree(text, HashText(text))->id = id;
}

void MergeMap::Reserve(size_t count) {
  if (TableSize(count) <= slots_.size()) return;
  std::vector<Slot> old(TableSize(count));
  old.swap(slots_);
  mask_ = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.key == kFree) continue;
    size_t at = MixBits(slot.key, kOdd) & mask_;
    while (slots_[at].key != kFree) at = (at + 1) & mask_;
    slots_[at] = slot;
  }
}

void MergeMap::Put(int32_t left, int32_t right, Merge merge) {
  Reserve(used_ + 1);
  const uint64_t key = Key(left, right);
  size_t at = MixBits(key, kOdd) & mask_;
  while (slots_[at].key != kFree && slots_[at].key != key) at = (at + 1) & mask_;
  if (slots_[at].key == kFree) ++used_;
  slots_[at] = {key, merge};
}

}  // namespace lem
