// SPDX-License-Identifier: EUPL-1.2
// Near-duplicates: what is reported is exact, and what is near is found.
#include "lek/minhash.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>

#include "base/random.h"

namespace lem {
namespace {

// A text of `count` words drawn from a vocabulary by a seed.
std::vector<std::string> RandomWords(uint64_t seed, size_t count) {
  CounterRandom random(seed, 1);
  std::vector<std::string> words;
  for (size_t i = 0; i < count; ++i) words.push_back("w" + std::to_string(random.NextBelow(5000)));
  return words;
}

std::string Join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += word + " ";
  return text;
}

TEST(MinHash, ShinglesAreWordTriplesOnce) {
  EXPECT_EQ(WordShingles("a b c d").size(), 2);
  EXPECT_EQ(WordShingles("a b c a b c a b c").size(), 3);
  EXPECT_EQ(WordShingles("Two words").size(), 1);
  EXPECT_TRUE(WordShingles("... !").empty());
  EXPECT_EQ(WordShingles("It\xE2\x80\x99s late, now."), WordShingles("it's LATE now"));
}

TEST(MinHash, JaccardIsTheShareOfCommonShingles) {
  EXPECT_DOUBLE_EQ(Jaccard(WordShingles("a b c d e"), WordShingles("a b c d e")), 1);
  EXPECT_DOUBLE_EQ(Jaccard(WordShingles("a b c d e"), WordShingles("a b c d x")), 2.0 / 4);
  EXPECT_DOUBLE_EQ(Jaccard(WordShingles("a b c"), WordShingles("x y z")), 0);
  EXPECT_DOUBLE_EQ(Jaccard(WordShingles(""), WordShingles("")), 0);
}

TEST(MinHash, BandsMissAPairAtTheThresholdLessThanOnceInAThousand) {
  for (const double threshold : {0.3, 0.5, 0.6, 0.8, 0.9, 1.0}) {
    const NearIndex index(threshold);
    const double miss = std::pow(1 - std::pow(threshold, double(index.rows())), index.bands());
    EXPECT_LT(miss, 0.001) << threshold;
  }
}

// 200 texts and a copy of each with some words changed: the same pairs as by comparing all.
TEST(MinHash, FindsThePairsThatExhaustiveComparisonFinds) {
  std::vector<Shingles> documents;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    std::vector<std::string> words = RandomWords(seed, 120);
    documents.push_back(WordShingles(Join(words)));
    for (size_t i = 0; i < seed % 16; ++i) words[i * 8] = "changed" + std::to_string(i);
    documents.push_back(WordShingles(Join(words)));
  }
  std::vector<std::pair<size_t, size_t>> expected, found;
  for (size_t b = 0; b < documents.size(); ++b) {
    for (size_t a = 0; a < b; ++a) {
      if (Jaccard(documents[a], documents[b]) >= 0.6) expected.push_back({a, b});
    }
  }
  for (const NearPair& pair : FindNearPairs(documents, 0.6)) found.push_back({pair.a, pair.b});
  std::ranges::sort(expected);
  ASSERT_GT(expected.size(), 100);
  EXPECT_EQ(found, expected);
}

RC_GTEST_PROP(MinHash, ATextIsNearItselfAndJaccardIsSymmetric, (uint64_t seed)) {
  const Shingles a = WordShingles(Join(RandomWords(seed, 1 + seed % 50)));
  const Shingles b = WordShingles(Join(RandomWords(seed + 1, 20)));
  RC_ASSERT(Jaccard(a, b) == Jaccard(b, a));
  NearIndex index(1.0);
  index.Add(a);
  RC_ASSERT(index.Find(a).size() == 1u);
}

}  // namespace
}  // namespace lem
