// SPDX-License-Identifier: EUPL-1.2
// A regular expression with Python's meaning (PCRE2: backtracking, alternatives in order, Unicode
// classes, `.` stops at a line feed only), bounded in time by a match limit.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace lem {

struct TextSpan {
  size_t begin = 0, end = 0;  // bytes
};

class Pattern {
 public:
  enum class Case : uint8_t { kSensitive, kIgnored };
  // Write [[:pyspace:]] for \s: PCRE2's differs from Python's. Throws Error on a malformed pattern.
  explicit Pattern(std::string_view source, Case letters = Case::kSensitive);
  ~Pattern();
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;

  // Non-overlapping matches from the left, as re.findall counts them; with `limit` it stops early.
  // Throws Error when the match limit is reached.
  int64_t Count(std::string_view text) const;
  bool Found(std::string_view text) const;  // re.search
  std::vector<TextSpan> FindAll(std::string_view text, size_t limit = SIZE_MAX) const;

 private:
  struct Code;
  std::unique_ptr<Code> code_;
};

}  // namespace lem
