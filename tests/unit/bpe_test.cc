// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/bpe.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/support/error_text.h"

namespace lem {
namespace {

using testing::ErrorText;

Vocabulary MakeVocabulary(const std::vector<std::pair<std::string, PieceKind>>& pieces) {
  std::vector<PieceEntry> entries;
  for (const auto& [text, kind] : pieces) entries.push_back({text, kind, true});
  return Vocabulary(entries, "test");
}

Vocabulary Letters(const std::vector<std::string>& pieces) {
  std::vector<std::pair<std::string, PieceKind>> all;
  for (const auto& piece : pieces) all.emplace_back(piece, PieceKind::kNormal);
  return MakeVocabulary(all);
}

std::vector<int32_t> Encode(const Bpe& bpe, std::string_view text) {
  BpeScratch scratch;
  std::vector<int32_t> ids, again;
  bpe.Encode(text, &scratch, &ids);
  bpe.Encode(text, &scratch, &again);  // the second time from memory
  EXPECT_EQ(ids, again) << text;
  return ids;
}

TEST(Bpe, TakesTheBestRankFirstAndTheLeftmostOfEquals) {
  const Vocabulary v = Letters({"a", "b", "ab", "ba", "aba"});
  EXPECT_EQ(Encode(Bpe(v, {}, {{0, 1}, {1, 0}}), "abab"), (std::vector<int32_t>{2, 2}));
  EXPECT_EQ(Encode(Bpe(v, {}, {{1, 0}, {0, 1}}), "abab"), (std::vector<int32_t>{0, 3, 1}));
  EXPECT_EQ(Encode(Bpe(v, {}, {{0, 1}, {2, 0}}), "aba"), (std::vector<int32_t>{4}));
}

TEST(Bpe, RanksByScoreWhereThereAreNoMerges) {
  const Vocabulary v = Letters({"a", "b", "ab", "ba"});
  EXPECT_EQ(Encode(Bpe(v, {}, {-9, -9, -1, -2}, "t"), "abab"), (std::vector<int32_t>{2, 2}));
  EXPECT_EQ(Encode(Bpe(v, {}, {-9, -9, -2, -1}, "t"), "abab"), (std::vector<int32_t>{0, 3, 1}));
  EXPECT_EQ(Encode(Bpe(v, {}, {-9, -9, -0.0f, 0.0f}, "t"), "aba"), (std::vector<int32_t>{2, 0}));
}

TEST(Bpe, RefusesAScoreThatIsNoNumber) {
  const Vocabulary v = Letters({"a"});
  EXPECT_EQ(
      ErrorText([&] { Bpe(v, {}, {std::nanf("")}, "x.gguf"); }),
      "x.gguf: expected a number as the score of token 0, found NaN; try another copy of the file");
}

TEST(Bpe, DropsFusesOrSpellsOutWhatIsUnknown) {
  const Vocabulary v = MakeVocabulary({{"a", PieceKind::kNormal},
                                       {"<unk>", PieceKind::kUnknown},
                                       {"aa", PieceKind::kNormal},
                                       {"<0xC3>", PieceKind::kByte},
                                       {"<0xA9>", PieceKind::kByte}});
  const std::vector<MergePair> merges = {{0, 0}};
  EXPECT_EQ(Encode(Bpe(v, {}, merges), "axya"), (std::vector<int32_t>{2}));
  EXPECT_EQ(Encode(Bpe(v, {.unknown = 1}, merges), "axya"), (std::vector<int32_t>{0, 1, 1, 0}));
  EXPECT_EQ(Encode(Bpe(v, {.fuse_unknown = true, .unknown = 1}, merges), "axyaz"),
            (std::vector<int32_t>{0, 1, 0, 1}));
  EXPECT_EQ(Encode(Bpe(v, {.byte_fallback = true, .unknown = 1}, merges), "a\xC3\xA9x"),
            (std::vector<int32_t>{0, 3, 4, 1}));
}

TEST(Bpe, TakesAWholePieceWhenMergesAreIgnored) {
  const Vocabulary v = Letters({"a", "b", "ab"});
  EXPECT_EQ(Encode(Bpe(v, {.ignore_merges = true}, std::vector<MergePair>{}), "ab"),
            (std::vector<int32_t>{2}));
  EXPECT_EQ(Encode(Bpe(v, {}, std::vector<MergePair>{}), "ab"), (std::vector<int32_t>{0, 1}));
}

TEST(Bpe, SplitsUnusedPiecesAsTheyWereJoined) {
  const Vocabulary v = MakeVocabulary({{"a", PieceKind::kNormal},
                                       {"b", PieceKind::kNormal},
                                       {"ab", PieceKind::kUnused},
                                       {"c", PieceKind::kNormal},
                                       {"abc", PieceKind::kNormal}});
  const Bpe bpe(v, {}, {-9, -9, -1, -9, -2}, "t");
  EXPECT_EQ(Encode(bpe, "ab"), (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(Encode(bpe, "abc"), (std::vector<int32_t>{4}));
  EXPECT_EQ(Encode(bpe, "abab"), (std::vector<int32_t>{0, 1, 0, 1}));
}

TEST(Bpe, NeverMakesControlTokensFromPlainText) {
  const Vocabulary v = MakeVocabulary({{"<", PieceKind::kNormal},
                                       {"s>", PieceKind::kNormal},
                                       {"<s>", PieceKind::kControl},
                                       {"s", PieceKind::kNormal},
                                       {">", PieceKind::kNormal}});
  EXPECT_EQ(Encode(Bpe(v, {}, {{3, 4}, {0, 1}}), "<s>"), (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(Encode(Bpe(v, {}, {0, 0, 0, 0, 0}, "t"), "<s>"), (std::vector<int32_t>{0, 1}));
}

// The definition, quadratic: find the best pair, join it, again.
std::vector<int32_t> Naive(const Vocabulary& v, const std::vector<float>& scores,
                           const std::string& text) {
  std::vector<std::string> parts;
  for (size_t at = 0; at < text.size();) {
    const size_t length = static_cast<uint8_t>(text[at]) == 0xE2 ? 3 : 1;
    parts.push_back(text.substr(at, length));
    at += length;
  }
  while (true) {
    int best = -1;
    float best_score = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const int32_t id = v.Find(parts[i] + parts[i + 1]);
      if (id < 0 || (best >= 0 && scores[id] <= best_score)) continue;
      best = static_cast<int>(i);
      best_score = scores[id];
    }
    if (best < 0) break;
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + best + 1);
  }
  std::vector<int32_t> ids;
  for (const auto& part : parts) ids.push_back(v.Find(part));
  return ids;
}

// With marks inside some pieces, words may not be cut everywhere; random vocabularies try both.
TEST(Bpe, EqualsItsDefinitionOnRandomVocabularies) {
  std::mt19937 random(1);
  const std::vector<std::string> letters = {"a", "b", "c", "\xE2\x96\x81"};
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> pieces = letters;
    const auto word = [&](int length) {
      std::string text;
      for (int i = 0; i < length; ++i) text += letters[random() % letters.size()];
      return text;
    };
    for (int i = 0; i < 12; ++i) {
      std::string piece = word(2 + static_cast<int>(random() % 3));
      if (std::find(pieces.begin(), pieces.end(), piece) == pieces.end()) pieces.push_back(piece);
    }
    const Vocabulary v = Letters(pieces);
    std::vector<float> scores;
    for (size_t i = 0; i < pieces.size(); ++i) scores.push_back(-static_cast<float>(random() % 8));
    const Bpe bpe(v, {}, scores, "t");
    for (int i = 0; i < 30; ++i) {
      const std::string text = word(static_cast<int>(random() % 30));
      ASSERT_EQ(Encode(bpe, text), Naive(v, scores, text)) << text;
    }
  }
}

TEST(ByteLevel, MapsEveryByteToAPrintableCharacterAndBack) {
  std::map<uint32_t, int> seen;
  for (int byte = 0; byte < 256; ++byte) {
    const uint32_t c = ByteLevelCharacter(static_cast<uint8_t>(byte));
    EXPECT_TRUE(seen.emplace(c, byte).second);
    EXPECT_EQ(ByteLevelByte(c), byte);
  }
  EXPECT_EQ(ByteLevelCharacter(' '), 0x120u);
  EXPECT_EQ(ByteLevelCharacter('\n'), 0x10Au);
  EXPECT_EQ(ByteLevelByte(0x200), -1);
}

}  // namespace
}  // namespace lem
