// SPDX-License-Identifier: EUPL-1.2
// Frozen weights as the products want them: packed panels of 32 outputs, either kept (dense) or
// made panel by panel from packed integers (quantised).
#pragma once

#include <memory>
#include <span>

#include "backend/backend.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/quant_matrix.h"
#include "backend/cpu/scratch.h"

namespace lem::cpu {

class CpuWeight : public Weight {
 public:
  CpuWeight(const StoredMatrix& source, Precision precision, const Kernels& kernels)
      : source_(source),
        precision_(precision),
        products_(kernels.products[precision == Precision::kFloat32]) {}
  int64_t rows() const override { return source_.rows; }
  int64_t cols() const override { return source_.cols; }
  Precision precision() const { return precision_; }
  const Products& products() const { return products_; }

  // 32 rows packed over k, as units [step][32]. With d (and m): grouped (GroupedCall).
  // The two Aheads are where the next panel is stored.
  struct Panel {
    const float *units, *d = nullptr, *m = nullptr;
    Ahead codes = {}, scales = {};
  };
  virtual Panel Forward(int64_t panel, AlignedFloats& scratch) const = 0;
  // 32 columns packed over rows [begin, end), for products with gradients; begin in whole panels.
  virtual const float* Backward(int64_t panel, int64_t begin, int64_t end,
                                AlignedFloats& scratch) const = 0;
  virtual int64_t group_steps() const { return 0; }  // > 0: forward panels are grouped
  // The codes and scales of one panel, for multiply_codes: the same bits as through Forward. Only
  // for grouped weights.
  virtual void SetCodes(int64_t panel, CodesCall* call) const;
  // Not null: products round x to integers, and only the two functions below give panels.
  virtual const IntegerProducts* integers() const { return nullptr; }
  // Bytes, scales and the two Aheads of one panel.
  virtual void SetIntegers(int64_t panel, AlignedFloats& scratch, IntegerCall* call) const;
  virtual void SetIntegerCodes(int64_t panel, IntegerCodesCall* call) const;
  virtual int64_t group() const { return 0; }  // of quantised weights, in k
  virtual void ReadRow(int64_t row, std::span<float> out) const { lem::ReadRow(source_, row, out); }

 protected:
  int64_t Steps(int64_t k) const { return (k + products_.step - 1) / products_.step; }

  StoredMatrix source_;
  Precision precision_;
  const Products& products_;
};

// Throws Error when the matrix is not one this device can multiply with.
std::unique_ptr<CpuWeight> MakeWeight(const StoredMatrix& matrix, const WeightOptions& options,
                                      const Kernels& kernels);

}  // namespace lem::cpu
