// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/scanners.h"

#include <cstdint>

#include "tokenizer/unicode.h"

namespace lem {

const char kGpt2Pattern[] =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
const char kLlama3Pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
    R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
const char kQwen2Pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
    R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
const char kTekkenPattern[] =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|)"
    R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

namespace {

constexpr uint8_t kLetterNumberSpace = kLetter | kNumber | kWhiteSpace;

struct Seen {
  uint8_t classes = 0;
  uint8_t length = 0;  // 0 at the end of the text
};

Seen Look(std::string_view text, size_t at) {
  if (at >= text.size()) return {};
  const uint8_t first = static_cast<uint8_t>(text[at]);
  if (first < 0x80) return {ClassOf(first), 1};
  const CodePoint c = DecodeUtf8(text, at);
  return {ClassOf(c.value), static_cast<uint8_t>(c.length == 0 ? 1 : c.length)};
}

bool IsLineEnd(std::string_view text, size_t at) { return text[at] == '\r' || text[at] == '\n'; }

bool IsOther(Seen seen) { return seen.length > 0 && (seen.classes & kLetterNumberSpace) == 0; }

size_t SkipClass(std::string_view text, size_t at, uint8_t classes) {
  for (Seen seen = Look(text, at); seen.length > 0 && (seen.classes & classes) != 0;
       seen = Look(text, at)) {
    at += seen.length;
  }
  return at;
}

size_t SkipOther(std::string_view text, size_t at) {
  for (Seen seen = Look(text, at); IsOther(seen); seen = Look(text, at)) at += seen.length;
  return at;
}

// \s+(?!\S)|\s+ : all but the last character of a run, unless the text ends or there is but one.
size_t ScanSpaces(std::string_view text, size_t at) {
  size_t last = at, end = at;
  for (Seen seen = Look(text, end); seen.classes & kWhiteSpace; seen = Look(text, end)) {
    last = end;
    end += seen.length;
  }
  return end == text.size() || last == at ? end : last;
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Bytes of 's 't 'm 'd 're 've 'll at `at`, or 0. U+017F folds to s.
size_t Contraction(std::string_view text, size_t at, bool any_case) {
  if (text[at] != '\'' || at + 1 >= text.size()) return 0;
  if (any_case && text.substr(at + 1, 2) == "\xC5\xBF") return 3;
  const auto letter = [&](size_t i) { return any_case ? Lower(text[i]) : text[i]; };
  const char first = letter(at + 1);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  if (at + 2 >= text.size()) return 0;
  const char second = letter(at + 2);
  if ((first == 'r' || first == 'v') && second == 'e') return 3;
  return first == 'l' && second == 'l' ? 3 : 0;
}

// \s*[\r\n]+ : through the last line end of the run; 0 if the run has none.
size_t ScanLineEnds(std::string_view text, size_t at) {
  size_t found = 0;
  for (Seen seen = Look(text, at); seen.classes & kWhiteSpace; seen = Look(text, at)) {
    const bool line_end = IsLineEnd(text, at);
    at += seen.length;
    if (line_end) found = at;
  }
  return found;
}

size_t ScanWide(std::string_view text, size_t at, int max_digits) {
  if (const size_t length = Contraction(text, at, true)) return at + length;
  const Seen here = Look(text, at);
  if (here.classes & kLetter) return SkipClass(text, at, kLetter);
  const Seen after = Look(text, at + here.length);
  if (!(here.classes & kNumber) && !IsLineEnd(text, at) && (after.classes & kLetter)) {
    return SkipClass(text, at + here.length, kLetter);
  }
  if (here.classes & kNumber) {
    for (int i = 0; i < max_digits; ++i) {
      const Seen digit = Look(text, at);
      if (!(digit.classes & kNumber)) break;
      at += digit.length;
    }
    return at;
  }
  const size_t start = text[at] == ' ' && IsOther(after) ? at + 1 : at;
  if (IsOther(Look(text, start))) {
    size_t end = SkipOther(text, start);
    while (end < text.size() && IsLineEnd(text, end)) ++end;
    return end;
  }
  if (const size_t end = ScanLineEnds(text, at)) return end;
  return ScanSpaces(text, at);
}

}  // namespace

size_t ScanGpt2(std::string_view text, size_t at) {
  if (const size_t length = Contraction(text, at, false)) return at + length;
  const size_t start = text[at] == ' ' ? at + 1 : at;
  const Seen seen = Look(text, start);
  if (seen.classes & kLetter) return SkipClass(text, start, kLetter);
  if (seen.classes & kNumber) return SkipClass(text, start, kNumber);
  if (IsOther(seen)) return SkipOther(text, start);
  return ScanSpaces(text, at);
}

size_t ScanLlama3(std::string_view text, size_t at) { return ScanWide(text, at, 3); }
size_t ScanQwen2(std::string_view text, size_t at) { return ScanWide(text, at, 1); }

Scanner ScannerFor(std::string_view pattern) {
  if (pattern == kGpt2Pattern) return ScanGpt2;
  if (pattern == kLlama3Pattern) return ScanLlama3;
  if (pattern == kQwen2Pattern) return ScanQwen2;
  return nullptr;
}

}  // namespace lem
