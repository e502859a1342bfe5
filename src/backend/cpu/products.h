// SPDX-License-Identifier: EUPL-1.2
// Matrix products: packs the rows once, then hands (panel, rows) tiles to threads. Each output has
// one writer and one order of summation, so neither threads nor neighbours change a bit.
#pragma once

#include <span>

#include "backend/cpu/kernels.h"
#include "backend/cpu/weights.h"
#include "tensor/view.h"

namespace lem::cpu {

// y = x w^T, for several frozen weights at once: x is packed once and the work divided once.
struct WeightProduct {
  const CpuWeight* weight;
  Mat y;
};
void MultiplyWeights(ConstOperand x, std::span<const WeightProduct> products);
// The part of it for weights in the integer form whose groups are alike (integer_products.cc).
void MultiplyIntegerWeights(ConstOperand x, std::span<const WeightProduct> products);
// dx += dy w.
void AddMultiplyWeightInputGrad(ConstOperand dy, const CpuWeight& w, Mat dx);
// The same bits, columns of dy that are zero in every row left out (sparse_gradient.cc).
void AddSparseMultiplyWeightInputGrad(ConstMat dy, const CpuWeight& w, Mat dx);

// Both go over w's rows in chunks whose panel (128 KiB) and gradients stay in the second cache.
inline constexpr int64_t kGradientRows = 2048;
static_assert(kGradientRows <= kSparseColumns);
void CheckGradient(ConstOperand dy, const CpuWeight& w, Mat dx);
// Adds block b of packed rows, `steps` of dy's, to one panel of dx.
TileCall GradientTile(const float* rows, int64_t b, const float* units, int64_t steps,
                      int64_t panel, const CpuWeight& w, Mat dx);

// c (m, n) += s * a b with a (m, k) or its transpose in memory, b (k, n) likewise.
struct PlainOperand {
  ConstOperand matrix;
  bool transposed;  // a: (k, m) in memory; b: (n, k) in memory
};
void AddProduct(const Products& products, float s, PlainOperand a, PlainOperand b, Mat c);

}  // namespace lem::cpu
