// SPDX-License-Identifier: EUPL-1.2
// What a tokenizer does to text before it looks for pieces (tokenizer.json "normalizer").
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "formats/json.h"
#include "tokenizer/pattern.h"
#include "tokenizer/unicode.h"

namespace lem {

class Normalizer {
 public:
  Normalizer() = default;  // leaves text as it is
  // Throws Error naming a normalizer that is not supported.
  static Normalizer FromJson(const Json& json, std::string_view where);

  bool empty() const { return steps_.empty(); }
  std::string Apply(std::string_view text) const;
  const Json& json() const { return json_; }  // null when there is none

 private:
  struct ReplaceText {
    std::string from, to;
  };
  struct ReplacePattern {
    Pattern from;
    std::string to;
  };
  struct Prepend {
    std::string text;
  };
  struct Lowercase {};
  struct Strip {
    bool left = false, right = false;
  };
  using Step = std::variant<ReplaceText, ReplacePattern, Prepend, NormalForm, Lowercase, Strip>;

  void AddStep(const Json& json, std::string_view where, int depth);
  static void ApplyStep(const Step& step, std::string* text);

  std::vector<Step> steps_;
  Json json_;
};

// text with every `from` replaced by `to`.
std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to);

}  // namespace lem
