// SPDX-License-Identifier: EUPL-1.2
// Cuts normalized text into the pre-tokens that no merge crosses (tokenizer.json "pre_tokenizer").
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "formats/json.h"
#include "tokenizer/pattern.h"
#include "tokenizer/scanners.h"

namespace lem {

// What happens to the matches of a Split.
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

// Text and its cuts; reused between calls.
struct PreTokens {
  std::string_view text;        // what the spans index: the input, or `rewritten`
  std::vector<TextSpan> spans;  // none empty
  std::string rewritten;
  std::vector<TextSpan> next;  // working space
};

class PreTokenizer {
 public:
  PreTokenizer() = default;  // one pre-token
  // Throws Error naming a pre-tokenizer that is not supported.
  static PreTokenizer FromJson(const Json& json, std::string_view where);

  // `at_start`: nothing comes before `text` in the whole input. `text` must outlive `out`'s use.
  void Apply(std::string_view text, bool at_start, PreTokens* out) const;

  // Pre-tokens are to be mapped to GPT-2's printable characters, byte by byte.
  bool byte_level() const { return byte_level_; }
  const Json& json() const { return json_; }

 private:
  enum class Prefix { kNever, kFirst, kAlways };
  struct Split {
    Scanner scanner = nullptr;       // covers every character; behaves as kIsolated
    std::optional<Pattern> pattern;  // else a pattern
    std::string text;                // else a fixed text
    SplitBehavior behavior = SplitBehavior::kIsolated;
    bool invert = false;
  };
  struct Digits {
    bool individual = false;
  };
  struct Spaces {};   // WhitespaceSplit
  struct Metaspace {  // " " -> mark, perhaps one in front
    std::string mark;
    Prefix prefix = Prefix::kAlways;
    bool split = true;
  };
  struct LeadingSpace {};  // ByteLevel add_prefix_space
  using Step = std::variant<Split, Digits, Spaces, Metaspace, LeadingSpace>;

  void AddStep(const Json& json, std::string_view where, int depth);
  void AddSplit(const Json& json, std::string_view where);
  void AddByteLevel(const Json& json, std::string_view where);
  void AddMetaspace(const Json& json, std::string_view where);
  static void Run(const Split& step, PreTokens* tokens);
  static void Run(const Digits& step, PreTokens* tokens);
  static void Run(const Spaces& step, PreTokens* tokens);
  static void Run(const Metaspace& step, bool at_start, PreTokens* tokens);
  static void Run(const LeadingSpace& step, PreTokens* tokens);

  std::vector<Step> steps_;
  bool byte_level_ = false;
  Json json_;
};

}  // namespace lem
