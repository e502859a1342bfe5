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
    for (size_t at = hash & (kSlots - 1); slots_[at].used; at = (at + 1) & (kSlots - 1)) {
      const Slot& slot = slots_[at];
      if (slot.hash == hash && slot.length == word.size() &&
          std::memcmp(text_.data() + slot.text, word.data(), word.size()) == 0) {
        ids->insert(ids->end(), ids_.begin() + slot.first, ids_.begin() + slot.first + slot.count);
        return true;
      }
    }
    return false;
  }

  // Forgets everything first when full.
  void Put(std::string_view word, uint64_t hash, std::span<const int32_t> ids) {
    if (slots_.empty() || used_ >= kSlots / 2) {
      slots_.assign(kSlots, {});
      text_.clear();
      ids_.clear();
      used_ = 0;
    }
    size_t at = hash & (kSlots - 1);
    while (slots_[at].used) at = (at + 1) & (kSlots - 1);
    slots_[at] = {hash,
                  static_cast<uint32_t>(text_.size()),
                  static_cast<uint32_t>(ids_.size()),
                  static_cast<uint16_t>(word.size()),
                  static_cast<uint16_t>(ids.size()),
                  true};
    text_.append(word);
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    ++used_;
  }

 private:
  static constexpr size_t kSlots = size_t{1} << 16;
  struct Slot {
    uint64_t hash = 0;
    uint32_t text = 0, first = 0;
    uint16_t length = 0, count = 0;
    bool used = false;
  };
  std::vector<Slot> slots_;
  std::string text_;
  std::vector<int32_t> ids_;
  size_t used_ = 0;
};

}  // namespace lem
