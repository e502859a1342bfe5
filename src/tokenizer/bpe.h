// SPDX-License-Identifier: EUPL-1.2
// Byte-pair encoding, once, for both ways of ranking a merge: the place in a list of merges
// (tokenizer.json, byte-level GGUF), or the score of the resulting piece (SentencePiece).
// Always the best merge first, the leftmost of equals (model-formats 4.1, 4.3).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/piece_map.h"
#include "tokenizer/vocabulary.h"

namespace lem {

struct BpeOptions {
  bool byte_level = false;     // text is mapped byte by byte to printable characters first
  bool byte_fallback = false;  // unknown characters become <0xNN> pieces
  bool fuse_unknown = false;   // neighbouring unknown characters share one unknown token
  bool ignore_merges = false;  // a whole pre-token that is a piece is taken as it is
  int32_t unknown = -1;        // -1: unknown characters are dropped
};

using MergePair = std::pair<int32_t, int32_t>;  // ids of the left and the right piece

// Reused memory of one encoding thread: buffers, and the ids of words met before.
class BpeScratch {
 public:
  BpeScratch();
  ~BpeScratch();

 private:
  friend class Bpe;
  struct State;
  std::unique_ptr<State> state_;
};

class Bpe {
 public:
  Bpe() = default;
  // Ranked by place in `merges`. The vocabulary must outlive this.
  Bpe(const Vocabulary& vocabulary, const BpeOptions& options,
      const std::vector<MergePair>& merges);
  // Ranked by scores[id], higher first. Throws Error on a score that is no number.
  Bpe(const Vocabulary& vocabulary, const BpeOptions& options, const std::vector<float>& scores,
      std::string_view where);

  // Appends the ids of one pre-token; `text` is valid UTF-8.
  void Encode(std::string_view text, BpeScratch* scratch, std::vector<int32_t>* ids) const;

  const BpeOptions& options() const { return options_; }

 private:
  void FindWordBoundaries();
  bool StartsWord(std::string_view text, size_t at) const;
  void EncodeWord(std::string_view word, BpeScratch* scratch, std::vector<int32_t>* ids) const;
  void MergeWord(std::string_view text, BpeScratch* scratch, std::vector<int32_t>* ids) const;
  void MakeSymbols(std::string_view text, BpeScratch* scratch) const;
  void PushPair(std::string_view text, int32_t left, BpeScratch* scratch) const;
  Merge FindMerge(std::string_view text, int32_t left_id, int32_t right_id) const;
  void EmitUnused(std::string_view text, int32_t id, BpeScratch* scratch,
                  std::vector<int32_t>* ids) const;
  void EmitUnknown(std::string_view text, bool* after_unknown, std::vector<int32_t>* ids) const;

  const Vocabulary* vocabulary_ = nullptr;
  BpeOptions options_;
  bool by_score_ = false, has_unused_ = false;
  MergeMap merges_;
  std::vector<uint32_t> ranks_;  // by id, when ranked by score
  int32_t ascii_ids_[128];       // ids of one-byte pieces: most symbols of most texts
  // A merge never crosses from a character into a following U+2581 unless some piece contains both;
  // where none does, long texts are cut there into words, which repeat and can be remembered.
  bool cuts_words_ = false;
  std::vector<uint32_t> joined_before_space_;  // sorted characters c with a piece "...c\u2581..."
};

// The printable character of each byte (GPT-2's table), and back; -1 where there is none.
uint32_t ByteLevelCharacter(uint8_t byte);
int ByteLevelByte(uint32_t code_point);
void AppendByteLevel(std::string_view bytes, std::string* out);

}  // namespace lem
