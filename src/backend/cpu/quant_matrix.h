// SPDX-License-Identifier: EUPL-1.2
// The one quantised matrix: integers (or codebook indices) of 2, 3, 4, 5, 6 or 8 bits in groups
// along the input axis, a scale and perhaps an offset per group. Every quantised format of
// StoredMatrix loads into it without loss and reads at most about 1.1 times the file's bytes.
//
//   w[o][k] = d[o][g] * value[code[o][k]] + m[o][g],  g = k / group
//
// Rows are packed in panels of 32; quant.inl describes the codes inside one. K is a multiple of 32.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/cpu/kernels.h"
#include "backend/cpu/weight_memory.h"
#include "tensor/stored_matrix.h"

namespace lem::cpu {

class QuantMatrix {
 public:
  // True for kAffine and the quantised types of kGgml. The others are plain numbers.
  static bool IsQuantized(const StoredMatrix& matrix);
  // How codes of 8 bits lie: in pairs, as products in bfloat16 want them, or raised and in quads,
  // as those of integers do. Shorter ones serve both.
  enum class Bytes : uint8_t { kPairs, kQuads };
  explicit QuantMatrix(const StoredMatrix& matrix, Bytes bytes = Bytes::kPairs);

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t panels() const { return (rows_ + kPanel - 1) / kPanel; }
  int64_t group() const { return group_; }
  int64_t groups() const { return cols_ / group_; }
  bool has_offset() const { return has_offset_; }
  uint64_t bytes() const { return panels() * (panel_code_bytes_ + panel_scale_bytes_); }

  QuantCodes codes() const {
    return {bits_, values_, values16_, raised_, zero_, zero_bits_, direct_};
  }
  const uint8_t* PanelCodes(int64_t panel) const { return Data() + panel * panel_code_bytes_; }
  QuantScales PanelScales(int64_t panel) const;
  // Of the groups around one block of 32 k; *first is the number of the first of them.
  QuantScales BlockScales(int64_t panel, int64_t block, int64_t* first) const;
  QuantRounding rounding() const { return rounding_; }

  // The exact float32 values, as ReadRow gives them.
  void DequantizeRow(int64_t row, std::span<float> out) const;

 private:
  using Scale = QuantScales::Kind;

  void Describe(const StoredMatrix& matrix);
  void DescribeGgml(GgmlType type);
  void DescribeAffine(const StoredMatrix& matrix);
  void LoadRow(const StoredMatrix& matrix, int64_t row, uint8_t* codes);
  void PutCodes(int64_t row, const uint8_t* codes);
  void PutGgmlScales(GgmlType type, const std::byte* blocks, int64_t row);
  void PutAffineScales(const StoredMatrix& matrix, int64_t row);
  uint8_t Code(int64_t row, int64_t k) const;
  float Dequantize(float d, float value, float m) const;
  float ReadScale(const uint8_t* at) const;
  void RowScale(int64_t row, int64_t group, float* d, float* m) const;
  size_t ScaleBytes() const;
  size_t ScaleOffset(int64_t group) const;  // of d's first row in the panel; m's follows 32 later
  size_t SuperOffset(int64_t group) const;  // kTwoLevel: of its float16
  uint8_t* Data() const { return reinterpret_cast<uint8_t*>(storage_.data()); }
  uint8_t* Scales(int64_t panel) const {
    return Data() + panels() * panel_code_bytes_ + panel * panel_scale_bytes_;
  }

  int64_t rows_, cols_, group_ = 32;
  int bits_ = 4;
  bool has_offset_ = false;
  Scale scale_ = Scale::kF16;
  QuantRounding rounding_ = QuantRounding::kNone;
  float values_[256] = {};
  uint16_t values16_[256] = {};
  uint8_t raised_[256] = {};
  float zero_ = 0;
  int zero_bits_ = 0;
  bool direct_ = true;
  Bytes bytes_;
  int64_t panel_code_bytes_ = 0, panel_scale_bytes_ = 0;
  WeightMemory storage_;
};

}  // namespace lem::cpu
