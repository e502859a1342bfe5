// SPDX-License-Identifier: EUPL-1.2
#include "model/lora_linear.h"

#include "ops/columns.h"
#include "ops/dropout.h"

namespace lem {
namespace {

// The first x.rows rows and cols columns of scratch, in the type of x.
Operand Like(ConstOperand x, Mat scratch) {
  LEM_CHECK(scratch.rows >= x.rows && scratch.cols >= x.cols);
  if (!x.bf16) return Mat(scratch.data, x.rows, x.cols);
  return MatrixView<BFloat16>(reinterpret_cast<BFloat16*>(scratch.data), x.rows, x.cols);
}

Mat Part(Mat scratch, size_t rows, size_t cols) {
  LEM_CHECK(scratch.rows >= rows && scratch.cols >= cols);
  return {scratch.data, rows, cols};
}

}  // namespace

ConstOperand LoraLinear::Dropped(const PassContext& c, ConstOperand x,
                                 const Scratch& scratch) const {
  if (!c.dropout || dropout == 0) return x;
  const Operand dropped = Like(x, scratch.in);
  Dropout({c.dropout_seed, c.step, module}, dropout, x, dropped);
  return dropped;
}

void LoraLinear::Forward(const PassContext& c, ConstOperand x, const Saved& s,
                         const Scratch& scratch, Mat y) const {
  ForwardAll(c, x, {{*this, s, y}}, scratch);
}

void LoraLinear::ForwardAll(const PassContext& c, ConstOperand x, std::initializer_list<Call> calls,
                            const Scratch& scratch) {
  Backend::Product products[Backend::kProductsAtOnce];
  LEM_CHECK(calls.size() <= Backend::kProductsAtOnce);
  size_t n = 0;
  for (const Call& call : calls) {
    if (call.linear.trained.empty()) products[n++] = {call.linear.weight, call.y};
  }
  if (n > 0) c.backend.MatMul(x, std::span(products).first(n));
  for (const Call& call : calls) call.linear.Adapt(c, x, call.saved, scratch, call.y);
}

void LoraLinear::Adapt(const PassContext& c, ConstOperand x, const Saved& s, const Scratch& scratch,
                       Mat y) const {
  Backend& b = c.backend;
  if (!trained.empty()) {
    b.Zero(y);
    b.AddMatMul(c.precision, 1, x, trained, y);
  }
  if (!down.empty()) {
    b.Zero(s.low);
    b.AddMatMul(c.precision, 1, Dropped(c, x, scratch), down, s.low);
    b.AddMatMul(c.precision, scale, s.low, up, y);
  }
  if (dora()) {
    b.Copy(y, s.undirected);
    ScaleColumns(s.undirected, factors, y);
  }
  if (!bias.empty()) AddToColumns(bias, y);
}

// Forward, read from the bottom up.
void LoraLinear::Backward(const PassContext& c, ConstMat dy, ConstOperand x, const Saved& s,
                          const Scratch& scratch, Mat dx, const Grads& g) const {
  Backend& b = c.backend;
  const Precision p = c.precision;
  if (!g.bias.empty()) AddColumnSums(dy, g.bias);
  if (dora()) {
    AddColumnDots(dy, s.undirected, inverse_norms, g.magnitude);
    const Mat du = Part(scratch.out_grad, dy.rows, out);
    ScaleColumns(dy, factors, du);
    dy = du;
  }
  if (!down.empty()) {
    const Mat dlow = Part(scratch.low_grad, dy.rows, s.low.cols);
    b.Zero(dlow);
    b.AddMatMulWeightGrad(p, scale, dy, s.low, g.up);
    b.AddMatMulInputGrad(p, scale, dy, up, dlow);
    b.AddMatMulWeightGrad(p, 1, dlow, Dropped(c, x, scratch), g.down);
    if (!dx.empty() && c.dropout && dropout > 0) {
      const Mat dropped_grad = Part(scratch.in_grad, dy.rows, in);
      b.Zero(dropped_grad);
      b.AddMatMulInputGrad(p, 1, dlow, down, dropped_grad);
      AddDropout({c.dropout_seed, c.step, module}, dropout, dropped_grad, dx);
    } else if (!dx.empty()) {
      b.AddMatMulInputGrad(p, 1, dlow, down, dx);
    }
  }
  if (!trained.empty()) {
    b.AddMatMulWeightGrad(p, 1, dy, x, g.weight);
    if (!dx.empty()) b.AddMatMulInputGrad(p, 1, dy, trained, dx);
  } else if (!dx.empty()) {
    b.AddMatMulInputGrad(dy, *weight, dx);
  }
}

}  // namespace lem
