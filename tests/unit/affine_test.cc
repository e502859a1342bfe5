// SPDX-License-Identifier: EUPL-1.2
// Golden vectors of mlx-lm 3.6, for every bit width and both rounding rules, and what ReadRow makes
// of them.
#include "tensor/affine.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "base/random.h"
#include "tensor/stored_matrix.h"

namespace lem {
namespace {

struct Quantized {
  std::vector<uint32_t> packed;
  std::vector<float> scales, biases;
};

Quantized Quantize(AffineFormat format, AffineRule rule, const std::vector<float>& w) {
  Quantized result;
  result.packed.resize(w.size() * static_cast<size_t>(format.bits) / 32);
  result.scales.resize(w.size() / static_cast<size_t>(format.group_size));
  result.biases.resize(result.scales.size());
  QuantizeAffine(format, rule, w, result.packed, result.scales, result.biases);
  return result;
}

// w[i] = (i - 10) / 16 for i < 32, then 0.01 * ((37 i) mod 23) - 0.05 in float32.
std::vector<float> GoldenRow() {
  std::vector<float> w(64);
  for (int i = 0; i < 32; ++i) w[i] = static_cast<float>(i - 10) / 16;
  for (int i = 32; i < 64; ++i) w[i] = 0.01f * static_cast<float>(37 * i % 23) - 0.05f;
  return w;
}

struct Golden {
  int bits;
  float scales[2];
  std::vector<uint32_t> packed;
};

const Golden kGoldens[] = {
    {2, {-0.65625f, -0.0850000009f}, {0xaaaaabff, 0x00055555, 0x78926499, 0x99264992}},
    {3,
     {-0.262499988f, -0.0340000018f},
     {0x6ddb6fff, 0x36dc925b, 0x00124a49, 0xc43988b3, 0xad0d5a1a, 0x87311666}},
    {4,
     {-0.131249994f, -0.0141666671f},
     {0xbccddeef, 0x8899aaab, 0x44556677, 0x00112233, 0x4d71b4e8, 0x6f93d60a, 0x81b5f82c,
      0xa4d71b4e}},
    {5,
     {-0.0625f, -0.00708333356f},
     {0x75be77df, 0x3a56d7c6, 0x35cf8465, 0xc74254b6, 0x00443214, 0xdc1aa390, 0x6cb4143e,
      0x44985fe4, 0x1c80eeaf, 0xa1f6e0d5}},
    {6,
     {-0.0305232555f, -0.00346938777f},
     {0x77e7bf7f, 0xbb6fc73d, 0x863967a6, 0x1765b75f, 0xa30e4125, 0x00210620, 0x43ad1ea0,
      0xa0283b77, 0x5ff94cd1, 0x94f63271, 0xb47a806b, 0xa0eddd0e}},
    {8,
     {-0.00758670503f, -0.000862944173f},
     {0xe7eff7ff, 0xc6ced6de, 0xa5adb5bd, 0x848c949d, 0x636b737c, 0x424a525b, 0x2129313a,
      0x00081019, 0xae46e87f, 0x3adc740c, 0xd16800a2, 0x5dff972e, 0xf38b23c5, 0x7f17b951,
      0x0cae46e8, 0xa23adc74}},
};

TEST(Affine, EveryWidthMatchesItsGoldenVectorUnderBothRules) {
  for (const Golden& golden : kGoldens) {
    for (const AffineRule rule : {AffineRule::kMetal, AffineRule::kCpu}) {
      const Quantized q = Quantize({golden.bits, 32}, rule, GoldenRow());
      EXPECT_EQ(q.packed, golden.packed) << golden.bits;
      EXPECT_EQ(q.scales[0], golden.scales[0]) << golden.bits;
      EXPECT_EQ(q.scales[1], golden.scales[1]) << golden.bits;
      EXPECT_EQ(q.biases[0], 1.3125f) << golden.bits;
      EXPECT_EQ(q.biases[1], 0.170000002f) << golden.bits;
    }
  }
}

TEST(Affine, TheRulesDifferOnAnAllNegativeGroup) {
  std::vector<float> w(32);
  for (int i = 0; i < 32; ++i) w[i] = -static_cast<float>(i + 5) / 16;
  const Quantized cpu = Quantize({4, 32}, AffineRule::kCpu, w);
  EXPECT_EQ(cpu.scales[0], 0.13235295f);
  EXPECT_EQ(cpu.biases[0], -2.25f);
  EXPECT_EQ(cpu.packed, (std::vector<uint32_t>{0xbccddeef, 0x88899aab, 0x44556677, 0x00112233}));
  const Quantized metal = Quantize({4, 32}, AffineRule::kMetal, w);
  EXPECT_EQ(metal.scales[0], 0.15f);
  EXPECT_EQ(metal.biases[0], -2.25f);
  EXPECT_EQ(metal.packed, (std::vector<uint32_t>{0xaabbcccd, 0x7778899a, 0x34455566, 0x00112233}));
}

TEST(Affine, TheRulesDifferOnAHalfWayCode) {
  // 3 bits over [0, 7]: edge 7 and scale -1, so 4.5 lies between codes 2 and 3: 2.5 steps from 7.
  std::vector<float> w(32, 0.0f);
  w[0] = 7;
  w[1] = 4.5f;
  std::vector<uint8_t> q(32);
  UnpackAffine({3, 32}, Quantize({3, 32}, AffineRule::kMetal, w).packed, q);
  EXPECT_EQ(q[1], 3);  // away from zero
  UnpackAffine({3, 32}, Quantize({3, 32}, AffineRule::kCpu, w).packed, q);
  EXPECT_EQ(q[1], 2);  // to even
}

TEST(Affine, AConstantGroupIsKept) {
  for (const float value : {0.0f, 1.5f, -1.5f}) {
    for (const AffineRule rule : {AffineRule::kMetal, AffineRule::kCpu}) {
      const Quantized q = Quantize({4, 32}, rule, std::vector<float>(32, value));
      std::vector<uint8_t> codes(32);
      UnpackAffine({4, 32}, q.packed, codes);
      EXPECT_FLOAT_EQ(q.scales[0] * codes[0] + q.biases[0], value);
    }
  }
}

TEST(Affine, UnpacksTheBitStream) {
  for (const int bits : {2, 3, 4, 5, 6, 8}) {
    std::vector<uint32_t> packed(static_cast<size_t>(bits) * 4);
    MlxRandom::Words({0, 9}, packed);
    std::vector<uint8_t> q(128);
    UnpackAffine({bits, 64}, packed, q);
    for (int k = 0; k < 128; ++k) {  // bit by bit, as the format says
      int code = 0;
      for (int b = 0; b < bits; ++b) {
        const int at = k * bits + b;
        code |= static_cast<int>(packed[at / 32] >> (at % 32) & 1) << b;
      }
      ASSERT_EQ(q[k], code) << bits << " bits, element " << k;
    }
  }
}

template <class T>
std::span<const std::byte> BytesOf(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

StoredMatrix Affine(AffineFormat format, const Quantized& q, Dtype dtype,
                    std::vector<std::byte>* scales, std::vector<std::byte>* biases) {
  scales->resize(q.scales.size() * SizeOf(dtype));
  biases->resize(scales->size());
  FromFloat(q.scales, dtype, scales->data());
  FromFloat(q.biases, dtype, biases->data());
  StoredMatrix m;
  m.kind = StoredMatrix::Kind::kAffine;
  m.rows = 2;
  m.cols = static_cast<int64_t>(q.scales.size()) * format.group_size / 2;
  m.bytes = BytesOf(q.packed);
  m.dtype = dtype;
  m.affine = format;
  m.scales = *scales;
  m.biases = *biases;
  return m;
}

TEST(StoredMatrix, ReadsAffineRowsWithTwoRoundings) {
  const AffineFormat format{5, 64};
  std::vector<float> w(2 * 192);
  MlxRandom random(1);
  random.Uniform(-1, 1, w);
  const Quantized q = Quantize(format, AffineRule::kMetal, w);
  std::vector<uint8_t> codes(w.size());
  UnpackAffine(format, q.packed, codes);
  const auto bf16 = [](float x) { return BFloat16ToFloat(FloatToBFloat16(x)); };
  std::vector<std::byte> scales, biases;
  const StoredMatrix exact = Affine(format, q, Dtype::kF32, &scales, &biases);
  std::vector<std::byte> scales16, biases16;
  const StoredMatrix rounded = Affine(format, q, Dtype::kBF16, &scales16, &biases16);
  EXPECT_EQ(exact.RowBytes(), 192u * 5 / 8);
  std::vector<float> row(192);
  for (size_t r = 0; r < 2; ++r) {
    ReadRow(exact, static_cast<int64_t>(r), row);
    for (size_t i = 0; i < 192; ++i) {
      const size_t group = (r * 192 + i) / 64;
      ASSERT_EQ(row[i], q.scales[group] * static_cast<float>(codes[r * 192 + i]) + q.biases[group]);
    }
    ReadRow(rounded, static_cast<int64_t>(r), row);
    for (size_t i = 0; i < 192; ++i) {
      const size_t group = (r * 192 + i) / 64;
      const float product = bf16(bf16(q.scales[group]) * static_cast<float>(codes[r * 192 + i]));
      ASSERT_EQ(row[i], bf16(product + bf16(q.biases[group])));
    }
  }
}

TEST(StoredMatrix, UndoesAdjacentPairsAndAdds) {
  // Two heads of 4 rows: the file holds rows 0 2 1 3 of each head (model-formats 6.5).
  std::vector<float> values = {0, 2, 1, 3, 10, 12, 11, 13};
  StoredMatrix m;
  m.rows = 8;
  m.cols = 1;
  m.bytes = BytesOf(values);
  m.adjacent_pair_heads = 2;
  m.plus = -1;
  const float kExpected[] = {0, 1, 2, 3, 10, 11, 12, 13};
  for (int64_t r = 0; r < 8; ++r) {
    float value = 0;
    ReadRow(m, r, {&value, 1});
    EXPECT_EQ(value, kExpected[r] - 1) << r;
  }
}

}  // namespace
}  // namespace lem
