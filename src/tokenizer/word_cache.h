// SPDX-License-Identifier: EUPL-1.2
// Words and their ids, remembered within bounds: natural text repeats its words, so that most are
// looked up instead of merged.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lem {

class WordCache {
 public:
  static constexpr size_t kMaxWord = 48;

  // Appends the ids and returns true if the word is known.
  bool Append(std::string_view word, uint64_t hash, std::vector<int32_t>* ids) const {
    if (slots_.empty()) return false;
    const size_t mask = slots_.size() - 1;
    for (size_t at = hash & mask; slots_[at].used; at = (at + 1) & mask) {
      const Slot& slot = slots_[at];
      if (slot.hash == hash && slot.length == word.size() &&
          std::memcmp(text_.data() + slot.text, word.data(), word.size()) == 0) {
        ids->insert(ids->end(), ids_.begin() + slot.first, ids_.begin() + slot.first + slot.count);
        return true;
      }
    }
    return false;
  }

  // Adds a word that is not known. Forgets all others first when there are too many.
  void Put(std::string_view word, uint64_t hash, std::span<const int32_t> ids) {
    if (used_ * 2 >= slots_.size()) MakeRoom();
    Place({hash, static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(ids_.size()),
           static_cast<uint16_t>(word.size()), static_cast<uint16_t>(ids.size()), true});
    text_.append(word);
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    ++used_;
  }

 private:
  static constexpr size_t kFirstSlots = size_t{1} << 10, kMaxSlots = size_t{1} << 16;
  struct Slot {
    uint64_t hash = 0;
    uint32_t text = 0, first = 0;
    uint16_t length = 0, count = 0;
    bool used = false;
  };

  void Place(const Slot& slot) {
    const size_t mask = slots_.size() - 1;
    size_t at = slot.hash & mask;
    while (slots_[at].used) at = (at + 1) & mask;
    slots_[at] = slot;
  }

  void MakeRoom() {
    std::vector<Slot> old;
    old.swap(slots_);
    if (old.size() == kMaxSlots) {
      old.clear();
      text_.clear();
      ids_.clear();
      used_ = 0;
      slots_.resize(kMaxSlots);
    } else {
      slots_.resize(old.empty() ? kFirstSlots : old.size() * 4);
    }
    for (const Slot& slot : old) {
      if (slot.used) Place(slot);
    }
  }

  std::vector<Slot> slots_;
  std::string text_;
  std::vector<int32_t> ids_;
  size_t used_ = 0;
};

}  // namespace lem
