// SPDX-License-Identifier: EUPL-1.2
// The reference quantisers of ggml for the types this program writes (model-formats 7.3).
#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/error.h"
#include "tensor/dtype.h"
#include "tensor/ggml_blocks.h"

namespace lem {
namespace {

constexpr int kBlock = 32;

void StoreHalf(float value, uint8_t* out) {
  const uint16_t bits = FloatToFloat16(value);
  out[0] = static_cast<uint8_t>(bits);
  out[1] = static_cast<uint8_t>(bits >> 8);
}

// The element of the largest magnitude, with its sign; the first of equals.
float SignedPeak(const float* x) {
  float peak = 0, magnitude = 0;
  for (int i = 0; i < kBlock; ++i) {
    if (std::fabs(x[i]) > magnitude) {
      magnitude = std::fabs(x[i]);
      peak = x[i];
    }
  }
  return peak;
}

float Inverse(float d) { return d == 0 ? 0 : 1 / d; }

// trunc(scaled), held to [0, most]. A non-finite weight has no meaningful code; 0 keeps it defined.
int Code(float scaled, int most) {
  return scaled >= 0 ? static_cast<int>(std::min(scaled, static_cast<float>(most))) : 0;
}

void Q8_0(const float* x, uint8_t* out) {
  float peak = 0;
  for (int i = 0; i < kBlock; ++i) peak = std::max(peak, std::fabs(x[i]));
  const float d = peak / 127, inverse = Inverse(d);
  StoreHalf(d, out);
  for (int i = 0; i < kBlock; ++i) {
    const float q = std::clamp(std::round(x[i] * inverse), -127.0f, 127.0f);
    out[2 + i] = static_cast<uint8_t>(q == q ? static_cast<int>(q) : 0);
  }
}

void Q4_0(const float* x, uint8_t* out) {
  const float d = SignedPeak(x) / -8, inverse = Inverse(d);
  StoreHalf(d, out);
  for (int i = 0; i < 16; ++i) {
    const int low = Code(x[i] * inverse + 8.5f, 15), high = Code(x[i + 16] * inverse + 8.5f, 15);
    out[2 + i] = static_cast<uint8_t>(low | high << 4);
  }
}

void Q4_1(const float* x, uint8_t* out) {
  const auto [min, max] = std::minmax_element(x, x + kBlock);
  const float d = (*max - *min) / 15, inverse = Inverse(d);
  StoreHalf(d, out);
  StoreHalf(*min, out + 2);
  for (int i = 0; i < 16; ++i) {
    const int low = Code((x[i] - *min) * inverse + 0.5f, 15);
    const int high = Code((x[i + 16] - *min) * inverse + 0.5f, 15);
    out[4 + i] = static_cast<uint8_t>(low | high << 4);
  }
}

void Q5_0(const float* x, uint8_t* out) {
  const float d = SignedPeak(x) / -16, inverse = Inverse(d);
  StoreHalf(d, out);
  uint32_t fifth_bits = 0;
  for (int i = 0; i < 16; ++i) {
    const int low = Code(x[i] * inverse + 16.5f, 31), high = Code(x[i + 16] * inverse + 16.5f, 31);
    out[6 + i] = static_cast<uint8_t>((low & 15) | (high & 15) << 4);
    fifth_bits |= static_cast<uint32_t>(low >> 4) << i | static_cast<uint32_t>(high >> 4)
                                                             << (i + 16);
  }
  for (int i = 0; i < 4; ++i) out[2 + i] = static_cast<uint8_t>(fifth_bits >> 8 * i);
}

}  // namespace

void QuantizeGgml(GgmlType type, std::span<const float> in, std::byte* blocks) {
  if (type == GgmlType::kF32) return FromFloat(in, Dtype::kF32, blocks);
  if (type == GgmlType::kF16) return FromFloat(in, Dtype::kF16, blocks);
  if (type == GgmlType::kBF16) return FromFloat(in, Dtype::kBF16, blocks);
  const GgmlTypeInfo& info = InfoOf(type);
  void (*encode)(const float*, uint8_t*) = type == GgmlType::kQ8_0   ? Q8_0
                                           : type == GgmlType::kQ4_0 ? Q4_0
                                           : type == GgmlType::kQ4_1 ? Q4_1
                                           : type == GgmlType::kQ5_0 ? Q5_0
                                                                     : nullptr;
  if (!encode) Fail("cannot write ", info.name, "; expected F32, F16, BF16, Q8_0 or Q4_0");
  LEM_CHECK(in.size() % info.block_elements == 0);
  auto block = reinterpret_cast<uint8_t*>(blocks);
  for (size_t i = 0; i < in.size(); i += info.block_elements, block += info.block_bytes) {
    encode(in.data() + i, block);
  }
}

}  // namespace lem
