// SPDX-License-Identifier: EUPL-1.2
// The gated MLP of one layer:  y = down(act(gate(x)) * up(x)).
#pragma once

#include "model/lora_linear.h"

namespace lem {

struct Mlp {
  LoraLinear gate, up, down;
  Activation activation = Activation::kSilu;

  struct Saved {
    LoraLinear::Saved gate_low, up_low, down_low;
    Mat gate, up;  // (tokens, mlp_dim)
  };
  struct Scratch {
    LoraLinear::Scratch linear;
    Operand z;           // (tokens, mlp_dim): act(gate) * up; made again for Backward
    Mat dz, dgate, dup;  // (tokens, mlp_dim)
  };
  struct Grads {
    LoraLinear::Grads gate, up, down;
  };

  bool adapted() const { return gate.adapted() || up.adapted() || down.adapted(); }

  // x: (tokens, dim), normed.  y: (tokens, dim), overwritten.
  void Forward(const PassContext& c, ConstOperand x, const Saved& s, const Scratch& scratch,
               Mat y) const;
  // Adds to dx (unless empty) and g. x as in Forward.
  void Backward(const PassContext& c, ConstMat dy, ConstOperand x, const Saved& s,
                const Scratch& scratch, Mat dx, const Grads& g) const;
};

}  // namespace lem
