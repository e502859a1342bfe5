// SPDX-License-Identifier: EUPL-1.2
// The number that an answer gives, read in four ways: as the original project reads it, as
// lm-evaluation-harness reads it (strict and flexible), and as we do. All are linear in the text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/score/python_pattern.h"

namespace lem {

struct Extraction {
  bool found = false;
  std::string text;      // as that extractor gives it
  AnswerSpan span;       // where it stands in the answer, in bytes; meaningful when found
  std::string rule;      // which of the extractor's rules hit
  bool correct = false;  // by that extractor's own comparison
};

// The original's gsm8k score. First `####\s*([\d,.-]+)`, else the last
// `(?:^|[\s=])(-?[\d,]+(?:\.\d+)?)`; commas deleted; equal within 0.01 as floats, or as stripped
// strings where one is no float. An empty answer, or one that starts with ERROR, has none.
Extraction ExtractLem(std::string_view answer, std::string_view gold);

// lm-evaluation-harness, task gsm8k version 3: first `#### (\-?[0-9\.\,]+)`; equal as text without
// ",", "$", everything up to "#### ", and a final ".". `gold` may be the number or the whole worked
// answer, as lm-eval has it.
Extraction ExtractStrict(std::string_view answer, std::string_view gold);
// The same, with the last of `(-?[$0-9.,]{2,})|(-?[0-9]+)`.
Extraction ExtractFlexible(std::string_view answer, std::string_view gold);

// Ours; docs/evaluation.md says each rule. A reasoning block is left out, a run-on question ends
// the answer, digits and signs of other scripts count. The last hit of the first rule that hits:
//   marker    #### N
//   boxed     \boxed{N}
//   stated    (final) answer [is] [:=] N
//   bold      **N** or **... = N**
//   last      the last number
// Each allows * _ ` $ and other currency signs, \ ( [ before the number and a unit after it.
// Numbers are compared exactly: 18.00 = 18, 1,800 = 1800, 36/2 = 18, 0.45 = 9/20.
Extraction ExtractFinal(std::string_view answer, std::string_view gold);
// Every number of the answer that the rule `last` would see, in order; for showing.
std::vector<Extraction> NumbersIn(std::string_view answer, size_t limit);

// True if the answer has "####" followed by a number (decoration allowed): it kept the format.
bool HasAnswerMarker(std::string_view answer);

}  // namespace lem
