// SPDX-License-Identifier: EUPL-1.2
// The block formats of ggml: sizes, exact dequantisation, and the reference quantisers for writing
// (model-formats 7). "Exact" means bit-equal to libggml's dequantize_row_*.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace lem {

enum class GgmlType : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kIQ4_NL = 20,
  kIQ4_XS = 23,
  kBF16 = 30,
  kMXFP4 = 39,
};

struct GgmlTypeInfo {
  std::string_view name;  // "Q4_K"
  uint32_t block_elements;
  uint32_t block_bytes;
};

// Null for types this program does not compute with.
const GgmlTypeInfo* FindGgmlType(uint32_t id);
const GgmlTypeInfo& InfoOf(GgmlType type);
std::optional<GgmlType> GgmlTypeByName(std::string_view name);  // case-insensitive

// out.size() must be a multiple of the block size; `blocks` may be unaligned.
void DequantizeGgml(GgmlType type, const std::byte* blocks, std::span<float> out);

// For F32, F16, BF16, Q8_0, Q4_0 (Q4_1 and Q5_0 too, for tests): the reference rule of ggml.
void QuantizeGgml(GgmlType type, std::span<const float> in, std::byte* blocks);

}  // namespace lem
