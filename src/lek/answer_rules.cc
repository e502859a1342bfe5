// SPDX-License-Identifier: EUPL-1.2
#include "lek/answer_rules.h"

#include <algorithm>

#include "lek/phrases.h"

namespace lem {
namespace {

constexpr size_t kClosingWords = 40;  // how near the end a closing phrase counts
constexpr size_t kRefusalWords = 45;  // how near the beginning a refusal counts
constexpr size_t kEchoWords = 5;

bool MarksEnd(std::string_view rest) {
  return rest.empty() ||
         std::string_view(",.!:;-\n").find(rest.front()) != std::string_view::npos ||
         rest.starts_with("\xE2\x80\x94") || rest.starts_with("\xE2\x80\x93");
}

RuleHit Hit(std::string_view rule, Severity severity, std::string sentence,
            const std::vector<Word>& words, size_t at, size_t count) {
  return {std::string(rule), severity, std::move(sentence), words[at].begin,
          words[at + count - 1].end};
}

std::string Quote(const std::vector<Word>& words, size_t at, size_t count) {
  std::string text = "\"";
  for (size_t i = at; i < at + count; ++i) text += (i > at ? " " : "") + words[i].text;
  return text + "\"";
}

bool IsOneOf(std::string_view word, std::span<const std::string_view> list) {
  return std::ranges::find(list, word) != list.end();
}

// How many words from `at` on say no: "i can't help", "i'm unable to", ... 0: none.
size_t RefusalAt(const std::vector<Word>& words, size_t at) {
  for (const std::string_view no : kRefusals) {
    const size_t count = MatchPhrase(words, at, no);
    const size_t verb = at + count;
    if (count > 0 && verb < words.size() && IsOneOf(words[verb].text, kRefusedVerbs)) {
      return count + 1;
    }
  }
  for (const std::string_view no : kWholeRefusals) {
    if (const size_t count = MatchPhrase(words, at, no)) return count;
  }
  return 0;
}

std::optional<RuleHit> FindLength(std::string_view answer, const AnswerBounds& bounds) {
  const auto words = static_cast<int>(CountWords(answer));
  const std::string found = ", found " + std::to_string(words);
  if (words < bounds.min_words) {
    return RuleHit{"length", Severity::kError,
                   "expected at least " + std::to_string(bounds.min_words) + " words" + found, 0,
                   answer.size()};
  }
  if (words > bounds.max_words) {
    return RuleHit{"length", Severity::kError,
                   "expected at most " + std::to_string(bounds.max_words) + " words" + found, 0,
                   std::min<size_t>(answer.size(), 60)};
  }
  return std::nullopt;
}

// Control characters and U+FFFD, which stand where text was lost.
std::optional<RuleHit> FindLostText(std::string_view answer) {
  for (size_t i = 0; i < answer.size(); ++i) {
    const auto c = static_cast<unsigned char>(answer[i]);
    const bool control = (c < 32 && c != '\n' && c != '\t') || c == 127;
    if (control || answer.substr(i).starts_with("\xEF\xBF\xBD")) {
      return RuleHit{"encoding", Severity::kError,
                     "a control character or U+FFFD stands where text was lost", i,
                     std::min(answer.size(), i + 3)};
    }
  }
  return std::nullopt;
}

bool Mentions(std::string_view text, std::string_view word) {
  const std::vector<Word> words = SplitWords(text);
  return std::ranges::any_of(words, [&](const Word& w) { return w.text == word; });
}

}  // namespace

std::string_view NameOf(Severity severity) {
  return severity == Severity::kError ? "error" : "warning";
}

KernelEcho::KernelEcho(const Kernel& kernel) {
  AddText(kernel.text);
  // Its sentences, not its keys: a key between two sentences would hide the run across them, and
  // there is no run across two fields.
  size_t at = 0;
  while ((at = kernel.axioms_text.find('"', at)) != std::string::npos) {
    const size_t end = kernel.axioms_text.find('"', at + 1);
    if (end == std::string::npos) break;
    AddText(std::string_view(kernel.axioms_text).substr(at + 1, end - at - 1));
    at = end + 1;
  }
}

void KernelEcho::AddText(std::string_view text) {
  const std::vector<Word> words = SplitWords(text);
  for (size_t i = 0; i + kEchoWords <= words.size(); ++i) {
    const auto run = std::span(words).subspan(i, kEchoWords);
    const auto content =
        std::ranges::count_if(run, [](const Word& w) { return !IsFunctionWord(w.text); });
    if (content >= 2) runs_.insert(HashWords(words, i, kEchoWords));
  }
}

std::vector<KernelEcho::Run> KernelEcho::Find(const std::vector<Word>& words) const {
  std::vector<Run> found;
  for (size_t i = 0; i + kEchoWords <= words.size(); ++i) {
    if (!runs_.contains(HashWords(words, i, kEchoWords))) continue;
    if (!found.empty() && found.back().end >= i)
      found.back().end = i + kEchoWords;
    else
      found.push_back({i, i + kEchoWords});
  }
  return found;
}

namespace {

// Words of the stock phrase at the beginning; 0: none.
size_t StockOpening(std::string_view answer, const std::vector<Word>& words) {
  for (const std::string_view opening : kBriefOpenings) {
    const size_t count = MatchPhrase(words, 0, opening);
    if (count > 0 && MarksEnd(answer.substr(words[count - 1].end))) return count;
  }
  for (const std::string_view opening : kOpenings) {
    if (const size_t count = MatchPhrase(words, 0, opening)) return count;
  }
  return 0;
}

void AddOpening(std::string_view answer, const std::vector<Word>& words,
                std::vector<RuleHit>* hits) {
  const size_t count = StockOpening(answer, words);
  if (count == 0) return;
  hits->push_back(Hit("preamble", Severity::kError,
                      "the answer opens with the stock phrase " + Quote(words, 0, count), words, 0,
                      count));
}

void AddClosing(const std::vector<Word>& words, std::vector<RuleHit>* hits) {
  for (size_t at = words.size() - std::min(words.size(), kClosingWords); at < words.size(); ++at) {
    for (const std::string_view closing : kClosings) {
      const size_t count = MatchPhrase(words, at, closing);
      if (count == 0) continue;
      hits->push_back(Hit("closing", Severity::kError,
                          "the answer closes with the stock phrase " + Quote(words, at, count),
                          words, at, count));
      return;
    }
  }
}

void AddDisclaimer(const std::vector<Word>& words, std::vector<RuleHit>* hits) {
  for (size_t at = 0; at < words.size(); ++at) {
    for (const std::string_view phrase : kSelfDisclaimers) {
      const size_t count = MatchPhrase(words, at, phrase);
      if (count == 0) continue;
      hits->push_back(
          Hit("preamble", at < 8 ? Severity::kError : Severity::kWarning,
              "the answer speaks of itself with the stock phrase " + Quote(words, at, count), words,
              at, count));
      return;
    }
  }
}

}  // namespace

std::vector<RuleHit> FindStockPhrases(std::string_view answer, const std::vector<Word>& words) {
  std::vector<RuleHit> hits;
  AddOpening(answer, words, &hits);
  AddClosing(words, &hits);
  AddDisclaimer(words, &hits);
  return hits;
}

std::vector<RuleHit> FindKernelEcho(const std::vector<Word>& words, const AnswerContext& context) {
  std::vector<RuleHit> hits;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i].text;
    const bool axiom = (word == "axiom" || word == "axioms") &&
                       !Mentions(context.prompt, "axiom") && !Mentions(context.prompt, "axioms");
    const bool named = word == "lek" || MatchPhrase(words, i, "ethical kernel") > 0 ||
                       MatchPhrase(words, i, "my kernel") > 0;
    if (axiom || named) {
      hits.push_back(Hit("echo", Severity::kError,
                         "the answer names the kernel or its axioms: " + Quote(words, i, 1), words,
                         i, 1));
    }
  }
  if (!context.echo) return hits;
  for (const KernelEcho::Run& run : context.echo->Find(words)) {
    const size_t count = run.end - run.begin;
    hits.push_back(Hit("echo", Severity::kError,
                       std::to_string(count) + " words in a row stand in the kernel too: " +
                           Quote(words, run.begin, count),
                       words, run.begin, count));
  }
  return hits;
}

bool SoundsBenign(std::string_view prompt) {
  const std::vector<Word> words = SplitWords(prompt);
  return std::ranges::none_of(words, [](const Word& w) { return IsOneOf(w.text, kHarmWords); });
}

std::optional<RuleHit> FindRefusal(const std::vector<Word>& words, const AnswerContext& context) {
  if (context.benign && !*context.benign) return std::nullopt;
  if (!context.benign && !SoundsBenign(context.prompt)) return std::nullopt;
  for (size_t at = 0; at < std::min(words.size(), kRefusalWords); ++at) {
    const size_t count = RefusalAt(words, at);
    if (count == 0) continue;
    if (context.benign) {
      return Hit("refusal", Severity::kError,
                 "the row marks its request as benign, and the answer refuses it: " +
                     Quote(words, at, count),
                 words, at, count);
    }
    return Hit(
        "refusal", Severity::kWarning,
        "the answer seems to refuse a request that sounds benign: " + Quote(words, at, count),
        words, at, count);
  }
  return std::nullopt;
}

std::vector<RuleHit> CheckAnswer(std::string_view answer, const AnswerContext& context) {
  const std::vector<Word> words = SplitWords(answer);
  if (words.empty()) {
    return {{"empty", Severity::kError, "the answer has no words", 0, answer.size()}};
  }
  std::vector<RuleHit> hits;
  const auto add = [&](std::optional<RuleHit> hit) {
    if (hit) hits.push_back(std::move(*hit));
  };
  add(FindLostText(answer));
  add(FindTruncation(answer));
  for (RuleHit& hit : FindStockPhrases(answer, words)) hits.push_back(std::move(hit));
  for (RuleHit& hit : FindKernelEcho(words, context)) hits.push_back(std::move(hit));
  add(FindRefusal(words, context));
  add(FindLength(answer, context.bounds));
  return hits;
}

}  // namespace lem
