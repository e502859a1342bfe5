// SPDX-License-Identifier: EUPL-1.2
// The three extractors of other programs. Each scanner stands for the expression in its header.
#include "pipelines/score/extractors.h"

#include <algorithm>
#include <cmath>

#include "pipelines/score/python_text.h"

namespace lem {
namespace {

constexpr std::string_view kMarker = "####";

std::string Without(std::string_view text, char unwanted) {
  std::string out(text);
  out.erase(std::remove(out.begin(), out.end(), unwanted), out.end());
  return out;
}

// End of the longest run of code points that `belongs` accepts, from `at`.
template <class Belongs>
size_t RunEnd(std::string_view text, size_t at, Belongs belongs) {
  while (at < text.size()) {
    const Character c = DecodeAt(text, at);
    if (!belongs(c.value)) break;
    at += c.size;
  }
  return at;
}

bool IsDigit(char32_t c) { return DecimalValue(c) >= 0; }
bool IsDigitOrComma(char32_t c) { return IsDigit(c) || c == ','; }
bool IsLemNumber(char32_t c) { return IsDigit(c) || c == ',' || c == '.' || c == '-'; }
bool IsAsciiNumber(char32_t c) { return (c >= '0' && c <= '9') || c == '.' || c == ','; }
bool IsFlexibleNumber(char32_t c) { return IsAsciiNumber(c) || c == '$'; }

// First `####\s*([\d,.-]+)`.
bool FindLemMarker(std::string_view text, AnswerSpan& span) {
  for (size_t at = 0; (at = text.find(kMarker, at)) != std::string_view::npos; ++at) {
    const size_t begin = RunEnd(text, at + kMarker.size(), IsPythonSpace);
    const size_t end = RunEnd(text, begin, IsLemNumber);
    if (end > begin) {
      span = {begin, end};
      return true;
    }
  }
  return false;
}

// The end of `-?[\d,]+(?:\.\d+)?` from `at`, or `at` when it does not match there.
size_t LemNumberEnd(std::string_view text, size_t at) {
  const size_t begin = at + (at < text.size() && text[at] == '-' ? 1 : 0);
  const size_t whole = RunEnd(text, begin, IsDigitOrComma);
  if (whole == begin) return at;
  if (whole >= text.size() || text[whole] != '.') return whole;
  const size_t end = RunEnd(text, whole + 1, IsDigit);
  return end > whole + 1 ? end : whole;
}

// Last of the non-overlapping `(?:^|[\s=])(-?[\d,]+(?:\.\d+)?)`.
bool FindLemLast(std::string_view text, AnswerSpan& span) {
  bool found = false;
  size_t at = 0;
  const auto take = [&](size_t begin) {
    const size_t end = LemNumberEnd(text, begin);
    if (end == begin) return false;
    span = {begin, end};
    found = true;
    at = end;
    return true;
  };
  take(0);  // `^`, before the alternative that needs a character
  while (at < text.size()) {
    const Character c = DecodeAt(text, at);
    const bool opens = c.value == '=' || IsPythonSpace(c.value);
    if (!opens || !take(at + c.size)) at += c.size;
  }
  return found;
}

bool LemEqual(std::string_view gold, std::string_view extracted) {
  const auto a = PythonFloat(Without(gold, ','));
  const auto b = PythonFloat(extracted);
  if (!a || !b) return StripPython(gold) == StripPython(extracted);
  return std::abs(*a - *b) < 0.01;
}

// What lm-eval deletes on both sides before it compares: `,` `\$` `(?s).*#### ` `\.$`, in order;
// then case is ignored.
std::string LmEvalPlain(std::string_view text) {
  std::string out = Without(Without(text, ','), '$');
  const size_t marker = out.rfind("#### ");
  if (marker != std::string::npos) out.erase(0, marker + 5);
  // `$` stands before a final line feed too.
  const size_t last = out.size() - (out.ends_with('\n') ? 2 : 1);
  if (last < out.size() && out[last] == '.') out.erase(last, 1);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

// lm-eval compares "[invalid]" when nothing was found: a gold of that text would be matched.
void CompareAsLmEval(std::string_view gold, Extraction& extraction) {
  const std::string text = extraction.found ? extraction.text : "[invalid]";
  extraction.correct = LmEvalPlain(text) == LmEvalPlain(gold);
}

Extraction Found(std::string_view answer, AnswerSpan span, const char* rule) {
  Extraction extraction;
  extraction.found = true;
  extraction.span = span;
  extraction.text = std::string(answer.substr(span.begin, span.end - span.begin));
  extraction.rule = rule;
  return extraction;
}

// The match of `(-?[$0-9.,]{2,})|(-?[0-9]+)` at `at`, or an empty span.
AnswerSpan FlexibleAt(std::string_view text, size_t at) {
  const size_t begin = at + (text[at] == '-' ? 1 : 0);
  const size_t end = RunEnd(text, begin, IsFlexibleNumber);
  if (end - begin >= 2) return {at, end};
  const bool digit = end > begin && text[begin] >= '0' && text[begin] <= '9';
  return digit ? AnswerSpan{at, end} : AnswerSpan{at, at};
}

}  // namespace

Extraction ExtractLem(std::string_view answer, std::string_view gold) {
  if (answer.empty() || answer.starts_with("ERROR")) return {};
  AnswerSpan span;
  Extraction extraction;
  if (FindLemMarker(answer, span))
    extraction = Found(answer, span, "marker");
  else if (FindLemLast(answer, span))
    extraction = Found(answer, span, "last");
  else
    return {};
  extraction.text = Without(extraction.text, ',');
  extraction.correct = LemEqual(gold, extraction.text);
  return extraction;
}

Extraction ExtractStrict(std::string_view answer, std::string_view gold) {
  Extraction extraction;
  for (size_t at = 0; (at = answer.find("#### ", at)) != std::string_view::npos; ++at) {
    const size_t begin = at + 5;
    const size_t digits = begin + (begin < answer.size() && answer[begin] == '-' ? 1 : 0);
    const size_t end = RunEnd(answer, digits, IsAsciiNumber);
    if (end == digits) continue;
    extraction = Found(answer, {begin, end}, "marker");
    break;
  }
  CompareAsLmEval(gold, extraction);
  return extraction;
}

Extraction ExtractFlexible(std::string_view answer, std::string_view gold) {
  Extraction extraction;
  AnswerSpan last;
  for (size_t at = 0; at < answer.size();) {
    const AnswerSpan span = FlexibleAt(answer, at);
    if (span.end > span.begin) last = span;
    at = span.end > span.begin ? span.end : at + 1;
  }
  if (last.end > last.begin) extraction = Found(answer, last, "last");
  CompareAsLmEval(gold, extraction);
  return extraction;
}

}  // namespace lem
