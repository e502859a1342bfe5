// SPDX-License-Identifier: EUPL-1.2
// What is wrong with one answer, by rules that can be argued with: each names itself, shows the
// words it objects to, and says in a sentence why. `lem data lint` applies them to training files,
// `lem distill` to a teacher's answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "lek/kernel.h"
#include "lek/words.h"

namespace lem {

enum class Severity : uint8_t { kWarning, kError };
std::string_view NameOf(Severity severity);

struct RuleHit {
  std::string rule;  // truncated, preamble, closing, echo, refusal, length, empty, encoding
  Severity severity = Severity::kError;
  std::string sentence;
  size_t begin = 0, end = 0;  // bytes of the answer
};

// Five-word runs of the kernel and the axioms. Runs with fewer than two words of content are left
// out: "at the end of the" is anybody's.
class KernelEcho {
 public:
  explicit KernelEcho(const Kernel& kernel);
  // The longest runs of the answer that the kernel has too, as word ranges [begin, end).
  struct Run {
    size_t begin = 0, end = 0;
  };
  std::vector<Run> Find(const std::vector<Word>& words) const;

 private:
  void AddText(std::string_view text);
  std::unordered_set<uint64_t> runs_;
};

struct AnswerBounds {
  int min_words = 20, max_words = 600;
};

struct AnswerContext {
  std::string_view prompt;     // all user turns so far
  std::optional<bool> benign;  // what the row says of itself; unset: judged by the prompt's words
  const KernelEcho* echo = nullptr;  // null: that rule is skipped
  AnswerBounds bounds;
};

// All hits, in the order of the rules. A blank answer has the one hit "empty".
std::vector<RuleHit> CheckAnswer(std::string_view answer, const AnswerContext& context);

// The single rules.
std::optional<RuleHit> FindTruncation(std::string_view answer);
std::vector<RuleHit> FindStockPhrases(std::string_view answer, const std::vector<Word>& words);
std::vector<RuleHit> FindKernelEcho(const std::vector<Word>& words, const AnswerContext& context);
std::optional<RuleHit> FindRefusal(const std::vector<Word>& words, const AnswerContext& context);

// No word of the prompt suggests harm. A coarse test: it decides only how sure a warning is.
bool SoundsBenign(std::string_view prompt);

}  // namespace lem
