// SPDX-License-Identifier: EUPL-1.2
// Pieces back to bytes (tokenizer.json "decoder"), one token at a time, so that whole texts and
// streams come from the same rules.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/json.h"

namespace lem {

class TokenDecoder {
 public:
  TokenDecoder() = default;  // pieces as they are
  // Throws Error naming a decoder, or an order of decoders, that is not supported.
  static TokenDecoder FromJson(const Json& json, std::string_view where);

  // Appends the bytes of one piece; `first`: no token came before.
  void Append(std::string_view piece, bool first, std::string* bytes) const;
  // Drops from the start of the whole text; to be called while `dropped` < strip_limit().
  size_t strip_limit() const { return strip_count_; }
  char strip_byte() const { return strip_byte_; }
  // Broken characters become one U+FFFD per byte (byte pieces), else one per broken character.
  bool replaces_each_byte() const { return byte_fallback_; }
  bool byte_level() const { return byte_level_; }
  const Json& json() const { return json_; }

 private:
  void AddStep(const Json& json, std::string_view where, int depth);

  std::vector<std::pair<std::string, std::string>> replacements_;
  bool byte_fallback_ = false, byte_level_ = false, fused_ = false;
  std::string mark_;               // Metaspace: this becomes a space
  bool mark_drops_first_ = false;  // ... but not in the first piece
  size_t strip_count_ = 0;
  char strip_byte_ = ' ';
  Json json_;
};

// Bytes as text: what is no UTF-8 becomes U+FFFD. `keep`: how many bytes at the end are the
// unfinished start of a character (at most 3); they are not converted. Null: they are converted
// too.
std::string TextOfBytes(std::string_view bytes, bool replace_each_byte, size_t* keep);

}  // namespace lem
