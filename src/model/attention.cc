// SPDX-License-Identifier: EUPL-1.2
#include "model/attention.h"

#include <vector>

namespace lem {

AttentionShape Attention::ShapeIn(const PassContext& c) const {
  AttentionShape rounding = shape;
  rounding.precision = c.precision;
  return rounding;
}

void Attention::Attend(const PassContext& c, const Saved& s) const {
  Backend& b = c.backend;
  if (c.cached.empty()) {
    b.Attention(ShapeIn(c), c.segments, s.q, s.k, s.v, s.o, s.lse);
    return;
  }
  std::vector<CachedSegment> segments;
  for (const CachedRows& rows : c.cached) {
    segments.push_back(rows.cache->SegmentFor(layer, rows.begin, rows.end));
    const CachedSegment& segment = segments.back();
    b.StoreKv(ConstMat(s.k).Rows(rows.begin, rows.end), ConstMat(s.v).Rows(rows.begin, rows.end),
              segment.first - segment.prefix_length, segment.own);
  }
  b.AttentionCached(shape, segments, s.q, s.o);
}

void Attention::Forward(const PassContext& c, ConstOperand x, const Saved& s,
                        const Scratch& scratch, Mat y) const {
  Backend& b = c.backend;
  LoraLinear::ForwardAll(c, x, {{q, s.q_low, s.q_raw}, {k, s.k_low, s.k_raw}, {v, s.v_low, s.v}},
                         scratch.linear);
  if (q_norm) {
    q_norm.Forward(b, q_norm.Heads(s.q_raw), q_norm.Heads(s.q), s.q_r);
    k_norm.Forward(b, k_norm.Heads(s.k_raw), k_norm.Heads(s.k), s.k_r);
  }
  b.Rope(*rope, c.positions, shape.heads, false, s.q);
  b.Rope(*rope, c.positions, shape.kv_heads, false, s.k);
  Attend(c, s);
  o.Forward(c, s.o, s.o_low, scratch.linear, y);
}

// Forward, read from the bottom up.
void Attention::Backward(const PassContext& c, ConstMat dy, ConstOperand x, const Saved& s,
                         const Scratch& scratch, Mat dx, const Grads& g) const {
  Backend& b = c.backend;
  b.Zero(scratch.d_o);
  o.Backward(c, dy, s.o, s.o_low, scratch.linear, scratch.d_o, g.o);

  b.Zero(scratch.dq), b.Zero(scratch.dk), b.Zero(scratch.dv);
  b.AddAttentionBackward(ShapeIn(c), c.segments, s.q, s.k, s.v, s.o, s.lse, scratch.d_o, scratch.dq,
                         scratch.dk, scratch.dv);
  b.Rope(*rope, c.positions, shape.heads, true, scratch.dq);
  b.Rope(*rope, c.positions, shape.kv_heads, true, scratch.dk);
  if (q_norm) {
    b.Zero(scratch.dq_raw), b.Zero(scratch.dk_raw);
    q_norm.Backward(b, q_norm.Heads(scratch.dq), q_norm.Heads(s.q_raw), s.q_r,
                    q_norm.Heads(scratch.dq_raw), g.q_norm);
    k_norm.Backward(b, k_norm.Heads(scratch.dk), k_norm.Heads(s.k_raw), s.k_r,
                    k_norm.Heads(scratch.dk_raw), g.k_norm);
  }
  const Mat dq = q_norm ? scratch.dq_raw : scratch.dq, dk = q_norm ? scratch.dk_raw : scratch.dk;
  q.Backward(c, dq, x, s.q_low, scratch.linear, dx, g.q);
  k.Backward(c, dk, x, s.k_low, scratch.linear, dx, g.k);
  v.Backward(c, scratch.dv, x, s.v_low, scratch.linear, dx, g.v);
}

}  // namespace lem
