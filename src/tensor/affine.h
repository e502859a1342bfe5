// SPDX-License-Identifier: EUPL-1.2
// MLX's affine quantisation: w ~ scale * q + bias per group along the input axis (mlx-lm 3.5, 3.6).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace lem {

struct AffineFormat {
  int bits = 4;         // 2, 3, 4, 5, 6, 8
  int group_size = 64;  // 32, 64, 128
};

// The two rules that exist in the wild: published files come from Metal, a CPU run follows the
// other.
enum class AffineRule : uint8_t { kMetal, kCpu };

// One row. w.size() is a multiple of the group size. scales and biases: one per group, unrounded
// float32. packed: w.size() * bits / 32 words, element k in bits [k * bits, (k + 1) * bits) of the
// little-endian row.
void QuantizeAffine(AffineFormat format, AffineRule rule, std::span<const float> w,
                    std::span<uint32_t> packed, std::span<float> scales, std::span<float> biases);

// The integers of one row.
void UnpackAffine(AffineFormat format, std::span<const uint32_t> packed, std::span<uint8_t> q);

// The same from bytes that need no alignment, as a mapped file gives them. q.size() is a multiple
// of 8.
void UnpackAffineBytes(int bits, const std::byte* packed, std::span<uint8_t> q);

}  // namespace lem
