// SPDX-License-Identifier: EUPL-1.2
// Affine quantisation. Everything is float32 in the order that MLX computes it: the packed words
// and the scales then agree to the bit with its files.
#include "tensor/affine.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"

namespace lem {
namespace {

struct Group {
  float scale, bias;
};

float Round(AffineRule rule, float value) {
  return rule == AffineRule::kMetal ? std::round(value) : std::nearbyint(value);
}

// The end of largest magnitude is represented exactly and zero maps to an integer. The Metal
// kernels start their maximum at 0, so an all-negative group differs between the two rules.
Group FitGroup(AffineRule rule, float levels, std::span<const float> w) {
  float low = w[0], high = rule == AffineRule::kMetal ? std::max(0.0f, w[0]) : w[0];
  for (const float value : w) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  float scale = std::max((high - low) / levels, 1e-7f);
  const bool low_end = std::fabs(low) > std::fabs(high);
  const float edge = low_end ? low : high;
  if (!low_end) scale = -scale;
  const float steps = Round(rule, edge / scale);
  if (steps == 0) return {scale, 0};
  return {edge / steps, edge};
}

// Eight elements fill exactly `bits` bytes, for every width.
void Pack8(int bits, const uint8_t* q, uint8_t* out) {
  uint64_t word = 0;
  for (int i = 0; i < 8; ++i) word |= uint64_t{q[i]} << bits * i;
  for (int i = 0; i < bits; ++i) out[i] = static_cast<uint8_t>(word >> 8 * i);
}

}  // namespace

void QuantizeAffine(AffineFormat format, AffineRule rule, std::span<const float> w,
                    std::span<uint32_t> packed, std::span<float> scales, std::span<float> biases) {
  const size_t group = static_cast<size_t>(format.group_size),
               bits = static_cast<size_t>(format.bits);
  LEM_CHECK(w.size() % group == 0 && packed.size() * 32 == w.size() * bits);
  LEM_CHECK(scales.size() == w.size() / group && biases.size() == scales.size());
  const float levels = static_cast<float>((1 << format.bits) - 1);
  auto out = reinterpret_cast<uint8_t*>(packed.data());
  for (size_t g = 0; g < scales.size(); ++g) {
    const std::span<const float> part = w.subspan(g * group, group);
    const Group fit = FitGroup(rule, levels, part);
    scales[g] = fit.scale;
    biases[g] = fit.bias;
    for (size_t i = 0; i < group; i += 8, out += bits) {
      uint8_t q[8];
      for (size_t k = 0; k < 8; ++k) {
        const float code = Round(rule, (part[i + k] - fit.bias) / fit.scale);
        q[k] = static_cast<uint8_t>(code > 0 ? std::min(code, levels) : 0.0f);
      }
      Pack8(format.bits, q, out);
    }
  }
}

void UnpackAffineBytes(int bits, const std::byte* packed, std::span<uint8_t> q) {
  LEM_CHECK(q.size() % 8 == 0 && bits >= 1 && bits <= 8);
  const uint64_t mask = (uint64_t{1} << bits) - 1;
  for (size_t i = 0; i < q.size(); i += 8, packed += bits) {
    uint64_t word = 0;
    std::memcpy(&word, packed, static_cast<size_t>(bits));
    for (int k = 0; k < 8; ++k) q[i + static_cast<size_t>(k)] = word >> bits * k & mask;
  }
}

void UnpackAffine(AffineFormat format, std::span<const uint32_t> packed, std::span<uint8_t> q) {
  LEM_CHECK(packed.size() * 32 == q.size() * static_cast<size_t>(format.bits));
  UnpackAffineBytes(format.bits, std::as_bytes(packed).data(), q);
}

}  // namespace lem
