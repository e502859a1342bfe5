// SPDX-License-Identifier: EUPL-1.2
// Root-mean-square normalisation with a gain, over whole rows or over each head of a row.
#pragma once

#include "backend/backend.h"
#include "tensor/view.h"

namespace lem {

struct Norm {
  ConstVec gain;  // (n); empty: this layout has no such norm
  float eps = 1e-6f;

  explicit operator bool() const { return !gain.empty(); }

  // x: (tokens, heads * n) becomes (tokens * heads, n): rows must be contiguous.
  template <class T>
  MatrixView<T> Heads(MatrixView<T> x) const {
    LEM_CHECK(x.stride == x.cols && x.cols % gain.size() == 0);
    return {x.data, x.rows * (x.cols / gain.size()), gain.size()};
  }

  // r: one number per row (and head), kept for Backward; may be empty.
  void Forward(Backend& b, ConstMat x, Operand y, Vec r) const { b.RmsNorm(x, gain, eps, y, r); }
  // Adds to dx, and to dgain unless it is empty.
  void Backward(Backend& b, ConstMat dy, ConstMat x, ConstVec r, Mat dx, Vec dgain) const {
    if (!dgain.empty()) b.AddRmsNormGainGrad(dy, x, r, dgain);
    b.AddRmsNormBackward(dy, x, gain, r, dx);
  }
};

}  // namespace lem
