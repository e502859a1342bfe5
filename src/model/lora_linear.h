// SPDX-License-Identifier: EUPL-1.2
// A linear layer with, perhaps, something to train:
//
//   frozen   y = x W^T + bias
//   LoRA     y = x W^T + scale (dropout(x) down^T) up^T + bias        (arxiv.org/abs/2106.09685)
//   DoRA     y = (m / n) (x W^T + scale (dropout(x) down^T) up^T) + bias, n = |W + scale up down|
//   by
//            row, without a gradient                                  (arxiv.org/abs/2402.09353)
//   full     y = x W^T + bias with W and bias in float32, both trained
#pragma once

#include <initializer_list>

#include "backend/backend.h"
#include "model/arena.h"
#include "model/context.h"
#include "tensor/view.h"

namespace lem {

struct LoraLinear {
  const Weight* weight = nullptr;  // (out, in), frozen
  ConstMat trained;                // (out, in), in its place: full tuning
  ConstVec bias;                   // (out) or empty
  ConstMat down, up;               // (rank, in), (out, rank) or empty
  ConstVec inverse_norms;          // (out), 1 / n: DoRA only
  ConstVec factors;                // (out), m / n: DoRA only
  float scale = 0, dropout = 0;
  uint32_t module = 0;  // numbers the dropout masks
  size_t in = 0, out = 0;

  bool adapted() const { return !down.empty() || !trained.empty(); }
  bool dora() const { return !factors.empty(); }

  struct Saved {
    Mat low;         // (tokens, rank): dropout(x) down^T
    Mat undirected;  // (tokens, out): the output before m / n; DoRA only
  };
  // Memory that lives for one call; one set serves all layers of a pass.
  struct Scratch {
    Mat in, in_grad;  // (tokens, in): with dropout
    Mat low_grad;     // (tokens, rank)
    Mat out_grad;     // (tokens, out): DoRA
  };
  struct Grads {
    Mat down, up, weight;
    Vec magnitude, bias;
  };

  // x: (tokens, in).  y: (tokens, out), overwritten.
  void Forward(const PassContext& c, ConstOperand x, const Saved& s, const Scratch& scratch,
               Mat y) const;
  // Several of the same x, their frozen products at once.
  struct Call {
    const LoraLinear& linear;
    const Saved& saved;
    Mat y;
  };
  static void ForwardAll(const PassContext& c, ConstOperand x, std::initializer_list<Call> calls,
                         const Scratch& scratch);
  // Adds to dx (unless it is empty: nobody below needs it) and to g. x as in Forward.
  void Backward(const PassContext& c, ConstMat dy, ConstOperand x, const Saved& s,
                const Scratch& scratch, Mat dx, const Grads& g) const;

 private:
  // Everything after the frozen product, which y holds.
  void Adapt(const PassContext& c, ConstOperand x, const Saved& s, const Scratch& scratch,
             Mat y) const;
  ConstOperand Dropped(const PassContext& c, ConstOperand x, const Scratch& scratch) const;
};

}  // namespace lem
