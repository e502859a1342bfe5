// SPDX-License-Identifier: EUPL-1.2
#include "backend/cpu/weights.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/check.h"
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
      for (int64_t p = begin; p < end; ++p) PackBackward(p, 0, rows(), backward_.data() + p * size);
    });
  }

  uint64_t bytes() const override { return 4 * (forward_.size() + backward_.size()); }
  Panel Forward(int64_t panel, AlignedFloats&) const override {
    return {forward_.data() + panel * stride_};
  }
  const float* Backward(int64_t panel, int64_t begin, int64_t end,
                        AlignedFloats& scratch) const override {
    if (backward_.size() > 0)
      return backward_.data() + panel * Steps(rows()) * kPanel + begin / products_.step * kPanel;
    float* out = scratch.Reserve(Steps(end - begin) * kPanel + 16);
    PackBackward(panel, begin, end, out);
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

  void PackBackward(int64_t panel, int64_t begin, int64_t end, float* out) const {
    const int64_t first = panel * kPanel, count = std::min(kPanel, cols() - first);
    float block[kPanel * kPanel];
    for (int64_t row = begin; row < end; row += kPanel) {
      const int64_t n = std::min(kPanel, end - row);
      for (int64_t r = 0; r < n; ++r)
        for (int64_t k = 0; k < count; ++k) block[r * kPanel + k] = Unit(row + r, first + k);
      products_.pack({block, false, true, kPanel, count, kPanel, n,
                      out + (row - begin) / products_.step * kPanel});
    }
  }

  int64_t stride_;
  WeightMemory forward_, backward_;
};

// Packed integers; panels are made in scratch for each product.
class QuantWeight final : public CpuWeight {
 public:
  QuantWeight(const StoredMatrix& matrix, const WeightOptions& options, const Kernels& kernels)
      : CpuWeight(matrix, options.precision, kernels),
        q_(matrix),
        values_(precision_ == Precision::kFloat32 ||
                options.form == WeightOptions::Form::kRounded) {}

  uint64_t bytes() const override { return q_.bytes(); }
  // Panels hold the values, or the integers, which bfloat16 holds exactly, and the scales stay
  // outside (docs/numerics.md).
  int64_t group_steps() const override { return values_ ? 0 : q_.group() / products_.step; }
  void ReadRow(int64_t row, std::span<float> out) const override { q_.DequantizeRow(row, out); }

  Panel Forward(int64_t panel, AlignedFloats& scratch) const override {
    if (values_) return ValuePanel(panel, scratch);
    const int64_t size = Steps(cols()) * kPanel;
    float* units = scratch.Reserve(size + 2 * Scales() + 16);
    products_.expand_codes(q_.codes(), q_.PanelCodes(panel), cols() / 32, units);
    Panel expanded = WithScales(panel, units, units + size);
    const uint8_t *codes = q_.PanelCodes(panel + 1), *scales = q_.PanelScales(panel + 1).data;
    expanded.codes = {codes, (codes - q_.PanelCodes(panel)) / q_.groups()};
    expanded.scales = {scales, (scales - q_.PanelScales(panel).data) / q_.groups()};
    return expanded;
  }

  void SetCodes(int64_t panel, CodesCall* call) const override {
    call->rule = q_.codes();
    call->codes = q_.PanelCodes(panel);
    call->scales = q_.PanelScales(panel);
  }

  const float* Backward(int64_t panel, int64_t begin, int64_t end,
                        AlignedFloats& scratch) const override {
    const int64_t block = kPanel / products_.step * kPanel, last = (end + kPanel - 1) / kPanel;
    float* out = scratch.Reserve((last - begin / kPanel) * block + 16);
    const QuantCodes codes = q_.codes();
    float d[16 * kPanel], m[16 * kPanel];  // at most one super-block's groups
    for (int64_t p = begin / kPanel, at_block = 0; p < last; ++p, at_block += block) {
      int64_t first;
      products_.expand_scales(q_.BlockScales(p, panel, &first), d, q_.has_offset() ? m : nullptr);
      const int64_t at = (panel * 32 / q_.group() - first) * kPanel;
      products_.expand_gradient(codes, q_.rounding(), q_.PanelCodes(p) + panel * 128 * codes.bits,
                                d + at, q_.has_offset() ? m + at : nullptr, GroupsPerBlock(),
                                out + at_block);
    }
    return out;
  }

 private:
  int64_t Scales() const { return q_.groups() * kPanel; }
  int64_t GroupsPerBlock() const { return std::max<int64_t>(1, 32 / q_.group()); }

  Panel WithScales(int64_t panel, const float* units, float* d) const {
    float* m = q_.has_offset() ? d + Scales() : nullptr;
    products_.expand_scales(q_.PanelScales(panel), d, m);
    return {units, d, m};
  }

  Panel ValuePanel(int64_t panel, AlignedFloats& scratch) const {
    const int64_t size = Steps(cols()) * kPanel;
    float* units = scratch.Reserve(size + 2 * Scales() + 16);
    const Panel s = WithScales(panel, units, units + size);
    for (int64_t k = 0; k < cols(); k += 32) {
      const int64_t at = k / q_.group() * kPanel;
      products_.expand_values(
          q_.codes(), q_.rounding(), q_.PanelCodes(panel) + k * 4 * q_.codes().bits, s.d + at,
          s.m ? s.m + at : nullptr, GroupsPerBlock(), units + k / products_.step * kPanel);
    }
    return {units};
  }

  QuantMatrix q_;
  bool values_;
};

// The same integers against rows that are rounded to integers.
class IntegerWeight final : public CpuWeight {
 public:
  IntegerWeight(const StoredMatrix& matrix, const WeightOptions& options, const Kernels& kernels)
      : CpuWeight(matrix, options.precision, kernels),
        integers_(kernels.integers),
        q_(matrix, QuantMatrix::Bytes::kQuads) {
    LEM_CHECK(!options.input_gradients);
  }

  uint64_t bytes() const override { return q_.bytes(); }
  int64_t group() const override { return q_.group(); }
  const IntegerProducts* integers() const override { return &integers_; }
  void ReadRow(int64_t row, std::span<float> out) const override { q_.DequantizeRow(row, out); }
  Panel Forward(int64_t, AlignedFloats&) const override { LEM_CHECK(false); }
  const float* Backward(int64_t, int64_t, int64_t, AlignedFloats&) const override {
    LEM_CHECK(false);
  }

  void SetIntegers(int64_t panel, AlignedFloats& scratch, IntegerCall* call) const override {
    const int64_t scales = q_.groups() * kPanel, bits = q_.codes().bits;
    const int64_t expanded = bits == 8 ? 0 : cols() * kPanel / 4;
    float* d = scratch.Reserve(2 * scales + expanded);
    float* m = d + scales;
    call->d = d;
    call->m = q_.has_offset() ? m : nullptr;
    call->raised = q_.codes().zero_bits;
    integers_.expand_scales(q_.PanelScales(panel), q_.codes().zero, d,
                            q_.has_offset() ? m : nullptr);
    call->bytes = q_.PanelCodes(panel);
    if (bits < 8) {
      auto* bytes = reinterpret_cast<uint8_t*>(m + scales);
      integers_.expand_codes(q_.codes(), q_.PanelCodes(panel), cols() / 32, bytes);
      call->bytes = bytes;
    }
    call->codes = {q_.PanelCodes(panel + 1), kPanel * q_.group() * bits / 8};
    call->scales = {q_.PanelScales(panel + 1).data,
                    (q_.PanelScales(panel + 1).data - q_.PanelScales(panel).data) / q_.groups()};
  }

  void SetIntegerCodes(int64_t panel, IntegerCodesCall* call) const override {
    call->rule = q_.codes();
    call->codes = q_.PanelCodes(panel);
    call->scales = q_.PanelScales(panel);
  }

 private:
  const IntegerProducts& integers_;
  QuantMatrix q_;
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

void CpuWeight::SetCodes(int64_t, CodesCall*) const { LEM_CHECK(false); }
void CpuWeight::SetIntegers(int64_t, AlignedFloats&, IntegerCall*) const { LEM_CHECK(false); }
void CpuWeight::SetIntegerCodes(int64_t, IntegerCodesCall*) const { LEM_CHECK(false); }

std::unique_ptr<CpuWeight> MakeWeight(const StoredMatrix& matrix, const WeightOptions& options,
                                      const Kernels& kernels) {
  CheckShape(matrix);
  const bool compact = options.form != WeightOptions::Form::kDense && matrix.plus == 0;
  const bool quantized = compact && QuantMatrix::IsQuantized(matrix);
  if (quantized && options.form == WeightOptions::Form::kInteger)
    return std::make_unique<IntegerWeight>(matrix, options, kernels);
  if (quantized) return std::make_unique<QuantWeight>(matrix, options, kernels);
  return std::make_unique<DenseWeight>(matrix, options, kernels);
}

}  // namespace lem::cpu
