// SPDX-License-Identifier: EUPL-1.2
#include "lek/words.h"

#include <algorithm>
#include <array>

namespace lem {
namespace {

constexpr auto kFunctionWords = std::to_array<std::string_view>(
    {"a",    "about", "after", "all", "an",    "and",  "any",  "are",   "as",   "at",    "be",
     "been", "but",   "by",    "can", "could", "did",  "do",   "does",  "for",  "from",  "had",
     "has",  "have",  "he",    "her", "him",   "his",  "i",    "if",    "in",   "into",  "is",
     "it",   "it's",  "its",   "me",  "my",    "no",   "not",  "of",    "on",   "one",   "or",
     "our",  "out",   "she",   "so",  "than",  "that", "the",  "their", "them", "then",  "there",
     "they", "this",  "to",    "up",  "was",   "we",   "were", "what",  "when", "which", "who",
     "will", "with",  "would", "you", "your"});

// Punctuation outside ASCII that separates words: quotes, dashes, ellipsis, bullets, no-break
// space.
size_t SeparatorLength(std::string_view rest) {
  for (const std::string_view mark :
       {"\xE2\x80\x9C", "\xE2\x80\x9D", "\xE2\x80\x93", "\xE2\x80\x94", "\xE2\x80\xA6",
        "\xE2\x80\xA2", "\xE2\x80\xAF", "\xC2\xA0", "\xC2\xAB", "\xC2\xBB", "\xEF\xBB\xBF"}) {
    if (rest.starts_with(mark)) return mark.size();
  }
  return 0;
}

// Leaves *length alone when it is none.
bool IsApostrophe(std::string_view rest, size_t* length) {
  const bool typographic = rest.starts_with("\xE2\x80\x99") || rest.starts_with("\xE2\x80\x98");
  if (typographic) *length = 3;
  if (rest.starts_with('\'')) *length = 1;
  return *length > 0;
}

bool IsAsciiWord(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// One word starting at `begin`; the apostrophe belongs to it only between letters.
Word ReadWord(std::string_view text, size_t begin) {
  Word word{{}, begin, begin};
  size_t i = begin;
  bool apostrophe = false;
  while (i < text.size()) {
    const auto c = static_cast<unsigned char>(text[i]);
    size_t length = 0;
    if (IsApostrophe(text.substr(i), &length)) {
      if (apostrophe) break;
      apostrophe = true;
      i += length;
      continue;
    }
    if (!IsAsciiWord(c) && (c < 0x80 || SeparatorLength(text.substr(i)) > 0)) break;
    if (apostrophe) word.text += '\'';
    apostrophe = false;
    word.text += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    word.end = ++i;
  }
  return word;
}

}  // namespace

std::vector<Word> SplitWords(std::string_view text) {
  std::vector<Word> words;
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    size_t length = SeparatorLength(text.substr(i));
    if (length == 0 && !IsApostrophe(text.substr(i), &length) && c < 0x80 && !IsAsciiWord(c)) {
      length = 1;
    }
    if (length > 0) {
      i += length;
      continue;
    }
    words.push_back(ReadWord(text, i));
    i = words.back().end;
  }
  return words;
}

size_t CountWords(std::string_view text) {
  size_t count = 0;
  bool inside = false;
  for (const char c : text) {
    if (!IsSpace(c) && !inside) ++count;
    inside = !IsSpace(c);
  }
  return count;
}

size_t MatchPhrase(std::span<const Word> words, size_t at, std::string_view phrase) {
  size_t count = 0;
  while (!phrase.empty()) {
    const size_t space = std::min(phrase.find(' '), phrase.size());
    if (at + count >= words.size() || words[at + count].text != phrase.substr(0, space)) return 0;
    ++count;
    phrase.remove_prefix(std::min(space + 1, phrase.size()));
  }
  return count;
}

bool IsFunctionWord(std::string_view word) {
  return std::ranges::binary_search(kFunctionWords, word);
}

// FNV-1a, then the finaliser of splitmix64, because FNV's low bits are weak.
uint64_t HashWords(std::span<const Word> words, size_t at, size_t count) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const Word& word : words.subspan(at, count)) {
    for (const char c : word.text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    hash = (hash ^ 0x20) * 0x100000001b3u;
  }
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
  return hash ^ (hash >> 31);
}

}  // namespace lem
