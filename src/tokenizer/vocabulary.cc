// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/vocabulary.h"

#include "base/error.h"

namespace lem {
namespace {

constexpr size_t kMaxText = size_t{1} << 31;

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

int BytePieceValue(std::string_view piece) {
  if (piece.size() != 6 || piece.substr(0, 3) != "<0x" || piece[5] != '>') return -1;
  const int high = HexDigit(piece[3]), low = HexDigit(piece[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

std::string BytePiece(int byte) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  return std::string("<0x") + kDigits[byte >> 4 & 15] + kDigits[byte & 15] + '>';
}

Vocabulary::Vocabulary(const std::vector<PieceEntry>& entries, std::string_view where)
    : byte_ids_(256, -1) {
  size_t bytes = 0;
  for (const PieceEntry& entry : entries) bytes += entry.text.size();
  if (bytes > kMaxText) {
    Fail(where, ": expected a vocabulary of at most 2^31 bytes of text, found ", bytes,
         "; try the model's original tokenizer");
  }
  text_.reserve(bytes + 1);
  offsets_.reserve(entries.size() + 1);
  for (const PieceEntry& entry : entries) {
    offsets_.push_back(static_cast<uint32_t>(text_.size()));
    text_.insert(text_.end(), entry.text.begin(), entry.text.end());
    kinds_.push_back(entry.kind);
    in_model_.push_back(entry.in_model);
  }
  offsets_.push_back(static_cast<uint32_t>(text_.size()));
  plain_.Reserve(entries.size());
  for (int32_t id = 0; id < size(); ++id) {
    const PieceKind kind = kinds_[id];
    if (kind == PieceKind::kAbsent) continue;
    const bool plain = in_model_[id] && kind != PieceKind::kControl &&
                       kind != PieceKind::kUnknown && kind != PieceKind::kByte;
    (plain ? plain_ : other_).Replace(text(id), id);
    const int byte = kind == PieceKind::kByte ? BytePieceValue(text(id)) : -1;
    if (byte >= 0) byte_ids_[byte] = id;
  }
}

int32_t Vocabulary::FindAny(std::string_view text) const {
  const int32_t id = plain_.Find(text);
  return id >= 0 ? id : other_.Find(text);
}

}  // namespace lem
