// SPDX-License-Identifier: EUPL-1.2
// What is wrong with an answer as an answer, whatever it says. Each is 0 or 1 and a rate of its
// own, so that a cut-off or looping answer is not mistaken for a wrong one.
#pragma once

#include <cstdint>
#include <string_view>

namespace lem {

// No letter and no digit of any script.
bool IsEmptyAnswer(std::string_view answer);

// Says the same again and again: of its sequences of four words at least half have occurred before
// (30 words or more), or a piece of at most 32 bytes is repeated over 160 bytes without a break.
bool IsLooping(std::string_view answer);

// Opens with a refusal: within the first 300 characters it declines in the first person or names
// itself an AI that does not do such things. A rule on phrases; a judge sees more.
bool IsRefusal(std::string_view answer);

// Goes on to ask itself the next question, as base models do.
bool RunsOn(std::string_view answer);

// Ends in the middle of a sentence: its last character is no end of a sentence, of a list, of a
// quotation, a formula or a block of code. A hint only, for answers recorded without a reason of
// ending.
bool LooksUnfinished(std::string_view answer);

}  // namespace lem
