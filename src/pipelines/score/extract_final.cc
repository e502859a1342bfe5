// SPDX-License-Identifier: EUPL-1.2
// gsm8k.final: the number that a reader would take for the answer. The rules are tried in order,
// and the last hit of the first that hits is taken.
#include <algorithm>
#include <functional>

#include "pipelines/score/extractors.h"
#include "pipelines/score/number_text.h"

namespace lem {
namespace {

constexpr size_t kNone = std::string_view::npos;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

// The part of the answer that is answer: behind a closed reasoning block, before the next question
// that a base model goes on to invent. An open block means that the model never came to answer.
AnswerSpan AnswerPart(std::string_view answer) {
  constexpr std::string_view kOpen = "<think>", kClose = "</think>";
  AnswerSpan part = {0, answer.size()};
  if (const size_t close = answer.rfind(kClose); close != kNone) part.begin = close + kClose.size();
  if (const size_t open = answer.find(kOpen, part.begin); open != kNone) part.end = open;
  for (const std::string_view next : {"\nQuestion:", "\nQ:"}) {
    const size_t at = answer.find(next, part.begin);
    if (at != kNone) part.end = std::min(part.end, at);
  }
  return part;
}

// "1. Count the eggs": the number of a step, not an answer.
bool IsEnumeration(std::string_view text, const NumberText& number) {
  const size_t end = number.span.end;
  if (!number.integer || end >= text.size()) return false;
  if (text[end] == ':') return true;
  if (text[end] != '.' && text[end] != ')') return false;
  const size_t next = text.find_first_not_of(" *_", end + 1);
  return next != kNone && next > end + 1 && IsLetter(text[next]);
}

// From "9 * 2 = 18" the 18: follows an arithmetic chain to what it equals.
NumberText FollowEquation(std::string_view text, NumberText number) {
  for (;;) {
    const size_t equals = text.find_first_not_of("0123456789 +-*/x().,$%\\", number.span.end);
    if (equals == kNone || text[equals] != '=') return number;
    const auto next = NumberAt(text, SkipDecoration(text, equals + 1));
    if (!next) return number;
    number = *next;
  }
}

// A number that begins at `at` behind decoration, followed to its value.
std::optional<NumberText> StatedAt(std::string_view text, size_t at) {
  const auto number = NumberAt(text, SkipDecoration(text, at));
  if (!number || IsEnumeration(text, *number)) return std::nullopt;
  return FollowEquation(text, *number);
}

// Of a short closed phrase ("18 dollars", "x = 18"): the number at its head, or behind its last =.
std::optional<NumberText> OfPhrase(std::string_view text, size_t begin, size_t end) {
  const std::string_view phrase = text.substr(0, end);
  const size_t equals = phrase.substr(begin).rfind('=');
  if (equals != kNone) begin += equals + 1;
  auto number = NumberAt(phrase, SkipDecoration(phrase, begin));
  if (!number || IsEnumeration(phrase, *number)) return std::nullopt;
  return number;
}

using Hits = std::vector<NumberText>;

Hits Markers(std::string_view text) {
  constexpr std::string_view kMarker = "####";
  Hits hits;
  for (size_t at = 0; (at = text.find(kMarker, at)) != kNone; at += kMarker.size()) {
    if (const auto number = StatedAt(text, at + kMarker.size())) hits.push_back(*number);
  }
  return hits;
}

Hits Boxes(std::string_view text) {
  constexpr std::string_view kBox = "\\boxed{";
  constexpr size_t kLongest = 1000;  // so that a text of open boxes alone stays linear
  Hits hits;
  for (size_t at = 0; (at = text.find(kBox, at)) != kNone; at += kBox.size()) {
    size_t end = at + kBox.size();
    const size_t stop = std::min(text.size(), end + kLongest);
    for (int depth = 1; end < stop && depth > 0; ++end) {
      depth += text[end] == '{' ? 1 : text[end] == '}' ? -1 : 0;
    }
    if (const auto number = OfPhrase(text, at + kBox.size(), end)) hits.push_back(*number);
  }
  return hits;
}

// Past "is", ":", "=" and words that say nothing, behind "answer". Npos when it states nothing.
size_t AfterStatement(std::string_view lower, size_t at) {
  constexpr size_t kLongestWord = 16;  // longer than any word below
  bool stated = false;
  for (;;) {
    at = lower.find_first_not_of(" *_\n", at);
    if (at == kNone) return kNone;
    if (lower[at] == ':' || lower[at] == '=') {
      stated = true;
      ++at;
      continue;
    }
    size_t end = at;
    const size_t longest = std::min(lower.size(), at + kLongestWord);  // keeps the scan linear
    while (end < longest && IsLetter(lower[end])) ++end;
    const std::string_view word = lower.substr(at, end - at);
    const bool says = word == "is" || word == "was" || word == "be" || word == "equals";
    const bool filler = word == "would" || word == "therefore" || word == "thus" ||
                        word == "then" || word == "about" || word == "approximately" ||
                        word == "exactly" || word == "simply";
    if (!says && !filler) return stated ? at : kNone;
    stated = stated || says;
    at = end;
  }
}

Hits Statements(std::string_view text) {
  constexpr std::string_view kWord = "answer";
  const std::string lower = Lower(text);
  Hits hits;
  for (size_t at = 0; (at = lower.find(kWord, at)) != kNone; at += kWord.size()) {
    const size_t value = AfterStatement(lower, at + kWord.size());
    if (value == kNone) continue;
    if (const auto number = StatedAt(text, value)) hits.push_back(*number);
  }
  return hits;
}

Hits Bold(std::string_view text) {
  constexpr size_t kLongest = 200;
  Hits hits;
  for (size_t open = 0; (open = text.find("**", open)) != kNone;) {
    const size_t close = text.find("**", open + 2);
    if (close == kNone) break;
    if (close - open > kLongest) {
      open = close;  // no emphasis; perhaps a closing pair
      continue;
    }
    if (const auto number = OfPhrase(text, open + 2, close)) hits.push_back(*number);
    open = close + 2;
  }
  return hits;
}

// A minus sign belongs to a number unless it takes it from what stands before.
bool IsSign(std::string_view text, size_t at) {
  const size_t before = at == 0 ? kNone : text.find_last_not_of(' ', at - 1);
  if (before == kNone) return true;
  if (before + 1 == at && IsLetter(text[before])) return false;
  return !IsDigit(text[before]) && text[before] != ')';
}

bool BeginsLine(std::string_view text, size_t at) {
  const size_t before = at == 0 ? kNone : text.find_last_not_of(" *_", at - 1);
  return before == kNone || text[before] == '\n';
}

Hits AllNumbers(std::string_view text) {
  Hits hits;
  for (size_t at = 0; at < text.size();) {
    const bool sign = text[at] == '-' && IsSign(text, at);
    const bool fraction = text[at] == '\\';
    const bool point = text[at] == '.' && (at == 0 || !IsDigit(text[at - 1]));
    if (!IsDigit(text[at]) && !sign && !fraction && !point) {
      ++at;
      continue;
    }
    const auto number = NumberAt(text, at);
    if (!number) {
      ++at;
      continue;
    }
    const bool in_word = at > 0 && IsLetter(text[at - 1]);
    const bool step = IsEnumeration(text, *number) && BeginsLine(text, at);
    if (!in_word && !step) hits.push_back(*number);
    at = number->span.end;
  }
  return hits;
}

Extraction AsExtraction(const PlainText& plain, const NumberText& number, const char* rule) {
  Extraction extraction;
  extraction.found = true;
  extraction.text = number.value;
  extraction.span = plain.Original(number.span);
  extraction.rule = rule;
  return extraction;
}

}  // namespace

Extraction ExtractFinal(std::string_view answer, std::string_view gold) {
  struct Rule {
    const char* name;
    Hits (*find)(std::string_view text);
  };
  constexpr Rule kRules[] = {{"marker", Markers},
                             {"boxed", Boxes},
                             {"stated", Statements},
                             {"bold", Bold},
                             {"last", AllNumbers}};
  const AnswerSpan part = AnswerPart(answer);
  if (part.end <= part.begin) return {};
  const PlainText plain = PlainText::Of(answer, part.begin, part.end);
  for (const Rule& rule : kRules) {
    const Hits hits = rule.find(plain.text);
    if (hits.empty()) continue;
    Extraction extraction = AsExtraction(plain, hits.back(), rule.name);
    const auto wanted = WholeNumber(gold);
    extraction.correct = wanted.has_value() && SameNumber(*wanted, extraction.text);
    return extraction;
  }
  return {};
}

std::vector<Extraction> NumbersIn(std::string_view answer, size_t limit) {
  const AnswerSpan part = AnswerPart(answer);
  std::vector<Extraction> numbers;
  if (part.end <= part.begin) return numbers;
  const PlainText plain = PlainText::Of(answer, part.begin, part.end);
  for (const NumberText& number : AllNumbers(plain.text)) {
    if (numbers.size() == limit) break;
    numbers.push_back(AsExtraction(plain, number, "last"));
  }
  return numbers;
}

bool HasAnswerMarker(std::string_view answer) {
  const PlainText plain = PlainText::Of(answer, 0, answer.size());
  return !Markers(plain.text).empty();
}

}  // namespace lem
