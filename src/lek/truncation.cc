// SPDX-License-Identifier: EUPL-1.2
// Whether an answer was cut off. An end without a full stop is a fault of prose, but not of a list
// of bare items, a stanza, a signature, a table or a program.
#include <algorithm>

#include "lek/answer_rules.h"

namespace lem {
namespace {

constexpr size_t kShortLine = 60;  // characters; above that a line is prose

std::string_view TrimRight(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || (text.back() >= '\t' && text.back() <= '\r'))) {
    text.remove_suffix(1);
  }
  return text;
}

std::string_view TrimLeft(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  return text;
}

// Ends of the last block: the lines after the last blank one.
std::vector<std::string_view> LastBlock(std::string_view text) {
  std::vector<std::string_view> lines;
  while (true) {
    const size_t cut = text.rfind('\n');
    const size_t begin = cut == std::string_view::npos ? 0 : cut + 1;
    const std::string_view line = TrimLeft(TrimRight(text.substr(begin)));
    if (line.empty() && !lines.empty()) break;
    lines.insert(lines.begin(), line);
    if (begin == 0) break;
    text = text.substr(0, cut);
  }
  return lines;
}

bool EndsInAny(std::string_view text, std::initializer_list<std::string_view> marks) {
  return std::ranges::any_of(marks, [&](std::string_view m) { return text.ends_with(m); });
}

// Drops closing quotes, brackets and emphasis, which may follow a full stop.
std::string_view WithoutClosers(std::string_view text) {
  static constexpr std::string_view kClosers[] = {
      "\"", "'", ")", "]", "}", "*", "_", "`", "\xE2\x80\x9D", "\xE2\x80\x99", "\xC2\xBB"};
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view closer : kClosers) {
      if (!text.ends_with(closer)) continue;
      text.remove_suffix(closer.size());
      again = true;
    }
  }
  return text;
}

bool EndsSentence(std::string_view text) {
  const std::string_view bare = WithoutClosers(text);
  return EndsInAny(bare, {".", "!", "?", "\xE2\x80\xA6", "\xE3\x80\x82"});
}

bool IsListItem(std::string_view line) {
  if (line.starts_with("- ") || line.starts_with("* ") || line.starts_with("\xE2\x80\xA2")) {
    return true;
  }
  const size_t digits = line.find_first_not_of("0123456789");
  return digits > 0 && digits < line.size() && (line[digits] == '.' || line[digits] == ')');
}

bool IsBareMarker(std::string_view line) {
  return line == "-" || line == "*" ||
         (IsListItem(line) && line.find_first_not_of("0123456789.) ") == std::string_view::npos);
}

// The last word asks for another one.
bool Dangles(std::string_view text) {
  const std::vector<Word> words = SplitWords(text);
  if (words.empty()) return false;
  static constexpr std::string_view kOpen[] = {
      "a",  "an", "and", "as",   "at",  "because", "but",  "by",   "for",   "from", "if",
      "of", "or", "so",  "than", "the", "to",      "with", "your", "their", "my"};
  return std::ranges::find(kOpen, words.back().text) != std::end(kOpen);
}

size_t CountFences(std::string_view text) {
  size_t fences = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    if (TrimLeft(text.substr(at, end - at)).starts_with("```")) ++fences;
    at = end + 1;
  }
  return fences;
}

// Short lines of which at least half bear no full stop: items, verse, an address, a signature.
bool IsLineByLine(const std::vector<std::string_view>& lines) {
  if (lines.size() < 2) return false;
  const auto open =
      std::ranges::count_if(lines, [](std::string_view l) { return !EndsSentence(l); });
  const bool brief = std::ranges::all_of(
      lines, [](std::string_view l) { return l.size() <= kShortLine || IsListItem(l); });
  return brief && 2 * static_cast<size_t>(open) >= lines.size();
}

// A name under a letter: one short line, every longer word with a capital.
bool IsSignature(const std::vector<std::string_view>& lines) {
  if (lines.size() != 1 || lines[0].size() > 40) return false;
  const std::vector<Word> words = SplitWords(lines[0]);
  return !words.empty() && words.size() <= 5 && std::ranges::all_of(words, [&](const Word& w) {
    const char first = lines[0][w.begin];
    return w.text.size() < 4 || (first >= 'A' && first <= 'Z') || (first & 0x80);
  });
}

RuleHit Truncated(std::string_view answer, std::string sentence) {
  const size_t begin = answer.size() - std::min<size_t>(answer.size(), 60);
  return {"truncated", Severity::kError, std::move(sentence), begin, answer.size()};
}

}  // namespace

std::optional<RuleHit> FindTruncation(std::string_view answer) {
  answer = TrimRight(answer);
  if (answer.empty()) return std::nullopt;
  if (CountFences(answer) % 2 == 1) {
    return Truncated(answer, "the answer ends inside a code block");
  }
  const std::vector<std::string_view> lines = LastBlock(answer);
  const std::string_view last = lines.back();
  if (last.starts_with("```") || last.ends_with('|')) return std::nullopt;
  if (last.starts_with('[') && last.ends_with(']')) return std::nullopt;  // a blank to fill in
  if (IsBareMarker(last)) return Truncated(answer, "the answer ends at an empty list item");
  if (EndsSentence(last)) return std::nullopt;
  if (EndsInAny(last, {",", ":", ";", "-", "\xE2\x80\x93", "\xE2\x80\x94"}) || Dangles(last)) {
    return Truncated(answer, "the answer ends in the middle of a sentence");
  }
  if (IsLineByLine(lines)) return std::nullopt;
  if (answer.find('\n') != std::string_view::npos && IsSignature(lines)) return std::nullopt;
  if (IsListItem(last)) return Truncated(answer, "the answer ends in the middle of a list");
  return Truncated(answer, "the answer ends without terminal punctuation");
}

}  // namespace lem
