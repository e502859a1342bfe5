// SPDX-License-Identifier: EUPL-1.2
// A regular expression with Python's meaning (PCRE2: backtracking, alternatives in order, Unicode
// classes, `.` stops at a line feed only), bounded in time by a match limit.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace lem {

struct AnswerSpan {
  size_t begin = 0, end = 0;  // bytes
};

class PythonPattern {
 public:
  enum class Case : uint8_t { kSensitive, kIgnored };
  // Write [[:pyspace:]] for \s: PCRE2's differs from Python's. Throws Error on a malformed pattern.
  explicit PythonPattern(std::string_view source, Case letters = Case::kSensitive);
  ~PythonPattern();
  PythonPattern(PythonPattern&&) noexcept;
  PythonPattern& operator=(PythonPattern&&) noexcept;

  // Non-overlapping matches from the left, as re.findall counts them; with `limit` it stops early.
  // Throws Error when the match limit is reached.
  int64_t Count(std::string_view text) const;
  bool Found(std::string_view text) const;  // re.search
  std::vector<AnswerSpan> FindAll(std::string_view text, size_t limit = SIZE_MAX) const;

 private:
  struct Code;
  std::unique_ptr<Code> code_;
};

}  // namespace lem
