// SPDX-License-Identifier: EUPL-1.2
// Tokens that are found in text before anything else, as whole strings: the leftmost, and of those
// the longest (model-formats 4.1).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/pattern.h"
#include "tokenizer/piece_map.h"

namespace lem {

struct AddedToken {
  int32_t id = -1;
  std::string content;
  bool special = false;      // left out of text on request; plain text unless specials are parsed
  bool normalized = false;   // searched for after normalization
  bool single_word = false;  // only where no word character touches it
  bool left_strip = false;   // takes the white space before it along
  bool right_strip = false;
};

// One search structure over many texts.
class AddedTokenFinder {
 public:
  // Adds a text to look for; `index` is what a match reports. Of equal texts, the first is kept.
  void Add(std::string_view text, int32_t index, bool special);
  bool empty() const { return nodes_.empty(); }

  struct Match {
    int32_t index = -1;  // -1: none
    size_t length = 0;
  };
  // The longest text that starts at `at`; special ones only if `specials`.
  Match At(std::string_view text, size_t at, bool specials) const;
  // No text starts with this byte.
  bool CanStart(char byte) const { return starts_[static_cast<uint8_t>(byte)]; }

 private:
  struct Node {
    int32_t index = -1;
    bool special = false;
  };
  std::vector<Node> nodes_;  // nodes_[0] is the root
  MergeMap edges_;           // (node, byte) -> node: the same kind of table serves
  bool starts_[256] = {};
};

class AddedTokens {
 public:
  // Throws Error on an empty or overlong content, or two contents with one id.
  void Add(AddedToken token, std::string_view where);
  // A further spelling of the token added last, raw or normalized.
  void AddSpelling(std::string_view text, bool normalized);
  const std::vector<AddedToken>& tokens() const { return tokens_; }
  const AddedToken* FindById(int32_t id) const;
  const AddedToken* FindByContent(std::string_view content) const;

  struct Piece {
    TextSpan span;
    int32_t id = -1;  // -1: text between tokens
  };
  // Cuts text into tokens and what lies between. `normalized` chooses the tokens searched for.
  void Cut(std::string_view text, bool normalized, bool specials, std::vector<Piece>* out) const;
  bool HasNormalized() const { return !finders_[1].empty(); }

 private:
  bool Accept(const AddedToken& token, std::string_view text, size_t done, TextSpan* span) const;

  std::vector<AddedToken> tokens_;
  AddedTokenFinder finders_[2];  // raw, normalized
  std::vector<int32_t> by_id_;   // id -> index + 1
};

}  // namespace lem
