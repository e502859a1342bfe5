// SPDX-License-Identifier: EUPL-1.2
// Block sizes and exact dequantisation. Every formula multiplies (d * scale) first, then by the
// integer, then subtracts (dmin * min), each step rounded to float32: that order makes it
// bit-equal.
#include "tensor/ggml_blocks.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <cstring>

#include "base/check.h"
#include "tensor/dtype.h"

namespace lem {
namespace {

constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                   1,    13,   25,  38,  53,  69,  89,  113};
constexpr int8_t kMxfp4Values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

struct TypeRow {
  GgmlType type;
  GgmlTypeInfo info;
};
constexpr TypeRow kTypes[] = {
    {GgmlType::kF32, {"F32", 1, 4}},           {GgmlType::kF16, {"F16", 1, 2}},
    {GgmlType::kBF16, {"BF16", 1, 2}},         {GgmlType::kQ4_0, {"Q4_0", 32, 18}},
    {GgmlType::kQ4_1, {"Q4_1", 32, 20}},       {GgmlType::kQ5_0, {"Q5_0", 32, 22}},
    {GgmlType::kQ5_1, {"Q5_1", 32, 24}},       {GgmlType::kQ8_0, {"Q8_0", 32, 34}},
    {GgmlType::kQ2_K, {"Q2_K", 256, 84}},      {GgmlType::kQ3_K, {"Q3_K", 256, 110}},
    {GgmlType::kQ4_K, {"Q4_K", 256, 144}},     {GgmlType::kQ5_K, {"Q5_K", 256, 176}},
    {GgmlType::kQ6_K, {"Q6_K", 256, 210}},     {GgmlType::kIQ4_NL, {"IQ4_NL", 32, 18}},
    {GgmlType::kIQ4_XS, {"IQ4_XS", 256, 136}}, {GgmlType::kMXFP4, {"MXFP4", 32, 17}},
};

using Bytes = const uint8_t*;

uint32_t Word16(Bytes b) { return b[0] | uint32_t{b[1]} << 8; }
uint32_t Word32(Bytes b) { return Word16(b) | Word16(b + 2) << 16; }
float Half(Bytes b) { return Float16ToFloat(static_cast<uint16_t>(Word16(b))); }

// Element e of a 32-element block: low nibbles are elements 0 to 15, high nibbles 16 to 31.
int Nibble(Bytes qs, int e) { return e < 16 ? qs[e] & 15 : qs[e - 16] >> 4; }
int FifthBit(uint32_t qh, int e) { return static_cast<int>(qh >> e & 1) << 4; }

void Q4_0(Bytes b, float* y) {
  const float d = Half(b);
  for (int e = 0; e < 32; ++e) y[e] = d * static_cast<float>(Nibble(b + 2, e) - 8);
}

void Q4_1(Bytes b, float* y) {
  const float d = Half(b), m = Half(b + 2);
  for (int e = 0; e < 32; ++e) y[e] = d * static_cast<float>(Nibble(b + 4, e)) + m;
}

void Q5_0(Bytes b, float* y) {
  const float d = Half(b);
  const uint32_t qh = Word32(b + 2);
  for (int e = 0; e < 32; ++e) {
    y[e] = d * static_cast<float>((Nibble(b + 6, e) | FifthBit(qh, e)) - 16);
  }
}

void Q5_1(Bytes b, float* y) {
  const float d = Half(b), m = Half(b + 2);
  const uint32_t qh = Word32(b + 4);
  for (int e = 0; e < 32; ++e) {
    y[e] = d * static_cast<float>(Nibble(b + 8, e) | FifthBit(qh, e)) + m;
  }
}

void Q8_0(Bytes b, float* y) {
  const float d = Half(b);
  for (int e = 0; e < 32; ++e) y[e] = d * static_cast<float>(static_cast<int8_t>(b[2 + e]));
}

void Iq4Nl(Bytes b, float* y) {
  const float d = Half(b);
  for (int e = 0; e < 32; ++e) y[e] = d * static_cast<float>(kIq4Values[Nibble(b + 2, e)]);
}

void Mxfp4(Bytes b, float* y) {
  // 2^(e - 128): subnormal for e of 0 and 1, else a normal float32 with that exponent.
  const uint32_t e8 = b[0];
  const float d = std::bit_cast<float>(e8 < 2 ? 0x00200000u << e8 : (e8 - 1) << 23);
  for (int e = 0; e < 32; ++e) y[e] = d * static_cast<float>(kMxfp4Values[Nibble(b + 1, e)]);
}

// Two bits of element e, as Q2_K and Q3_K pack them.
int TwoBits(Bytes qs, int e) {
  const int r = e % 128;
  return qs[32 * (e / 128) + r % 32] >> 2 * (r / 32) & 3;
}

void Q2_K(Bytes b, float* y) {
  const float d = Half(b + 80), dmin = Half(b + 82);
  for (int e = 0; e < 256; ++e) {
    const int s = b[e / 16];
    y[e] = d * static_cast<float>(s & 15) * static_cast<float>(TwoBits(b + 16, e)) -
           dmin * static_cast<float>(s >> 4);
  }
}

int Q3Scale(Bytes sc, int j) {
  const int low = j < 8 ? sc[j] & 15 : sc[j - 8] >> 4;
  const int high = sc[8 + j % 4] >> 2 * (j / 4) & 3;
  return (low | high << 4) - 32;
}

void Q3_K(Bytes b, float* y) {
  const float d = Half(b + 108);
  for (int e = 0; e < 256; ++e) {
    const bool bit = b[e % 32] >> (e / 32) & 1;
    const int q = TwoBits(b + 32, e) - (bit ? 0 : 4);
    y[e] = d * static_cast<float>(Q3Scale(b + 96, e / 16)) * static_cast<float>(q);
  }
}

// The 6-bit scale and minimum of group j (of 8) in Q4_K and Q5_K.
void ScaleAndMin(Bytes s, int j, int* scale, int* min) {
  if (j < 4) {
    *scale = s[j] & 63;
    *min = s[j + 4] & 63;
  } else {
    *scale = (s[j + 4] & 15) | (s[j - 4] >> 6) << 4;
    *min = (s[j + 4] >> 4) | (s[j] >> 6) << 4;
  }
}

void Q4_K(Bytes b, float* y) {
  const float d = Half(b), dmin = Half(b + 2);
  for (int g = 0; g < 8; ++g) {
    int scale = 0, min = 0;
    ScaleAndMin(b + 4, g, &scale, &min);
    const float ds = d * static_cast<float>(scale), dm = dmin * static_cast<float>(min);
    for (int i = 0; i < 32; ++i) {
      const int q = b[16 + 32 * (g / 2) + i] >> 4 * (g % 2) & 15;
      y[32 * g + i] = ds * static_cast<float>(q) - dm;
    }
  }
}

void Q5_K(Bytes b, float* y) {
  const float d = Half(b), dmin = Half(b + 2);
  for (int g = 0; g < 8; ++g) {
    int scale = 0, min = 0;
    ScaleAndMin(b + 4, g, &scale, &min);
    const float ds = d * static_cast<float>(scale), dm = dmin * static_cast<float>(min);
    for (int i = 0; i < 32; ++i) {
      const int q = (b[48 + 32 * (g / 2) + i] >> 4 * (g % 2) & 15) | (b[16 + i] >> g & 1) << 4;
      y[32 * g + i] = ds * static_cast<float>(q) - dm;
    }
  }
}

void Q6_K(Bytes b, float* y) {
  const float d = Half(b + 208);
  for (int e = 0; e < 256; ++e) {
    const int c = e / 128, k = e % 128 / 32, l = e % 32;
    const int low = b[64 * c + 32 * (k & 1) + l] >> 4 * (k >> 1) & 15;
    const int high = b[128 + 32 * c + l] >> 2 * k & 3;
    const int scale = static_cast<int8_t>(b[192 + e / 16]);
    y[e] = d * static_cast<float>(scale) * static_cast<float>((low | high << 4) - 32);
  }
}

void Iq4Xs(Bytes b, float* y) {
  const float d = Half(b);
  const uint32_t high = Word16(b + 2);
  for (int g = 0; g < 8; ++g) {
    const int scale = (b[4 + g / 2] >> 4 * (g % 2) & 15) | static_cast<int>(high >> 2 * g & 3) << 4;
    const float ds = d * static_cast<float>(scale - 32);
    for (int e = 0; e < 32; ++e) {
      y[32 * g + e] = ds * static_cast<float>(kIq4Values[Nibble(b + 8 + 16 * g, e)]);
    }
  }
}

using Decoder = void (*)(Bytes block, float* y);

Decoder DecoderOf(GgmlType type) {
  switch (type) {
    case GgmlType::kQ4_0:
      return Q4_0;
    case GgmlType::kQ4_1:
      return Q4_1;
    case GgmlType::kQ5_0:
      return Q5_0;
    case GgmlType::kQ5_1:
      return Q5_1;
    case GgmlType::kQ8_0:
      return Q8_0;
    case GgmlType::kQ2_K:
      return Q2_K;
    case GgmlType::kQ3_K:
      return Q3_K;
    case GgmlType::kQ4_K:
      return Q4_K;
    case GgmlType::kQ5_K:
      return Q5_K;
    case GgmlType::kQ6_K:
      return Q6_K;
    case GgmlType::kIQ4_NL:
      return Iq4Nl;
    case GgmlType::kIQ4_XS:
      return Iq4Xs;
    case GgmlType::kMXFP4:
      return Mxfp4;
    default:
      return nullptr;
  }
}

}  // namespace

const GgmlTypeInfo* FindGgmlType(uint32_t id) {
  for (const TypeRow& row : kTypes) {
    if (static_cast<uint32_t>(row.type) == id) return &row.info;
  }
  return nullptr;
}

const GgmlTypeInfo& InfoOf(GgmlType type) {
  const GgmlTypeInfo* info = FindGgmlType(static_cast<uint32_t>(type));
  LEM_CHECK(info);
  return *info;
}

std::optional<GgmlType> GgmlTypeByName(std::string_view name) {
  const auto same = [](char a, char b) {
    return std::toupper(static_cast<unsigned char>(a)) ==
           std::toupper(static_cast<unsigned char>(b));
  };
  for (const TypeRow& row : kTypes) {
    const std::string_view own = row.info.name;
    if (std::equal(own.begin(), own.end(), name.begin(), name.end(), same)) return row.type;
  }
  return std::nullopt;
}

void DequantizeGgml(GgmlType type, const std::byte* blocks, std::span<float> out) {
  if (type == GgmlType::kF32) return ToFloat(Dtype::kF32, blocks, out);
  if (type == GgmlType::kF16) return ToFloat(Dtype::kF16, blocks, out);
  if (type == GgmlType::kBF16) return ToFloat(Dtype::kBF16, blocks, out);
  const GgmlTypeInfo& info = InfoOf(type);
  const Decoder decode = DecoderOf(type);
  LEM_CHECK(decode && out.size() % info.block_elements == 0);
  auto block = reinterpret_cast<Bytes>(blocks);
  for (size_t i = 0; i < out.size(); i += info.block_elements, block += info.block_bytes) {
    decode(block, out.data() + i);
  }
}

}  // namespace lem
