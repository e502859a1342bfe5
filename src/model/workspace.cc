// SPDX-License-Identifier: EUPL-1.2
#include "model/workspace.h"

#include <algorithm>

namespace lem {
namespace {

LoraLinear::Saved LayOutLow(const PassSizes& z, bool adapted, Projection p, Arena* a) {
  LoraLinear::Saved saved;
  if (!adapted || !z.low_rank() || !Adapts(*z.adapter, p)) return saved;
  saved.low = a->Matrix(z.tokens, static_cast<size_t>(z.adapter->rank));
  if (z.dora()) {
    saved.undirected = a->Matrix(z.tokens, static_cast<size_t>(ShapeOf(z.config, p).out));
  }
  return saved;
}

Attention::Saved LayOutAttention(const PassSizes& z, bool adapted, Arena* a) {
  const ModelConfig& c = z.config;
  const size_t t = z.tokens, q = static_cast<size_t>(c.q_dim()),
               kv = static_cast<size_t>(c.kv_dim());
  Attention::Saved s;
  s.q_low = LayOutLow(z, adapted, Projection::kQ, a);
  s.k_low = LayOutLow(z, adapted, Projection::kK, a);
  s.v_low = LayOutLow(z, adapted, Projection::kV, a);
  s.o_low = LayOutLow(z, adapted, Projection::kO, a);
  s.q = a->Matrix(t, q);
  s.k = a->Matrix(t, kv);
  s.v = a->Matrix(t, kv);
  s.q_raw = s.q, s.k_raw = s.k;
  if (c.qk_norm) {
    s.q_raw = a->Matrix(t, q);
    s.k_raw = a->Matrix(t, kv);
    s.q_r = a->Vector(t * static_cast<size_t>(c.heads));
    s.k_r = a->Vector(t * static_cast<size_t>(c.kv_heads));
  }
  s.o = a->Matrix(t, q);
  if (z.training) s.lse = a->Matrix(t, static_cast<size_t>(c.heads));
  return s;
}

Mlp::Saved LayOutMlp(const PassSizes& z, bool adapted, Arena* a) {
  Mlp::Saved s;
  s.gate_low = LayOutLow(z, adapted, Projection::kGate, a);
  s.up_low = LayOutLow(z, adapted, Projection::kUp, a);
  s.down_low = LayOutLow(z, adapted, Projection::kDown, a);
  s.gate = a->Matrix(z.tokens, static_cast<size_t>(z.config.mlp_dim));
  s.up = a->Matrix(z.tokens, static_cast<size_t>(z.config.mlp_dim));
  return s;
}

LoraLinear::Scratch LayOutLinear(const PassSizes& z, Arena* a) {
  LoraLinear::Scratch s;
  if (!z.training || !z.low_rank()) return s;
  size_t in = 0, out = 0;
  for (int p = 0; p < kProjections; ++p) {
    const TensorShape shape = ShapeOf(z.config, static_cast<Projection>(p));
    in = std::max(in, static_cast<size_t>(shape.in));
    out = std::max(out, static_cast<size_t>(shape.out));
  }
  s.low_grad = a->Matrix(z.tokens, static_cast<size_t>(z.adapter->rank));
  if (z.dropout()) s.in = a->Matrix(z.tokens, in), s.in_grad = a->Matrix(z.tokens, in);
  if (z.dora()) s.out_grad = a->Matrix(z.tokens, out);
  return s;
}

Attention::Scratch LayOutAttentionScratch(const PassSizes& z, const LoraLinear::Scratch& linear,
                                          Arena* a) {
  Attention::Scratch s;
  s.linear = linear;
  if (!z.training) return s;
  const size_t t = z.tokens, q = static_cast<size_t>(z.config.q_dim()),
               kv = static_cast<size_t>(z.config.kv_dim());
  s.d_o = a->Matrix(t, q);
  s.dq = a->Matrix(t, q);
  s.dk = a->Matrix(t, kv);
  s.dv = a->Matrix(t, kv);
  if (z.config.qk_norm) s.dq_raw = a->Matrix(t, q), s.dk_raw = a->Matrix(t, kv);
  return s;
}

Mlp::Scratch LayOutMlpScratch(const PassSizes& z, const LoraLinear::Scratch& linear, Arena* a) {
  const size_t t = z.tokens, f = static_cast<size_t>(z.config.mlp_dim);
  Mlp::Scratch s;
  s.linear = linear;
  s.z = a->Activations(t, f, z.bf16);
  if (z.training) s.dz = a->Matrix(t, f), s.dgate = a->Matrix(t, f), s.dup = a->Matrix(t, f);
  return s;
}

}  // namespace

bool Adapts(const AdapterShape& shape, Projection projection) {
  return shape.keys.empty() || std::find(shape.keys.begin(), shape.keys.end(),
                                         ProjectionPath(projection)) != shape.keys.end();
}

Block::Saved LayOutSaved(const PassSizes& z, bool adapted, Arena* a) {
  const size_t t = z.tokens, dim = static_cast<size_t>(z.config.dim);
  Block::Saved s;
  if (z.training) {
    s.x_in = a->Matrix(t, dim), s.x_mid = a->Matrix(t, dim);
    s.attention_in_r = a->Vector(t), s.mlp_in_r = a->Vector(t);
  }
  if (z.config.post_norms) {
    s.attention_y = a->Matrix(t, dim), s.mlp_y = a->Matrix(t, dim);
    if (z.training) s.attention_out_r = a->Vector(t), s.mlp_out_r = a->Vector(t);
  }
  s.attention = LayOutAttention(z, adapted, a);
  s.mlp = LayOutMlp(z, adapted, a);
  return s;
}

Block::Scratch LayOutScratch(const PassSizes& z, Arena* a) {
  const size_t t = z.tokens, dim = static_cast<size_t>(z.config.dim);
  Block::Scratch s;
  s.normed = a->Activations(t, dim, z.bf16);
  if (!z.config.post_norms) s.branch = a->Matrix(t, dim);
  if (z.training) s.branch_in = a->Matrix(t, dim);
  if (z.training && z.config.post_norms) s.branch_out = a->Matrix(t, dim);
  const LoraLinear::Scratch linear = LayOutLinear(z, a);
  // The two branches never run at the same time: they share memory.
  const size_t mark = a->used();
  s.attention = LayOutAttentionScratch(z, linear, a);
  const size_t after = a->used();
  a->Rewind(mark);
  s.mlp = LayOutMlpScratch(z, linear, a);
  a->Rewind(std::max(after, a->used()));
  return s;
}

}  // namespace lem
