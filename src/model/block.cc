// SPDX-License-Identifier: EUPL-1.2
#include "model/block.h"

namespace lem {

void Block::Forward(const PassContext& c, bool keep, const Saved& s, const Scratch& scratch,
                    Mat x) const {
  Backend& b = c.backend;
  if (keep) b.Copy(x, s.x_in);
  attention_in.Forward(b, x, scratch.normed, s.attention_in_r);
  if (attention_out) {
    attention.Forward(c, scratch.normed, s.attention, scratch.attention, s.attention_y);
    b.AddRmsNorm(s.attention_y, attention_out.gain, attention_out.eps, x, s.attention_out_r);
  } else {
    attention.Forward(c, scratch.normed, s.attention, scratch.attention, scratch.branch);
    b.Add(scratch.branch, x);
  }

  if (keep) b.Copy(x, s.x_mid);
  mlp_in.Forward(b, x, scratch.normed, s.mlp_in_r);
  if (mlp_out) {
    mlp.Forward(c, scratch.normed, s.mlp, scratch.mlp, s.mlp_y);
    b.AddRmsNorm(s.mlp_y, mlp_out.gain, mlp_out.eps, x, s.mlp_out_r);
  } else {
    mlp.Forward(c, scratch.normed, s.mlp, scratch.mlp, scratch.branch);
    b.Add(scratch.branch, x);
  }
}

// Forward, read from the bottom up.
void Block::Backward(const PassContext& c, Depth depth, const Saved& s, const Scratch& scratch,
                     Mat dx, const Grads& g) const {
  Backend& b = c.backend;
  ConstMat dbranch = dx;
  if (mlp_out) {
    b.Zero(scratch.branch_out);
    mlp_out.Backward(b, dx, s.mlp_y, s.mlp_out_r, scratch.branch_out, g.mlp_out);
    dbranch = scratch.branch_out;
  }
  mlp_in.Forward(b, s.x_mid, scratch.normed, {});
  const bool below_mlp = depth != Depth::kMlp || !g.mlp_in.empty();
  if (below_mlp) b.Zero(scratch.branch_in);
  mlp.Backward(c, dbranch, scratch.normed, s.mlp, scratch.mlp,
               below_mlp ? scratch.branch_in : Mat(), g.mlp);
  if (below_mlp) mlp_in.Backward(b, scratch.branch_in, s.x_mid, s.mlp_in_r, dx, g.mlp_in);
  if (depth == Depth::kMlp) return;

  dbranch = dx;
  if (attention_out) {
    b.Zero(scratch.branch_out);
    attention_out.Backward(b, dx, s.attention_y, s.attention_out_r, scratch.branch_out,
                           g.attention_out);
    dbranch = scratch.branch_out;
  }
  attention_in.Forward(b, s.x_in, scratch.normed, {});
  const bool below = depth == Depth::kInput || !g.attention_in.empty();
  if (below) b.Zero(scratch.branch_in);
  attention.Backward(c, dbranch, scratch.normed, s.attention, scratch.attention,
                     below ? scratch.branch_in : Mat(), g.attention);
  if (below)
    attention_in.Backward(b, scratch.branch_in, s.x_in, s.attention_in_r, dx, g.attention_in);
}

}  // namespace lem
