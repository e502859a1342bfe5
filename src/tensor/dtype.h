// SPDX-License-Identifier: EUPL-1.2
// Element types that files hold, and the conversions between the three floating ones.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace lem {

enum class Dtype : uint8_t {
  kBool,
  kU8,
  kI8,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kF64,
  kI64,
  kU64,
  kF8E4M3,
  kF8E5M2,
  kF8E8M0,
  kC64
};

size_t SizeOf(Dtype dtype);            // bytes of one element
std::string_view NameOf(Dtype dtype);  // as safetensors spells it: "BF16"

inline float BFloat16ToFloat(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

// Rounds to nearest, ties to even; keeps NaN a NaN.
inline uint16_t FloatToBFloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

float Float16ToFloat(uint16_t bits);   // exact, subnormals included
uint16_t FloatToFloat16(float value);  // to nearest even; overflow becomes infinity

// Reads `out.size()` elements of F32, F16, BF16 (or F64, rounded) at `bytes`, which may be
// unaligned.
void ToFloat(Dtype dtype, const std::byte* bytes, std::span<float> out);
// Writes the inverse: bytes must have room for in.size() elements of F32, F16 or BF16.
void FromFloat(std::span<const float> in, Dtype dtype, std::byte* bytes);

}  // namespace lem
