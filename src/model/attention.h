// SPDX-License-Identifier: EUPL-1.2
// Self-attention of one layer: projections, norms of queries and keys, rotation, attention, output.
#pragma once

#include "model/context.h"
#include "model/lora_linear.h"
#include "model/norm.h"

namespace lem {

struct Attention {
  LoraLinear q, k, v, o;
  Norm q_norm, k_norm;  // per head; empty in most layouts
  AttentionShape shape;
  const RopeTable* rope = nullptr;
  int layer = 0;  // which ring of a cache

  struct Saved {
    LoraLinear::Saved q_low, k_low, v_low, o_low;
    Mat q_raw, k_raw;  // before the norms; the same memory as q, k where there are none
    Vec q_r, k_r;      // (tokens * heads), (tokens * kv_heads)
    Mat q, k, v;       // normed and rotated
    Mat o, lse;        // what was attended to; (tokens, heads)
  };
  struct Scratch {
    LoraLinear::Scratch linear;
    Mat d_o, dq, dk, dv;  // (tokens, q_dim or kv_dim)
    Mat dq_raw, dk_raw;   // with norms only
  };
  struct Grads {
    LoraLinear::Grads q, k, v, o;
    Vec q_norm, k_norm;
  };

  bool adapted() const { return q.adapted() || k.adapted() || v.adapted() || o.adapted(); }

  // x: (tokens, dim), normed.  y: (tokens, dim), overwritten.
  void Forward(const PassContext& c, ConstOperand x, const Saved& s, const Scratch& scratch,
               Mat y) const;
  // Adds to dx (unless empty) and g. x as in Forward.
  void Backward(const PassContext& c, ConstMat dy, ConstOperand x, const Saved& s,
                const Scratch& scratch, Mat dx, const Grads& g) const;

 private:
  void Attend(const PassContext& c, const Saved& s) const;
  AttentionShape ShapeIn(const PassContext& c) const;  // with its precision
};

}  // namespace lem
