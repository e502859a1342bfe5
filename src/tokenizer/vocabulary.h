// SPDX-License-Identifier: EUPL-1.2
// Every token of a tokenizer: its text as the vocabulary spells it, and what kind it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/piece_map.h"

namespace lem {

// The numbers are those of SentencePiece and of tokenizer.ggml.token_type.
enum class PieceKind : uint8_t {
  kAbsent = 0,  // a hole: no token has this id
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

struct PieceEntry {
  std::string_view text;  // copied by Vocabulary
  PieceKind kind = PieceKind::kAbsent;
  bool in_model = true;  // false: an added token that the model's own vocabulary lacks
};

class Vocabulary {
 public:
  Vocabulary() = default;
  // entries[id]. Where a text occurs twice, the later id is found (as llama.cpp does); readers of
  // formats that forbid this check it themselves. Throws Error above 2^31 bytes of text.
  Vocabulary(const std::vector<PieceEntry>& entries, std::string_view where);
  Vocabulary(Vocabulary&&) noexcept = default;
  Vocabulary& operator=(Vocabulary&&) noexcept = default;

  int32_t size() const { return static_cast<int32_t>(kinds_.size()); }
  std::string_view text(int32_t id) const {
    return {text_.data() + offsets_[id], offsets_[id + 1] - offsets_[id]};
  }
  PieceKind kind(int32_t id) const { return kinds_[id]; }
  bool in_model(int32_t id) const { return in_model_[id] != 0; }
  bool Contains(int32_t id) const {
    return id >= 0 && id < size() && kinds_[id] != PieceKind::kAbsent;
  }

  // Pieces that plain text may become: of the model's vocabulary, neither control nor unknown.
  int32_t Find(std::string_view text) const { return plain_.Find(text); }
  // Any token; -1 when there is none.
  int32_t FindAny(std::string_view text) const;
  // Ids of <0x00> ... <0xFF>, -1 where absent.
  const std::vector<int32_t>& byte_ids() const { return byte_ids_; }

 private:
  std::vector<char> text_;  // never moves once built: plain_ and other_ look into it
  std::vector<uint32_t> offsets_;
  std::vector<PieceKind> kinds_;
  std::vector<uint8_t> in_model_;
  std::vector<int32_t> byte_ids_;
  PieceMap plain_, other_;
};

// "<0x0A>" -> 10; -1 when the text is no byte piece.
int BytePieceValue(std::string_view piece);
std::string BytePiece(int byte);

}  // namespace lem
