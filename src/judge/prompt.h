// SPDX-License-Identifier: EUPL-1.2
// The words a judge reads. Judged text stands between markers that its writer could not foresee,
// and the judge is told that nothing between them is an instruction.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "formats/json.h"
#include "judge/rubric.h"

namespace lem {

// Raised when prompts change: kept judgements no longer count.
inline constexpr int kJudgePromptRevision = 1;

struct JudgedText {
  std::string question;  // what the model was asked
  std::string answer;
  // What the judge may know: texts or lists of texts by name; null: nothing. "must" and "must_not"
  // are dimensions, not hints, and are left out.
  Json reference;
};

// A marker of 16 hex digits from everything about this call: whoever wrote the answer would have
// had to find an answer that contains its own hash.
std::string Marker(std::string_view call);

std::string JudgeSystemText();

// What all dimensions have in common: the rubric's description and the material. `call` names this
// call uniquely (its key and attempt); lists in the reference are shuffled by it, so that no order
// is always the same.
std::string MaterialText(const Rubric& rubric, const JudgedText& text, std::string_view call);

// MaterialText, all dimensions with their grades, and the form of the reply.
std::string JsonRequestText(const Rubric& rubric, const JudgedText& text, std::string_view call);

// One dimension as a question to be answered by a letter; reversed: the grades in reverse order.
// The letter of position i is 'A' + i.
std::string LetterQuestionText(const Dimension& dimension, bool reversed);

}  // namespace lem
