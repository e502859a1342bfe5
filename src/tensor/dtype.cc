// SPDX-License-Identifier: EUPL-1.2
#include "tensor/dtype.h"

#include <cstring>
#include <iterator>

#include "base/check.h"
#include "base/error.h"

namespace lem {
namespace {

struct DtypeRow {
  std::string_view name;
  size_t size;
};

// In the order of Dtype.
constexpr DtypeRow kRows[] = {
    {"BOOL", 1}, {"U8", 1},      {"I8", 1},      {"I16", 2},     {"U16", 2}, {"F16", 2},
    {"BF16", 2}, {"I32", 4},     {"U32", 4},     {"F32", 4},     {"F64", 8}, {"I64", 8},
    {"U64", 8},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"F8_E8M0", 1}, {"C64", 8},
};
static_assert(std::size(kRows) == static_cast<size_t>(Dtype::kC64) + 1);

const DtypeRow& RowOf(Dtype dtype) {
  LEM_CHECK(static_cast<size_t>(dtype) < std::size(kRows));
  return kRows[static_cast<size_t>(dtype)];
}

template <class T>
T Load(const std::byte* bytes, size_t index) {
  T value;
  std::memcpy(&value, bytes + index * sizeof(T), sizeof(T));
  return value;
}

template <class T>
void Store(T value, std::byte* bytes, size_t index) {
  std::memcpy(bytes + index * sizeof(T), &value, sizeof(T));
}

}  // namespace

size_t SizeOf(Dtype dtype) { return RowOf(dtype).size; }
std::string_view NameOf(Dtype dtype) { return RowOf(dtype).name; }

float Float16ToFloat(uint16_t bits) {
  const uint32_t sign = uint32_t{bits & 0x8000u} << 16;
  const uint32_t exponent = bits >> 10 & 0x1f, mantissa = bits & 0x3ff;
  if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24, exact in float32
    const float value = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | sign);
  }
  const uint32_t wide = exponent == 31 ? 255u : exponent + 112u;
  return std::bit_cast<float>(sign | wide << 23 | mantissa << 13);
}

uint16_t FloatToFloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  uint32_t half = 0;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u | (magnitude >> 13 & 0x1ffu);  // a NaN stays one, quietly
  } else if (magnitude >= 0x477ff000u) {  // 65520 is half-way to the first value out of range
    half = 0x7c00u;
  } else if (magnitude >= 0x38800000u) {  // normal: rebias, round the 13 dropped bits to even
    const uint32_t rebiased = magnitude - (112u << 23);
    half = (rebiased + 0xfffu + (rebiased >> 13 & 1u)) >> 13;
  } else {
    // Subnormal: 0.5 puts the unit in the last place at 2^-24, so the addition rounds.
    half = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  }
  return static_cast<uint16_t>(sign | half);
}

void ToFloat(Dtype dtype, const std::byte* bytes, std::span<float> out) {
  switch (dtype) {
    case Dtype::kF32:
      if (!out.empty()) std::memcpy(out.data(), bytes, out.size_bytes());
      return;
    case Dtype::kBF16:
      for (size_t i = 0; i < out.size(); ++i) out[i] = BFloat16ToFloat(Load<uint16_t>(bytes, i));
      return;
    case Dtype::kF16:
      for (size_t i = 0; i < out.size(); ++i) out[i] = Float16ToFloat(Load<uint16_t>(bytes, i));
      return;
    case Dtype::kF64:
      for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(Load<double>(bytes, i));
      return;
    default:
      Fail("a tensor of type ", NameOf(dtype),
           ": expected floating numbers (F32, F16, BF16 or F64)");
  }
}

void FromFloat(std::span<const float> in, Dtype dtype, std::byte* bytes) {
  switch (dtype) {
    case Dtype::kF32:
      if (!in.empty()) std::memcpy(bytes, in.data(), in.size_bytes());
      return;
    case Dtype::kBF16:
      for (size_t i = 0; i < in.size(); ++i) Store(FloatToBFloat16(in[i]), bytes, i);
      return;
    case Dtype::kF16:
      for (size_t i = 0; i < in.size(); ++i) Store(FloatToFloat16(in[i]), bytes, i);
      return;
    default:
      Fail("cannot write numbers as ", NameOf(dtype), "; expected F32, F16 or BF16");
  }
}

}  // namespace lem
