// SPDX-License-Identifier: EUPL-1.2
// A seed means the same numbers as in MLX and NumPy: golden vectors of mlx-lm 1.7 and 2.6.
#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

namespace lem {
namespace {

using Key = std::array<uint32_t, 2>;

std::vector<uint32_t> Words(Key key, size_t count) {
  std::vector<uint32_t> words(count);
  MlxRandom::Words(key, words);
  return words;
}

// lora_a of one module with `inputs` and rank 4: the first subkey goes to a Linear that is thrown
// away.
std::vector<float> LoraA(MlxRandom& random, size_t inputs) {
  random.NextKey();
  std::vector<float> a(inputs * 4);
  const float bound = 1 / std::sqrt(static_cast<float>(inputs));
  random.Uniform(-bound, bound, a);
  return a;
}

TEST(Threefry, MatchesTheWordsOfMlx) {
  EXPECT_EQ(Words({0, 0}, 1), (std::vector<uint32_t>{1797259609}));
  EXPECT_EQ(Words({0, 1}, 1), (std::vector<uint32_t>{507451445}));
  EXPECT_EQ(Words({0, 0}, 3), (std::vector<uint32_t>{4146024105, 1351547692, 2718843009}));
}

TEST(Threefry, MatchesThePublishedVectors) {
  // Random123's known answers for threefry2x32, 20 rounds.
  EXPECT_EQ(Threefry2x32({0, 0}, {0, 0}), (Key{0x6b200159, 0x99ba4efe}));
  EXPECT_EQ(Threefry2x32({~0u, ~0u}, {~0u, ~0u}), (Key{0x1cb996fc, 0xbb002be7}));
  EXPECT_EQ(Threefry2x32({0x13198a2e, 0x03707344}, {0x243f6a88, 0x85a308d3}),
            (Key{0xc4923a9c, 0x483df7a0}));
}

TEST(MlxRandom, GivesTheSubkeysOfMlx) {
  const Key kSeed0[] = {{0xa20e4081, 0x4bdfae2f},
                        {0x4c3306b7, 0x8213b27d},
                        {0xf4a65d33, 0xcf9ef2da},
                        {0x4734811f, 0x797bc7e9}};
  const Key kSeed42[] = {{0x0f38d913, 0x0ff68959},
                         {0xe9da9d44, 0x51726399},
                         {0x51c2327a, 0xb378c7bd},
                         {0x3c44d6a2, 0x6d114ffd}};
  MlxRandom zero(0), answer(42);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(zero.NextKey(), kSeed0[i]) << i;
    EXPECT_EQ(answer.NextKey(), kSeed42[i]) << i;
  }
}

TEST(MlxRandom, GivesTheFirstAdaptersOfMlxLm) {
  MlxRandom random(0);
  const auto first = LoraA(random, 64), second = LoraA(random, 64);
  const float kRow0[] = {0.0856945962f, -0.0313783661f, -0.0423240662f, -0.0339492261f};
  const float kRow63[] = {-0.0154038891f, 0.101494431f, 0.00544679165f, -0.0722226202f};
  const float kSecond[] = {-0.0950507075f, -0.0875990838f, 0.107797563f, 0.0880619287f};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(first[i], kRow0[i]) << i;
    EXPECT_EQ(first[63 * 4 + i], kRow63[i]) << i;
    EXPECT_EQ(second[i], kSecond[i]) << i;
  }
  MlxRandom answer(42);
  const auto other = LoraA(answer, 64);
  const float kSeed42[] = {0.0135756582f, -0.0550370961f, -0.116591685f, 0.0553542227f};
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(other[i], kSeed42[i]) << i;
}

TEST(MlxRandom, ContinuesFromASavedState) {
  MlxRandom random(7);
  random.NextKey();
  MlxRandom restored(0);
  restored.set_state(random.state());
  EXPECT_EQ(random.NextKey(), restored.NextKey());
}

TEST(NumpyRandom, PermutesAsNumpyDoes) {
  NumpyRandom random(0);
  EXPECT_EQ(random.Permutation(10), (std::vector<int>{2, 8, 4, 9, 1, 6, 7, 3, 0, 5}));
  EXPECT_EQ(random.Permutation(5), (std::vector<int>{1, 0, 2, 3, 4}));
  EXPECT_EQ(random.Permutation(0), std::vector<int>{});
  EXPECT_EQ(random.Permutation(1), std::vector<int>{0});
}

TEST(NumpyRandom, PermutesAThousandAsNumpyDoes) {
  // numpy.random.seed(s); p = numpy.random.permutation(1000): p[:2] and the sum of (i + 1) * p[i].
  const std::tuple<uint32_t, int, int, int64_t> kGoldens[] = {{1, 507, 818, 250494799},
                                                              {4294967295, 94, 405, 250435292}};
  for (const auto& [seed, first, second, sum] : kGoldens) {
    const std::vector<int> p = NumpyRandom(seed).Permutation(1000);
    int64_t weighted = 0;
    for (int i = 0; i < 1000; ++i) weighted += int64_t{i + 1} * p[i];
    EXPECT_EQ(p[0], first) << seed;
    EXPECT_EQ(p[1], second) << seed;
    EXPECT_EQ(weighted, sum) << seed;
  }
}

TEST(NumpyRandom, ContinuesFromASavedState) {
  NumpyRandom random(3);
  random.Permutation(700);  // past the first 624 words
  NumpyRandom restored(0);
  restored.set_state(random.state());
  EXPECT_EQ(random.Permutation(100), restored.Permutation(100));
}

TEST(CounterRandom, DependsOnSeedStreamAndPositionAlone) {
  CounterRandom a(1, 2), b(1, 2), other_seed(2, 2), other_stream(1, 3);
  for (int i = 0; i < 10; ++i) a.NextWord();
  b.set_position(10);
  EXPECT_EQ(a.NextWord(), b.NextWord());
  CounterRandom c(1, 2);
  const uint32_t first = c.NextWord();
  EXPECT_NE(first, other_seed.NextWord());
  EXPECT_NE(first, other_stream.NextWord());
}

TEST(CounterRandom, StaysInItsRanges) {
  CounterRandom random(5, 0);
  std::set<uint64_t> seen;
  double sum = 0;
  for (int i = 0; i < 2000; ++i) {
    const double unit = random.NextUnit();
    ASSERT_GE(unit, 0);
    ASSERT_LT(unit, 1);
    sum += unit;
    seen.insert(random.NextBelow(7));
  }
  EXPECT_EQ(seen, (std::set<uint64_t>{0, 1, 2, 3, 4, 5, 6}));
  // The mean of 2000 has a standard deviation of 1/sqrt(12 * 2000) = 0.0065; five of them.
  EXPECT_NEAR(sum / 2000, 0.5, 0.0325);
  EXPECT_EQ(random.NextBelow(1), 0u);
}

}  // namespace
}  // namespace lem
