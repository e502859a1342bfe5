// SPDX-License-Identifier: EUPL-1.2
// A weight as its file holds it, before any kernel has seen it: a view of mapped bytes and the rule
// that turns them into numbers. Everything that reads weights goes through here, so that every
// container (safetensors, GGUF, MLX) gives the same float32 values by its own rule.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/affine.h"
#include "tensor/dtype.h"
#include "tensor/ggml_blocks.h"

namespace lem {

struct StoredMatrix {
  enum class Kind : uint8_t { kPlain, kGgml, kAffine };

  Kind kind = Kind::kPlain;
  int64_t rows = 0, cols = 0;        // (out, in); a vector has rows = 1
  std::span<const std::byte> bytes;  // row-major rows; affine: packed words

  Dtype dtype = Dtype::kF32;                  // kPlain; for kAffine the type of scales and biases
  GgmlType ggml = GgmlType::kF32;             // kGgml
  AffineFormat affine;                        // kAffine
  std::span<const std::byte> scales, biases;  // kAffine: (rows, cols / group_size) of `dtype`

  // GGUF's llama architecture stores the rows of Wq and Wk so that rotation pairs are adjacent
  // (model-formats 6.5). When > 0, the rows are that many heads in that order, and the readers
  // below undo it: logical row r is always in Hugging Face order.
  int adjacent_pair_heads = 0;

  // What is added to every element after reading: -1 turns a GGUF Gemma norm back into Hugging
  // Face's.
  float plus = 0;

  int64_t StoredRow(int64_t logical_row) const;
  size_t RowBytes() const;  // of `bytes`
  std::span<const std::byte> RawRow(int64_t logical_row) const;
};

// The float32 values of one logical row, by the file's own rule. out: cols elements.
// Affine rows in bfloat16 round product and sum to bfloat16 separately, as mx.dequantize does on a
// CPU; this is "the file's own rule" for them.
void ReadRow(const StoredMatrix& matrix, int64_t row, std::span<float> out);

}  // namespace lem
