// SPDX-License-Identifier: EUPL-1.2
#include "backend/cpu/ggml_blocks.h"

#include <cstring>

#include "base/check.h"

namespace lem::cpu {
namespace {

uint16_t Load16(const std::byte* p) {
  uint16_t v;
  std::memcpy(&v, p, 2);
  return v;
}
uint8_t U8(const std::byte* p) { return static_cast<uint8_t>(*p); }

// --- codes of one ggml block (model-formats 7.1, 7.2), in order of k

void Nibbles(const std::byte* qs, uint8_t* q) {  // 32 codes
  for (int e = 0; e < 16; ++e) {
    q[e] = U8(qs + e) & 15;
    q[e + 16] = U8(qs + e) >> 4;
  }
}

void FifthBits(const std::byte* qh, uint8_t* q) {
  uint32_t bits;
  std::memcpy(&bits, qh, 4);
  for (int e = 0; e < 32; ++e) q[e] |= static_cast<uint8_t>((bits >> e & 1) << 4);
}

// Loops over 32 bytes with a fixed shift, so that the compiler makes vectors of them.
void Bytes32(const std::byte* from, int shift, int mask, uint8_t* q) {
  for (int l = 0; l < 32; ++l) q[l] = static_cast<uint8_t>(U8(from + l) >> shift & mask);
}
void OrBytes32(const std::byte* from, int shift, int mask, int up, uint8_t* q) {
  for (int l = 0; l < 32; ++l) q[l] |= static_cast<uint8_t>((U8(from + l) >> shift & mask) << up);
}

void Crumbs(const std::byte* qs, uint8_t* q) {  // Q2_K, Q3_K
  for (int j = 0; j < 8; ++j) Bytes32(qs + 32 * (j / 4), 2 * (j % 4), 3, q + 32 * j);
}

void KNibbles(const std::byte* qs, uint8_t* q) {  // Q4_K, Q5_K
  for (int j = 0; j < 8; ++j) Bytes32(qs + 32 * (j / 2), 4 * (j % 2), 15, q + 32 * j);
}

void OneBit(const std::byte* qh, int up, uint8_t* q) {  // bit j of byte l belongs to 32 j + l
  for (int j = 0; j < 8; ++j) OrBytes32(qh, j, 1, up, q + 32 * j);
}

void SixBits(const std::byte* b, uint8_t* q) {
  for (int j = 0; j < 8; ++j) {
    const int c = j / 4, k = j % 4;
    Bytes32(b + 64 * c + 32 * (k & 1), 4 * (k >> 1), 15, q + 32 * j);
    OrBytes32(b + 128 + 32 * c, 2 * k, 3, 4, q + 32 * j);
  }
}

void SixBitScales(const std::byte* s, SuperScales* out) {  // Q4_K, Q5_K
  for (int j = 0; j < 8; ++j) {
    if (j < 4) {
      out->scale[j] = U8(s + j) & 63;
      out->min[j] = U8(s + j + 4) & 63;
    } else {
      out->scale[j] = static_cast<int8_t>((U8(s + j + 4) & 15) | U8(s + j - 4) >> 6 << 4);
      out->min[j] = static_cast<int8_t>(U8(s + j + 4) >> 4 | U8(s + j) >> 6 << 4);
    }
  }
}

}  // namespace

void BlockCodes(GgmlType type, const std::byte* b, uint8_t* q) {
  switch (type) {
    case GgmlType::kQ4_0:
      return Nibbles(b + 2, q);
    case GgmlType::kQ4_1:
      return Nibbles(b + 4, q);
    case GgmlType::kQ5_0:
      Nibbles(b + 6, q);
      return FifthBits(b + 2, q);
    case GgmlType::kQ5_1:
      Nibbles(b + 8, q);
      return FifthBits(b + 4, q);
    case GgmlType::kQ8_0:
      for (int e = 0; e < 32; ++e) q[e] = U8(b + 2 + e);
      return;
    case GgmlType::kIQ4_NL:
      return Nibbles(b + 2, q);
    case GgmlType::kMXFP4:
      return Nibbles(b + 1, q);
    case GgmlType::kIQ4_XS:
      for (int j = 0; j < 8; ++j) Nibbles(b + 8 + 16 * j, q + 32 * j);
      return;
    case GgmlType::kQ2_K:
      return Crumbs(b + 16, q);
    case GgmlType::kQ3_K:
      Crumbs(b + 32, q);
      return OneBit(b, 2, q);
    case GgmlType::kQ4_K:
      return KNibbles(b + 16, q);
    case GgmlType::kQ5_K:
      KNibbles(b + 48, q);
      return OneBit(b + 16, 4, q);
    case GgmlType::kQ6_K:
      return SixBits(b, q);
    default:
      LEM_CHECK(false);
  }
}

SuperScales ReadSuperScales(GgmlType type, const std::byte* b) {
  SuperScales s;
  switch (type) {
    case GgmlType::kQ2_K:
      s.d = Load16(b + 80), s.dmin = Load16(b + 82);
      for (int j = 0; j < 16; ++j) s.scale[j] = U8(b + j) & 15, s.min[j] = U8(b + j) >> 4;
      return s;
    case GgmlType::kQ3_K:
      s.d = Load16(b + 108);
      for (int j = 0; j < 16; ++j) {
        const int low = j < 8 ? U8(b + 96 + j) & 15 : U8(b + 96 + j - 8) >> 4;
        s.scale[j] =
            static_cast<int8_t>((low | (U8(b + 104 + j % 4) >> 2 * (j / 4) & 3) << 4) - 32);
      }
      return s;
    case GgmlType::kQ4_K:
    case GgmlType::kQ5_K:
      s.d = Load16(b), s.dmin = Load16(b + 2);
      SixBitScales(b + 4, &s);
      return s;
    case GgmlType::kQ6_K:
      s.d = Load16(b + 208);
      std::memcpy(s.scale, b + 192, 16);
      return s;
    case GgmlType::kIQ4_XS:
      s.d = Load16(b);
      for (int j = 0; j < 8; ++j) {
        const int low = U8(b + 4 + j / 2) >> 4 * (j % 2) & 15;
        s.scale[j] = static_cast<int8_t>((low | (Load16(b + 2) >> 2 * j & 3) << 4) - 32);
      }
      return s;
    default:
      LEM_CHECK(false);
  }
}

}  // namespace lem::cpu
