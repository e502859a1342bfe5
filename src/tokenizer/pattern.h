// SPDX-License-Identifier: EUPL-1.2
// A regular expression of a tokenizer file. They are written for Oniguruma; PCRE2 runs them, with
// the few spellings that mean something else there translated or refused, and with limits.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace lem {

struct TextSpan {
  size_t begin = 0, end = 0;
};

class Pattern {
 public:
  // Throws Error naming `where` on a pattern that does not compile or whose meaning would differ.
  Pattern(std::string source, std::string_view where);
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;
  ~Pattern();

  // Calls `found` for every match in `text` (valid UTF-8), from left to right; empty matches are
  // skipped. Nothing outside `text` is seen. Throws Error when matching passes its limits.
  void FindAll(std::string_view text, const std::function<void(TextSpan)>& found) const;

  const std::string& source() const { return source_; }

 private:
  struct Compiled;
  std::string source_, where_;
  std::unique_ptr<Compiled> compiled_;
};

// The pattern as PCRE2 must be given it; exposed for tests. Throws Error.
std::string TranslateOniguruma(std::string_view source, std::string_view where);

}  // namespace lem
