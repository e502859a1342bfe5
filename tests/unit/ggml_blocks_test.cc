// SPDX-License-Identifier: EUPL-1.2
// Golden vectors of model-formats 10.2, which agree to the bit with libggml, and the quantisers'
// promises.
#include "tensor/ggml_blocks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "base/random.h"
#include "tensor/dtype.h"
#include "tests/support/error_text.h"

namespace lem {
namespace {

struct Golden {
  const char* type;
  int d, second;  // offsets of the half-precision fields; -1: none
  float first[6];
  float middle, last;
  double sum, weighted;
};

constexpr Golden kGoldens[] = {
    {"q4_0", 0, -1, {-1.5, 1, 3.5, -2, 0.5, 3}, -1.5, 0, -10.5, -259},
    {"q4_1", 0, 2, {7.75, 2.25, 4.75, 7.25, 1.75, 4.25}, 4.75, 6.25, 130.5, 2123.5},
    {"q5_0", 0, -1, {4.5, -1, 1.5, -4, 6.5, -7}, 7, 0.5, 7.5, 56},
    {"q5_1", 0, 2, {9.75, 12.25, 14.75, 9.25, 11.75, 6.25}, 9.75, 2.75, 260.5, 4082.5},
    {"q8_0", 0, -1, {42.5, 61, -48.5, -30, -11.5, 7}, -45.5, -24, -88, -4040},
    {"q2_K", 80, 82, {16.5, 0, 5.5, 11, 16.5, 0}, 3.75, 2.25, 1029.5, 121565},
    {"q3_K", 108, -1, {40.5, -54, 13.5, -27, 40.5, -54}, 1, 21, 479, 88572.5},
    {"q4_K", 0, 2, {157.75, -12.75, 64.75, 142.25, 219.75, 49.25}, 211.5, 24.25, 27220, 3786420},
    {"q5_K", 0, 2, {405.75, -12.75, 312.75, 142.25, 467.75, 49.25}, 523.5, 54.25, 58108, 8013724},
    {"q6_K", 208, -1, {-715.5, 848, 291.5, -265, -821.5, 742}, -175.5, -30, 2306, 392210},
    {"iq4_nl", 0, -1, {-17.5, 12.5, 56.5, -24.5, 6.5, 44.5}, -17.5, 0.5, -128.5, -3459.5},
    {"iq4_xs", 0, -1, {32.5, -0.5, -34.5, 41.5, 5, -26.5}, -292.5, -8, -5502.5, -1045567},
    {"mxfp4", -1, -1, {0, 3, -1, -6, 2, -0.5}, 1.5, 3, 12.5, 319},
};

void PutHalf(std::byte* block, int at, float value) {
  if (at < 0) return;
  FromFloat({&value, 1}, Dtype::kF16, block + at);
}

// The block of model-formats 10.2, placed at an odd address.
std::vector<float> Dequantized(const Golden& golden) {
  const GgmlType type = *GgmlTypeByName(golden.type);
  const GgmlTypeInfo& info = InfoOf(type);
  std::vector<std::byte> bytes(info.block_bytes + 1);
  std::byte* block = bytes.data() + 1;
  for (uint32_t i = 0; i < info.block_bytes; ++i) block[i] = static_cast<std::byte>(37 * i + 11);
  PutHalf(block, golden.d, 0.5f);
  PutHalf(block, golden.second, 0.25f);
  if (type == GgmlType::kMXFP4) block[0] = std::byte{127};
  std::vector<float> y(info.block_elements);
  DequantizeGgml(type, block, y);
  return y;
}

TEST(GgmlBlocks, EveryTypeMatchesItsGoldenVector) {
  for (const Golden& golden : kGoldens) {
    const std::vector<float> y = Dequantized(golden);
    double sum = 0, weighted = 0;
    for (size_t e = 0; e < y.size(); ++e) {
      sum += y[e];
      weighted += static_cast<double>(e + 1) * y[e];
    }
    for (int i = 0; i < 6; ++i) EXPECT_EQ(y[i], golden.first[i]) << golden.type << " " << i;
    EXPECT_EQ(y[y.size() / 2], golden.middle) << golden.type;
    EXPECT_EQ(y.back(), golden.last) << golden.type;
    EXPECT_EQ(sum, golden.sum) << golden.type;
    EXPECT_EQ(weighted, golden.weighted) << golden.type;
  }
}

TEST(GgmlBlocks, TheSmallestScalesOfMxfp4AreSubnormal) {
  std::vector<std::byte> block(17, std::byte{0x11});  // every code is 1
  std::vector<float> y(32);
  for (const int exponent : {0, 1, 2, 254}) {
    block[0] = static_cast<std::byte>(exponent);
    DequantizeGgml(GgmlType::kMXFP4, block.data(), y);
    EXPECT_EQ(y[0], static_cast<float>(std::ldexp(1.0, exponent - 128))) << exponent;
  }
}

TEST(GgmlBlocks, KnowsTypesByIdAndName) {
  EXPECT_EQ(FindGgmlType(12)->name, "Q4_K");
  EXPECT_EQ(FindGgmlType(4), nullptr);
  EXPECT_EQ(FindGgmlType(24), nullptr);
  EXPECT_EQ(GgmlTypeByName("Q8_0"), GgmlType::kQ8_0);
  EXPECT_EQ(GgmlTypeByName("bf16"), GgmlType::kBF16);
  EXPECT_EQ(GgmlTypeByName("q9"), std::nullopt);
}

std::vector<float> RoundTrip(GgmlType type, const std::vector<float>& x) {
  const GgmlTypeInfo& info = InfoOf(type);
  std::vector<std::byte> blocks(x.size() / info.block_elements * info.block_bytes);
  QuantizeGgml(type, x, blocks.data());
  std::vector<float> y(x.size());
  DequantizeGgml(type, blocks.data(), y);
  return y;
}

std::vector<float> Noise(size_t n) {
  MlxRandom random(11);
  std::vector<float> x(n);
  random.Uniform(-1, 1, x);
  return x;
}

TEST(GgmlQuantize, ErrsByAtMostItsStep) {
  const std::vector<float> x = Noise(320);
  // Half a step of the range [-1, 1], and as much again for the scale's half precision (2^-11 of
  // 1).
  const std::pair<GgmlType, double> kBounds[] = {
      {GgmlType::kQ8_0, 0.5 / 127 + 0x1p-10},
      {GgmlType::kQ4_1, 0.5 * 2 / 15 + 0x1p-9},
      {GgmlType::kF16, 0x1p-12},
      {GgmlType::kBF16, 0x1p-9},
      {GgmlType::kF32, 0},
  };
  for (const auto& [type, bound] : kBounds) {
    const std::vector<float> y = RoundTrip(type, x);
    for (size_t i = 0; i < x.size(); ++i)
      ASSERT_NEAR(y[i], x[i], bound) << InfoOf(type).name << " " << i;
  }
}

TEST(GgmlQuantize, Q8RoundsHalvesAwayFromZero) {
  std::vector<float> x(32, 0.0f);
  x[0] = 127;  // d = 1
  x[1] = 2.5f;
  x[2] = -2.5f;
  const std::vector<float> y = RoundTrip(GgmlType::kQ8_0, x);
  EXPECT_EQ(y[0], 127);
  EXPECT_EQ(y[1], 3);
  EXPECT_EQ(y[2], -3);
}

TEST(GgmlQuantize, Q4AndQ5KeepTheLargestValueExactly) {
  std::vector<float> x(32);
  for (int i = 0; i < 32; ++i) x[i] = 0.25f * static_cast<float>(i - 16);  // the largest is -4
  EXPECT_EQ(RoundTrip(GgmlType::kQ4_0, x)[0], -4);
  EXPECT_EQ(RoundTrip(GgmlType::kQ5_0, x), x);  // 32 codes of 0.25: all exact
  for (float& value : x) value = -value;
  EXPECT_EQ(RoundTrip(GgmlType::kQ4_0, x)[0], 4);
}

TEST(GgmlQuantize, ZeroAndNonFiniteBlocksAreDefined) {
  for (const GgmlType type : {GgmlType::kQ8_0, GgmlType::kQ4_0, GgmlType::kQ4_1, GgmlType::kQ5_0}) {
    EXPECT_EQ(RoundTrip(type, std::vector<float>(32)), std::vector<float>(32)) << InfoOf(type).name;
    RoundTrip(type, std::vector<float>(32, std::nanf("")));  // sanitizers watch
    RoundTrip(type, std::vector<float>(32, INFINITY));
  }
}

TEST(GgmlQuantize, AZeroBlockHasTheCodesOfGgml) {
  std::vector<std::byte> block(18);
  QuantizeGgml(GgmlType::kQ4_0, std::vector<float>(32), block.data());
  for (int i = 2; i < 18; ++i) EXPECT_EQ(block[i], std::byte{0x88}) << i;  // 8 means 0
}

TEST(GgmlQuantize, RefusesTypesItCannotWrite) {
  const std::vector<float> x(256);
  std::vector<std::byte> blocks(256);
  EXPECT_EQ(testing::ErrorText([&] { QuantizeGgml(GgmlType::kQ4_K, x, blocks.data()); }),
            "cannot write Q4_K; expected F32, F16, BF16, Q8_0 or Q4_0");
}

}  // namespace
}  // namespace lem
