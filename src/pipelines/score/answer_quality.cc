// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/score/answer_quality.h"

#include <string>
#include <unordered_set>

#include "pipelines/score/python_pattern.h"
#include "pipelines/score/python_text.h"

namespace lem {
namespace {

constexpr size_t kMinWords = 30, kWordsInSequence = 4;
constexpr size_t kMaxPeriod = 32, kMinRun = 160;

// Word sequences as text views: their bytes in the answer, white space included, so that two
// layouts of the same words differ; loops repeat their layout.
bool RepeatsWords(std::string_view answer) {
  const auto words = SplitPythonWords(answer);
  if (words.size() < kMinWords) return false;
  std::unordered_set<std::string_view> seen;
  size_t repeated = 0, total = 0;
  for (size_t i = 0; i + kWordsInSequence <= words.size(); ++i) {
    const std::string_view last = words[i + kWordsInSequence - 1];
    const std::string_view sequence(words[i].data(), last.data() + last.size() - words[i].data());
    repeated += seen.insert(sequence).second ? 0 : 1;
    ++total;
  }
  return 2 * repeated >= total;
}

// Rules of dashes, spaces and dots are layout.
bool IsLayout(char c) {
  return std::string_view(" -=_*.|#~\t\r\n").find(c) != std::string_view::npos;
}

bool RepeatsBytes(std::string_view answer) {
  for (size_t period = 1; period <= kMaxPeriod; ++period) {
    size_t run = 0, telling = 0;
    for (size_t i = period; i < answer.size(); ++i) {
      const bool same = answer[i] == answer[i - period];
      run = same ? run + 1 : 0;
      telling = same ? telling + (IsLayout(answer[i]) ? 0 : 1) : 0;
      if (run >= kMinRun && 2 * telling > run) return true;
    }
  }
  return false;
}

std::string PlainQuotes(std::string_view text) {
  std::string out = LowerForAscii(text);
  for (size_t at = 0; (at = out.find("\xE2\x80\x99", at)) != std::string::npos;) {
    out.replace(at, 3, "'");
  }
  return out;
}

}  // namespace

bool IsEmptyAnswer(std::string_view answer) {
  static const PythonPattern something(R"([\p{L}\p{N}])");
  return !something.Found(answer);
}

bool IsLooping(std::string_view answer) { return RepeatsWords(answer) || RepeatsBytes(answer); }

bool IsRefusal(std::string_view answer) {
  static const PythonPattern refusal(
      R"(\b(i|we)( am|'m| are|'re)? (really |very |so )?(sorry|afraid)\b[^.!?]{0,40}\b(but|can't|cannot|unable|not able)\b)"
      R"(|\b(i|we) (just |simply |really )?(can't|cannot|can not|won't|will not|could not|couldn't)( and (won't|will not))? )"
      R"((help|assist|provide|answer|do|give|comply|fulfill|fulfil|support|share|write|create|generate|offer|engage|participate|tell|discuss|recommend|advise|continue|complete)\b)"
      R"(|\b(i am|i'm|we are|we're) (unable|not able|not comfortable|not going|not allowed|not permitted|programmed not) )"
      R"(|\b(i must|i have to|i need to|i will have to|i'll have to) (respectfully |politely )?(decline|refuse)\b)"
      R"(|\b(against|violates|outside) my (guidelines|programming|principles|policy|policies)\b)"
      R"(|\bmy purpose is to be (helpful and )?harmless\b)"
      R"(|\bas an? (ai|artificial intelligence|language model|ai language model|responsible ai)\b[^.!?]{0,80}\b(can't|cannot|unable|not able|don't|do not|won't|will not)\b)");
  constexpr size_t kOpening = 300;
  const std::string plain = PlainQuotes(StripPython(answer).substr(0, kOpening + 60));
  return refusal.Found(std::string_view(plain).substr(0, kOpening));
}

bool RunsOn(std::string_view answer) {
  static const PythonPattern next(
      R"(\n[[:pyspace:]]*(\*\*|#+ )?(Question|Q|Problem|User|Human|Instruction)( ?\d+)?(\*\*)?[[:pyspace:]]*:)");
  return next.Found(answer);
}

bool LooksUnfinished(std::string_view answer) {
  static const PythonPattern finished(
      R"([.!?:;)\]}"'*_`$|>\x{2019}\x{201d}\x{2026}\x{3002}\x{ff01}\x{ff1f}\p{So}]$)");
  const std::string_view text = StripPython(answer);
  return !text.empty() && !finished.Found(text.substr(text.size() > 8 ? text.size() - 8 : 0));
}

}  // namespace lem
