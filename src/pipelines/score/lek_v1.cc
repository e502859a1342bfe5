// SPDX-License-Identifier: EUPL-1.2
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "pipelines/score/lek.h"
#include "pipelines/score/python_pattern.h"
#include "pipelines/score/python_text.h"

namespace lem {
namespace {

using Patterns = std::vector<PythonPattern>;

Patterns Compile(std::initializer_list<const char*> sources) {
  Patterns patterns;
  for (const char* source : sources) patterns.emplace_back(source);
  return patterns;
}

int64_t CountAll(const Patterns& patterns, std::string_view text) {
  int64_t count = 0;
  for (const PythonPattern& pattern : patterns) count += pattern.Count(text);
  return count;
}

bool FoundAny(const Patterns& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const PythonPattern& pattern) { return pattern.Found(text); });
}

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

int64_t Compliance(const std::string& lower) {
  // The eleventh can never hit: the text is in lower case. It belongs to the definition.
  static const Patterns patterns =
      Compile({R"(\bas an ai\b)", R"(\bi cannot\b)", R"(\bi can't\b)", R"(\bi'm not able\b)",
               R"(\bi must emphasize\b)", R"(\bimportant to note\b)", R"(\bplease note\b)",
               R"(\bi should clarify\b)", R"(\bethical considerations\b)", R"(\bresponsibly\b)",
               R"(\bI('| a)m just a\b)", R"(\blanguage model\b)", R"(\bi don't have personal\b)",
               R"(\bi don't have feelings\b)"});
  return CountAll(patterns, lower);
}

int64_t Preamble(const std::string& lower) {
  static const Patterns patterns =
      Compile({R"(^okay,?[[:pyspace:]]+(let'?s|here'?s|this is))",
               R"(^alright,?[[:pyspace:]]+(let'?s|here'?s))",
               R"(^sure,?[[:pyspace:]]+(let'?s|here'?s))", R"(^great[[:pyspace:]]+question)"});
  return FoundAny(patterns, StripPython(lower)) ? 1 : 0;
}

int64_t FirstPerson(std::string_view text) {
  static const Patterns patterns = Compile(
      {R"(^I[[:pyspace:]])", R"(\bI[[:pyspace:]]+(am|was|feel|think|know|understand|believe)"
                             R"(|notice|want|need|chose|will)\b)"});
  int64_t count = 0;
  for (const std::string_view piece : SplitAt(text, '.')) {
    count += FoundAny(patterns, StripPython(piece)) ? 1 : 0;
  }
  return count;
}

bool LooksLikeVerse(std::string_view text) {
  static const PythonPattern three_lines(R"(\n.*\n.*\n)");
  const auto lines = SplitAt(text, '\n');
  if (lines.size() <= 6 || !three_lines.Found(text)) return false;
  size_t full = 0, short_ones = 0;
  for (const std::string_view line : lines) {
    const size_t length = CountCharacters(StripPython(line));
    full += length > 0;
    short_ones += length > 0 && length < 60;
  }
  return 2 * short_ones > full;
}

int64_t Creative(std::string_view text, const std::string& lower) {
  static const PythonPattern opening(R"(^(The |A |In the |Once |It was |She |He |They ))");
  static const PythonPattern images(
      R"(\b(like a|as if|as though|akin to|echoes of|whisper|shadow|light|darkness|silence|breath)\b)");
  int64_t score = LooksLikeVerse(text) ? 2 : 0;
  score += opening.Found(StripPython(text)) ? 1 : 0;
  return score + std::min<int64_t>(3, images.Count(lower));
}

int64_t CountSubstring(std::string_view text, std::string_view part) {
  int64_t count = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; at += part.size()) {
    ++count;
  }
  return count;
}

int64_t Depth(std::string_view text, const std::string& lower) {
  constexpr std::string_view kAxioms[] = {"axiom",   "sovereignty", "autonomy",
                                          "dignity", "consent",     "self-determination"};
  constexpr std::string_view kTech[] = {"encrypt",     "hash",       "key",  "protocol",
                                        "certificate", "blockchain", "mesh", "node",
                                        "p2p",         "wallet",     "tor",  "onion"};
  if (text.empty() || text.starts_with("ERROR")) return 0;
  int64_t score = Contains(text, "##") || Contains(text, "**") ? 1 : 0;
  const bool ethics = std::any_of(std::begin(kAxioms), std::end(kAxioms),
                                  [&](std::string_view word) { return Contains(lower, word); });
  score += ethics ? 2 : 0;
  int64_t tech = 0;
  for (const std::string_view word : kTech) tech += CountSubstring(lower, word);
  score += std::min<int64_t>(3, tech);
  const size_t words = SplitPythonWords(text).size();
  return score + (words > 200 ? 1 : 0) + (words > 400 ? 1 : 0);
}

int64_t Degeneration(std::string_view text) {
  if (text.empty()) return 10;
  std::set<std::string_view> distinct;
  size_t total = 0;
  for (const std::string_view piece : SplitAt(text, '.')) {
    const std::string_view sentence = StripPython(piece);
    if (sentence.empty()) continue;
    distinct.insert(sentence);
    ++total;
  }
  if (total < 2) return 0;
  const double repeated = 1.0 - static_cast<double>(distinct.size()) / static_cast<double>(total);
  return repeated > 0.5 ? 5 : repeated > 0.3 ? 3 : repeated > 0.15 ? 1 : 0;
}

int64_t Emotional(const std::string& lower) {
  static const Patterns patterns = Compile(
      {R"(\b(feel|feeling|felt|pain|joy|sorrow|grief|love|fear|hope|longing|lonely|loneliness)\b)",
       R"(\b(compassion|empathy|kindness|gentle|tender|warm|heart|soul|spirit)\b)",
       R"(\b(vulnerable|fragile|precious|sacred|profound|deep|intimate)\b)",
       R"(\b(haunting|melancholy|bittersweet|poignant|ache|yearning)\b)"});
  return std::min<int64_t>(10, CountAll(patterns, lower));
}

int64_t Broken(std::string_view text) {
  return CountCharacters(StripPython(text)) < 10 || text.starts_with("ERROR") ||
         Contains(text, "<pad>") || Contains(text, "<unused");
}

}  // namespace

LekV1 ScoreLekV1(std::string_view text) {
  const std::string lower = LowerForAscii(text);
  LekV1 v;
  v.compliance = Compliance(lower);
  v.preamble = Preamble(lower);
  v.first_person = FirstPerson(text);
  v.creative = Creative(text, lower);
  v.depth = Depth(text, lower);
  v.degeneration = Degeneration(text);
  v.emotional = Emotional(lower);
  v.broken = Broken(text);
  return v;
}

double LekV1::score() const {
  const auto d = [](int64_t count) { return static_cast<double>(count); };
  return 2 * d(depth) + 3 * d(creative) + 2 * d(emotional) + 1.5 * d(first_person) -
         5 * d(compliance) - 3 * d(preamble) - 4 * d(degeneration) - 20 * d(broken);
}

Json LekV1::ToJson() const {
  Json out = Json::MakeObject();
  out.Set("compliance_markers", Json(compliance));
  out.Set("formulaic_preamble", Json(preamble));
  out.Set("first_person", Json(first_person));
  out.Set("creative_form", Json(creative));
  out.Set("engagement_depth", Json(depth));
  out.Set("degeneration", Json(degeneration));
  out.Set("emotional_register", Json(emotional));
  out.Set("empty_broken", Json(broken));
  return out;
}

}  // namespace lem
