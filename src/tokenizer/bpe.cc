// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/bpe.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <map>

#include "base/error.h"
#include "tokenizer/unicode.h"
#include "tokenizer/word_cache.h"

namespace lem {
namespace {

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581
constexpr size_t kMaxJoined = 256;

struct Symbol {
  uint32_t start = 0, length = 0;  // bytes of the text; length 0: merged into its left neighbour
  int32_t id = -1;                 // -1: not in the vocabulary
  int32_t previous = -1, next = -1;
};

struct Candidate {
  uint64_t order = 0;   // rank, then place of the left symbol
  uint32_t length = 0;  // of the merged symbol; differs once one of the two has changed
  int32_t result = -1;
};

bool Later(const Candidate& a, const Candidate& b) { return a.order > b.order; }

// Floats as integers in the same order, then upside down: the highest score has rank 0.
uint32_t RankOfScore(float score) {
  if (score == 0) score = 0;  // -0 equals 0
  const uint32_t bits = std::bit_cast<uint32_t>(score);
  const uint32_t ordered = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return ~ordered;
}

bool MayMerge(PieceKind kind) {
  return kind == PieceKind::kNormal || kind == PieceKind::kUserDefined ||
         kind == PieceKind::kUnused;
}

struct ByteLevelTables {
  std::array<uint32_t, 256> character{};
  std::array<int16_t, 0x180> byte{};
  std::array<std::string, 256> utf8;

  ByteLevelTables() {
    byte.fill(-1);
    uint32_t next = 0x100;
    for (int b = 0; b < 256; ++b) {
      const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      character[b] = printable ? static_cast<uint32_t>(b) : next++;
      byte[character[b]] = static_cast<int16_t>(b);
      AppendUtf8(character[b], &utf8[b]);
    }
  }
};

const ByteLevelTables& Tables() {
  static const ByteLevelTables tables;
  return tables;
}

}  // namespace

uint32_t ByteLevelCharacter(uint8_t byte) { return Tables().character[byte]; }

int ByteLevelByte(uint32_t c) { return c < Tables().byte.size() ? Tables().byte[c] : -1; }

void AppendByteLevel(std::string_view bytes, std::string* out) {
  for (const char c : bytes) *out += Tables().utf8[static_cast<uint8_t>(c)];
}

struct BpeScratch::State {
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
  std::string mapped;
  std::map<int32_t, uint32_t> split_of_unused;  // id -> bytes of its left half, last seen
  WordCache cache;
};

BpeScratch::BpeScratch() : state_(std::make_unique<State>()) {}
BpeScratch::~BpeScratch() = default;

Bpe::Bpe(const Vocabulary& vocabulary, const BpeOptions& options,
         const std::vector<MergePair>& merges)
    : vocabulary_(&vocabulary), options_(options) {
  merges_.Reserve(merges.size());
  std::string joined;
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const auto [left, right] = merges[rank];
    joined.assign(vocabulary.text(left)).append(vocabulary.text(right));
    const int32_t result = vocabulary.Find(joined);
    // A merge into a control token would let plain text become one.
    if (result >= 0) merges_.Put(left, right, {static_cast<uint32_t>(rank), result});
  }
  FindWordBoundaries();
}

Bpe::Bpe(const Vocabulary& vocabulary, const BpeOptions& options, const std::vector<float>& scores,
         std::string_view where)
    : vocabulary_(&vocabulary), options_(options), by_score_(true) {
  ranks_.reserve(scores.size());
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    if (std::isnan(scores[id])) {
      Fail(where, ": expected a number as the score of token ", id,
           ", found NaN; try another copy of the file");
    }
    ranks_.push_back(RankOfScore(scores[id]));
    if (vocabulary.kind(id) == PieceKind::kUnused) has_unused_ = true;
  }
  FindWordBoundaries();
}

// Also fills the table of one-byte pieces.
void Bpe::FindWordBoundaries() {
  for (int c = 0; c < 128; ++c) {
    const char byte = static_cast<char>(c);
    ascii_ids_[c] = vocabulary_->Find({&byte, 1});
  }
  if (options_.byte_level || vocabulary_->Find(kSpaceMark) < 0) return;
  for (int32_t id = 0; id < vocabulary_->size(); ++id) {
    if (!MayMerge(vocabulary_->kind(id))) continue;
    const std::string_view text = vocabulary_->text(id);
    for (size_t at = text.find(kSpaceMark, 1); at != text.npos;
         at = text.find(kSpaceMark, at + 1)) {
      size_t before = at - 1;
      while (before > 0 && (static_cast<uint8_t>(text[before]) & 0xC0) == 0x80) --before;
      if (text.substr(before, at - before) == kSpaceMark) continue;
      joined_before_space_.push_back(DecodeUtf8(text, before).value);
    }
    if (joined_before_space_.size() > kMaxJoined) return;
  }
  std::sort(joined_before_space_.begin(), joined_before_space_.end());
  cuts_words_ = true;
}

bool Bpe::StartsWord(std::string_view text, size_t at) const {
  size_t before = at - 1;
  while (before > 0 && (static_cast<uint8_t>(text[before]) & 0xC0) == 0x80) --before;
  if (text.substr(before, at - before) == kSpaceMark) return false;
  return joined_before_space_.empty() ||
         !std::binary_search(joined_before_space_.begin(), joined_before_space_.end(),
                             DecodeUtf8(text, before).value);
}

void Bpe::Encode(std::string_view text, BpeScratch* scratch, std::vector<int32_t>* ids) const {
  if (!cuts_words_) return EncodeWord(text, scratch, ids);
  size_t begin = 0;
  for (size_t at = text.find(kSpaceMark, 1); at != text.npos; at = text.find(kSpaceMark, at + 3)) {
    if (!StartsWord(text, at)) continue;
    EncodeWord(text.substr(begin, at - begin), scratch, ids);
    begin = at;
  }
  EncodeWord(text.substr(begin), scratch, ids);
}

void Bpe::EncodeWord(std::string_view word, BpeScratch* scratch, std::vector<int32_t>* ids) const {
  if (word.empty()) return;
  BpeScratch::State& state = *scratch->state_;
  if (word.size() > WordCache::kMaxWord) return MergeWord(word, scratch, ids);
  const uint64_t hash = HashText(word);
  if (state.cache.Append(word, hash, ids)) return;
  const size_t first = ids->size();
  MergeWord(word, scratch, ids);
  state.cache.Put(word, hash, std::span(*ids).subspan(first));
}

Merge Bpe::FindMerge(std::string_view text, int32_t left_id, int32_t right_id) const {
  if (!by_score_) return left_id < 0 || right_id < 0 ? Merge{} : merges_.Find(left_id, right_id);
  const int32_t id = vocabulary_->Find(text);
  if (id < 0 || !MayMerge(vocabulary_->kind(id))) return {};
  return {ranks_[id], id};
}

void Bpe::PushPair(std::string_view text, int32_t left, BpeScratch* scratch) const {
  BpeScratch::State& state = *scratch->state_;
  const Symbol& a = state.symbols[left];
  if (a.next < 0) return;
  const Symbol& b = state.symbols[a.next];
  const std::string_view joined = text.substr(a.start, b.start + b.length - a.start);
  const Merge merge = FindMerge(joined, a.id, b.id);
  if (merge.result < 0) return;
  if (has_unused_) state.split_of_unused[merge.result] = a.length;
  state.heap.push_back({uint64_t{merge.rank} << 32 | static_cast<uint32_t>(left),
                        a.length + b.length, merge.result});
  std::push_heap(state.heap.begin(), state.heap.end(), Later);
}

void Bpe::MakeSymbols(std::string_view text, BpeScratch* scratch) const {
  std::vector<Symbol>& symbols = scratch->state_->symbols;
  symbols.clear();
  // With nothing to stand for them, unknown characters go before merging, so that their neighbours
  // meet: what the tokenizers of Hugging Face do. By score, they may still merge as text.
  const bool drop = !by_score_ && !options_.byte_fallback && options_.unknown < 0;
  for (size_t at = 0; at < text.size();) {
    const uint8_t first = static_cast<uint8_t>(text[at]);
    const uint32_t length = first < 0x80 ? 1 : DecodeUtf8(text, at).length;
    const int32_t id =
        first < 0x80 ? ascii_ids_[first] : vocabulary_->Find(text.substr(at, length));
    if (id >= 0 || !drop) {
      const int32_t index = static_cast<int32_t>(symbols.size());
      symbols.push_back({static_cast<uint32_t>(at), length, id, index - 1, index + 1});
    }
    at += length;
  }
  if (!symbols.empty()) symbols.back().next = -1;
}

void Bpe::MergeWord(std::string_view text, BpeScratch* scratch, std::vector<int32_t>* ids) const {
  BpeScratch::State& state = *scratch->state_;
  if (options_.byte_level) {
    state.mapped.clear();
    AppendByteLevel(text, &state.mapped);
    text = state.mapped;
  }
  if (options_.ignore_merges) {
    if (const int32_t id = vocabulary_->Find(text); id >= 0) return ids->push_back(id);
  }
  MakeSymbols(text, scratch);
  std::vector<Symbol>& symbols = state.symbols;
  state.heap.clear();
  state.split_of_unused.clear();
  for (int32_t i = 0; i < static_cast<int32_t>(symbols.size()); ++i) PushPair(text, i, scratch);
  while (!state.heap.empty()) {
    std::pop_heap(state.heap.begin(), state.heap.end(), Later);
    const Candidate best = state.heap.back();
    state.heap.pop_back();
    const int32_t left = static_cast<int32_t>(best.order & 0xFFFFFFFFu);
    Symbol& a = symbols[left];
    if (a.length == 0 || a.next < 0) continue;
    Symbol& b = symbols[a.next];
    if (a.length + b.length != best.length) continue;
    a.length += b.length;
    a.id = best.result;
    b.length = 0;
    a.next = b.next;
    if (a.next >= 0) symbols[a.next].previous = left;
    if (a.previous >= 0) PushPair(text, a.previous, scratch);
    PushPair(text, left, scratch);
  }
  bool after_unknown = false;
  for (int32_t i = symbols.empty() ? -1 : 0; i >= 0; i = symbols[i].next) {
    const Symbol& symbol = symbols[i];
    const std::string_view piece = text.substr(symbol.start, symbol.length);
    if (symbol.id < 0) {
      EmitUnknown(piece, &after_unknown, ids);
    } else {
      after_unknown = false;
      EmitUnused(piece, symbol.id, scratch, ids);
    }
  }
}

// Emits the token; an unused one is taken apart again as it was put together.
void Bpe::EmitUnused(std::string_view text, int32_t id, BpeScratch* scratch,
                     std::vector<int32_t>* ids) const {
  if (!has_unused_ || vocabulary_->kind(id) != PieceKind::kUnused) return ids->push_back(id);
  const auto& splits = scratch->state_->split_of_unused;
  std::vector<std::string_view> rest = {text};
  bool after_unknown = false;
  while (!rest.empty()) {
    const std::string_view part = rest.back();
    rest.pop_back();
    const int32_t part_id = vocabulary_->Find(part);
    const auto split = part_id >= 0 && vocabulary_->kind(part_id) == PieceKind::kUnused
                           ? splits.find(part_id)
                           : splits.end();
    if (part_id < 0) {
      EmitUnknown(part, &after_unknown, ids);
    } else if (split == splits.end()) {
      ids->push_back(part_id);
    } else {
      rest.push_back(part.substr(split->second));
      rest.push_back(part.substr(0, split->second));
    }
  }
}

void Bpe::EmitUnknown(std::string_view text, bool* after_unknown, std::vector<int32_t>* ids) const {
  const auto& bytes = vocabulary_->byte_ids();
  const bool all_known = options_.byte_fallback &&
                         std::all_of(text.begin(), text.end(),
                                     [&](char c) { return bytes[static_cast<uint8_t>(c)] >= 0; });
  if (all_known) {
    for (const char c : text) ids->push_back(bytes[static_cast<uint8_t>(c)]);
    *after_unknown = false;
    return;
  }
  if (options_.unknown < 0 || (*after_unknown && options_.fuse_unknown)) return;
  ids->push_back(options_.unknown);
  *after_unknown = true;
}

}  // namespace lem
