// SPDX-License-Identifier: EUPL-1.2
// A judge's reply, read strictly: either every grade is there and allowed, or a typed reason why
// not. Nothing is filled in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"
#include "judge/rubric.h"

namespace lem {

enum class VerdictState : uint8_t { kOk, kUnparsed, kOutOfRange };

struct Verdict {
  VerdictState state = VerdictState::kUnparsed;
  std::string problem;         // one phrase, when not kOk; what a repair turn quotes
  std::vector<double> grades;  // one per dimension, in order, when kOk
  std::string reasoning;
};

// Accepts the object alone, in a code fence, or between other words; a brace inside a text is no
// brace. Grades may be texts or numbers. Linear in the text.
Verdict ReadVerdict(const Rubric& rubric, std::string_view reply);

// The message that asks once more after a reply that could not be read.
std::string RepairText(const Verdict& verdict);

}  // namespace lem
