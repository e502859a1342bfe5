// SPDX-License-Identifier: EUPL-1.2
#include "backend/cpu/weights.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/threads.h"

namespace lem::cpu {
namespace {

// Every panel kept in the kernels' layout; a second layout for gradients if it was asked for.
class DenseWeight final : public CpuWeight {
 public:
  DenseWeight(const StoredMatrix& matrix, const WeightOptions& options, const Kernels& kernels)
      : CpuWeight(matrix, options.precision, kernels), stride_(Steps(cols()) * kPanel) {
    const int64_t panels = (rows() + kPanel - 1) / kPanel;
    forward_.Reserve(panels * stride_ + 16);
    ParallelFor(panels, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> values(kPanel * cols());
      for (int64_t p = begin; p < end; ++p) PackForward(p, values);
    });
    if (!options.input_gradients) return;
    const int64_t inputs = (cols() + kPanel - 1) / kPanel, size = Steps(rows()) * kPanel;
    backward_.Reserve(inputs * size + 16);
    ParallelFor(inputs, 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) PackBackward(p, backward_.data() + p * size);
    });
  }

  uint64_t bytes() const override { return 4 * (forward_.size() + backward_.size()); }
  Panel Forward(int64_t panel, AlignedFloats&) const override {
    return {forward_.data() + panel * stride_};
  }
  const float* Backward(int64_t panel, AlignedFloats& scratch) const override {
    const int64_t size = Steps(rows()) * kPanel;
    if (backward_.size() > 0) return backward_.data() + panel * size;
    float* out = scratch.Reserve(size + 16);
    PackBackward(panel, out);
    return out;
  }

 private:
  void PackForward(int64_t panel, std::vector<float>& values) {
    const int64_t first = panel * kPanel, count = std::min(kPanel, rows() - first);
    for (int64_t r = 0; r < count; ++r)
      lem::ReadRow(source_, first + r, std::span(values).subspan(r * cols(), cols()));
    products_.pack({values.data(), false, false, cols(), count, kPanel, cols(),
                    forward_.data() + panel * stride_});
  }

  // One number out of the forward layout.
  float Unit(int64_t row, int64_t k) const {
    const float* unit =
        forward_.data() + row / kPanel * stride_ + k / products_.step * kPanel + row % kPanel;
    if (products_.step == 1) return *unit;
    uint32_t pair;
    std::memcpy(&pair, unit, 4);
    return BFloat16ToFloat(static_cast<uint16_t>(pair >> 16 * (k % 2)));
  }

  void PackBackward(int64_t panel, float* out) const {
    const int64_t first = panel * kPanel, count = std::min(kPanel, cols() - first);
    float block[kPanel * kPanel];
    for (int64_t row = 0; row < rows(); row += kPanel) {
      const int64_t n = std::min(kPanel, rows() - row);
      for (int64_t r = 0; r < n; ++r)
        for (int64_t k = 0; k < count; ++k) block[r * kPanel + k] = Unit(row + r, first + k);
      products_.pack(
          {block, false, true, kPanel, count, kPanel, n, out + row / products_.step * kPanel});
    }
  }

  int64_t stride_;
  AlignedFloats forward_, backward_;
};

// Packed integers; panels are made in scratch for each product.
class QuantWeight final : public CpuWeight {
 public:
  QuantWeight(const StoredMatrix& matrix, const WeightOptions& options, const Kernels& kernels)
      : CpuWeight(matrix, options.precision, kernels), q_(matrix) {}

  uint64_t bytes() const override { return q_.bytes(); }
  // In float32 precision panels hold the exact values; in bfloat16 the integers, which bfloat16
  // holds exactly, and the scales stay outside (docs/numerics.md).
  int64_t group_steps() const override {
    return precision_ == Precision::kFloat32 ? 0 : q_.group() / products_.step;
  }
  bool has_offset() const override { return q_.has_offset(); }
  void ReadRow(int64_t row, std::span<float> out) const override { q_.DequantizeRow(row, out); }

  Panel Forward(int64_t panel, AlignedFloats& scratch) const override {
    const int64_t size = Steps(cols()) * kPanel, scales = q_.groups() * kPanel;
    float* units = scratch.Reserve(size + 2 * scales + 16);
    float *d = units + size, *m = d + scales;
    q_.PanelScales(panel, d, q_.has_offset() ? m : nullptr);
    products_.expand_codes(q_.codes(), q_.PanelCodes(panel), cols() / 32, units);
    if (precision_ != Precision::kFloat32) return {units, d, q_.has_offset() ? m : nullptr};
    for (int64_t k = 0; k < cols(); ++k)
      for (int64_t r = 0; r < kPanel; ++r) {
        const int64_t at = k / q_.group() * kPanel + r;
        units[k * kPanel + r] = q_.Dequantize(d[at], units[k * kPanel + r], m[at]);
      }
    return {units};
  }

  const float* Backward(int64_t panel, AlignedFloats& scratch) const override {
    const int64_t scales = q_.groups() * kPanel;
    float* out = scratch.Reserve(Steps(rows()) * kPanel + 2 * scales + 16);
    float *d = out + Steps(rows()) * kPanel, *m = d + scales;
    float block[kPanel * kPanel];
    const QuantCodes codes = q_.codes();
    for (int64_t p = 0; p < q_.panels(); ++p) {
      q_.PanelScales(p, d, m);
      float_products_.expand_codes(codes, q_.PanelCodes(p) + panel * kPanel * 4 * codes.bits, 1,
                                   block);
      for (int64_t k = 0; k < kPanel; ++k)
        for (int64_t r = 0; r < kPanel; ++r) {
          const int64_t at = (panel * kPanel + k) / q_.group() * kPanel + r;
          block[k * kPanel + r] = q_.Dequantize(d[at], block[k * kPanel + r], m[at]);
        }
      const int64_t first = p * kPanel, n = std::min(kPanel, rows() - first);
      products_.pack(
          {block, false, false, kPanel, kPanel, kPanel, n, out + first / products_.step * kPanel});
    }
    return out;
  }

 private:
  QuantMatrix q_;
  const Products& float_products_ = *(&products_ + (precision_ == Precision::kFloat32 ? 0 : 1));
};

void CheckShape(const StoredMatrix& m) {
  if (m.rows <= 0 || m.cols <= 0)
    Fail("weight: expected at least one row and one column, found ", m.rows, " x ", m.cols,
         "; the file may be damaged");
  int64_t block = 1;
  if (m.kind == StoredMatrix::Kind::kGgml) block = InfoOf(m.ggml).block_elements;
  if (m.kind == StoredMatrix::Kind::kAffine) block = m.affine.group_size;
  if (block <= 0 || m.cols % block != 0)
    Fail("weight: expected rows in whole blocks of ", block, ", found ", m.cols,
         " columns; the file may be damaged");
  if (m.bytes.size() != static_cast<size_t>(m.rows) * m.RowBytes())
    Fail("weight: expected ", static_cast<size_t>(m.rows) * m.RowBytes(), " bytes for ", m.rows,
         " x ", m.cols, ", found ", m.bytes.size(), "; the file may be damaged");
  if (m.adjacent_pair_heads > 0 && m.rows % (2 * m.adjacent_pair_heads) != 0)
    Fail("weight: expected rows of ", m.adjacent_pair_heads, " heads of even size, found ", m.rows,
         "; check the number of heads in the configuration");
  if (m.kind != StoredMatrix::Kind::kAffine) return;
  const size_t scales = static_cast<size_t>(m.rows * (m.cols / block)) * SizeOf(m.dtype);
  if (m.scales.size() != scales || m.biases.size() != scales)
    Fail("weight: expected ", scales, " bytes of scales and of biases, found ", m.scales.size(),
         " and ", m.biases.size(), "; the file may be damaged");
}

}  // namespace

std::unique_ptr<CpuWeight> MakeWeight(const StoredMatrix& matrix, const WeightOptions& options,
                                      const Kernels& kernels) {
  CheckShape(matrix);
  const bool compact = options.form == WeightOptions::Form::kCompact && matrix.plus == 0;
  if (compact && QuantMatrix::IsQuantized(matrix))
    return std::make_unique<QuantWeight>(matrix, options, kernels);
  return std::make_unique<DenseWeight>(matrix, options, kernels);
}

}  // namespace lem::cpu
