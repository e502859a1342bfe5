// SPDX-License-Identifier: EUPL-1.2
#include "model/mlp.h"

namespace lem {

void Mlp::Forward(const PassContext& c, ConstOperand x, const Saved& s, const Scratch& scratch,
                  Mat y) const {
  LoraLinear::ForwardAll(c, x, {{gate, s.gate_low, s.gate}, {up, s.up_low, s.up}}, scratch.linear);
  c.backend.GatedActivation(activation, s.gate, s.up, scratch.z);
  down.Forward(c, scratch.z, s.down_low, scratch.linear, y);
}

// Forward, read from the bottom up.
void Mlp::Backward(const PassContext& c, ConstMat dy, ConstOperand x, const Saved& s,
                   const Scratch& scratch, Mat dx, const Grads& g) const {
  Backend& b = c.backend;
  if (down.adapted()) b.GatedActivation(activation, s.gate, s.up, scratch.z);
  b.Zero(scratch.dz);
  down.Backward(c, dy, scratch.z, s.down_low, scratch.linear, scratch.dz, g.down);
  b.Zero(scratch.dgate), b.Zero(scratch.dup);
  b.AddGatedActivationBackward(activation, s.gate, s.up, scratch.dz, scratch.dgate, scratch.dup);
  up.Backward(c, scratch.dup, x, s.up_low, scratch.linear, dx, g.up);
  gate.Backward(c, scratch.dgate, x, s.gate_low, scratch.linear, dx, g.gate);
}

}  // namespace lem
