// SPDX-License-Identifier: EUPL-1.2
// One layer. Gemma normalises each branch on the way in and on the way out; the Llama layout has no
// norms on the way out: there the branch is added as it is.
//
//   x += attention_out(attention(attention_in(x)))
//   x += mlp_out(mlp(mlp_in(x)))
#pragma once

#include "model/attention.h"
#include "model/mlp.h"
#include "model/norm.h"

namespace lem {

struct Block {
  Norm attention_in, attention_out, mlp_in, mlp_out;
  Attention attention;
  Mlp mlp;

  // What Backward needs. The normed inputs of both branches are made again: cheaper than keeping.
  struct Saved {
    Mat x_in, x_mid;                 // (tokens, dim): the residual stream before each branch
    Vec attention_in_r, mlp_in_r;    // (tokens)
    Vec attention_out_r, mlp_out_r;  // (tokens), with post-norms
    Mat attention_y, mlp_y;          // (tokens, dim): what the branches gave, with post-norms
    Attention::Saved attention;
    Mlp::Saved mlp;
  };
  struct Scratch {
    Operand normed;             // (tokens, dim)
    Mat branch;                 // (tokens, dim): a branch's output, without post-norms
    Mat branch_out, branch_in;  // (tokens, dim): gradients
    Attention::Scratch attention;
    Mlp::Scratch mlp;
  };
  struct Grads {
    Vec attention_in, attention_out, mlp_in, mlp_out;
    Attention::Grads attention;
    Mlp::Grads mlp;
  };

  // How far down a backward pass has to go in this block.
  enum class Depth : uint8_t { kMlp, kAttention, kInput };

  // x: (tokens, dim), in place. With `keep`, s.x_in and s.x_mid take copies for Backward.
  void Forward(const PassContext& c, bool keep, const Saved& s, const Scratch& scratch,
               Mat x) const;
  // dx arrives as the gradient of the output and leaves as that of the input: the residual stream
  // carries it through, and each branch adds its part. Below `depth` it is left unfinished.
  void Backward(const PassContext& c, Depth depth, const Saved& s, const Scratch& scratch, Mat dx,
                const Grads& g) const;
};

}  // namespace lem
