// SPDX-License-Identifier: EUPL-1.2
// Numbers in prose: found with their place, and compared exactly.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/score/python_pattern.h"

namespace lem {

// An answer with other scripts' digits, minus signs, currency signs and invisible characters
// brought to ASCII, and for each byte where it comes from.
struct PlainText {
  std::string text;
  std::vector<size_t> origin;  // of each byte of `text`; one more for its end

  static PlainText Of(std::string_view original, size_t begin, size_t end);
  AnswerSpan Original(AnswerSpan span) const { return {origin[span.begin], origin[span.end]}; }
};

struct NumberText {
  AnswerSpan span;    // in the plain text, sign and currency included
  std::string value;  // canonical: -?digits[.digits][/digits]
  bool integer = false;
};

// The number that begins at `at`: [-+] currency digits, grouped by commas in threes or not,
// decimals, /denominator, "2 1/2", or \frac{a}{b}. Nothing when there is none.
std::optional<NumberText> NumberAt(std::string_view plain, size_t at);
// Past white space, emphasis, currency, opening brackets and LaTeX commands that only decorate.
size_t SkipDecoration(std::string_view plain, size_t at);

// Equality of two canonical values as rational numbers, without rounding.
bool SameNumber(std::string_view a, std::string_view b);
// The value of a whole text that is a number ("1,800", "$5", "9/20", "\frac{9}{20}").
std::optional<std::string> WholeNumber(std::string_view text);

}  // namespace lem
