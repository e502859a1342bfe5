// SPDX-License-Identifier: EUPL-1.2
// The whole model on any number type, as plainly as it can be written, over backend/reference. Its
// adapter is a flat vector in the layout of Adapter::values().
#pragma once

#include <vector>

#include "backend/reference/reference.h"
#include "model/adapter.h"
#include "model/rope.h"
#include "model/training_pass.h"
#include "model/weights.h"

namespace lem::testing {

template <class T>
class ReferenceModel {
 public:
  using Values = std::vector<T>;

  ReferenceModel(const ModelConfig& config, const WeightMap& map, const Adapter& layout)
      : config_(config),
        layout_(layout),
        embedding_(ReadVector(map.embedding)),
        head_(map.head ? ReadVector(*map.head) : embedding_),
        final_norm_(ReadVector(map.final_norm)) {
    for (const WeightMap::Block& stored : map.blocks) {
      Block block;
      for (int p = 0; p < kProjections; ++p) {
        block.weight[p] = Lifted(ReadVector(stored.projection[p]));
        if (stored.bias[p]) block.bias[p] = Lifted(ReadVector(*stored.bias[p]));
      }
      for (int n = 0; n < kNormSlots; ++n) {
        if (stored.norm[n]) block.norm[n] = Lifted(ReadVector(*stored.norm[n]));
      }
      blocks_.push_back(std::move(block));
    }
  }

  // The sum of the counted tokens' losses.
  T Loss(const TrainBatch& batch, const Values& adapter) {
    Place(adapter);
    T total = 0;
    for (size_t s = 0; s + 1 < batch.starts.size(); ++s) {
      const std::vector<int32_t> ids(batch.ids.begin() + batch.starts[s],
                                     batch.ids.begin() + batch.starts[s + 1]);
      Values x = Embed(ids);
      for (size_t i = 0; i < blocks_.size(); ++i) x = Layer(i, std::move(x), ids.size());
      Values z = reference::MatMul(reference::RmsNorm(x, Lifted(final_norm_), config_.eps),
                                   Lifted(head_), static_cast<size_t>(config_.dim));
      for (T& value : z) value = reference::Softcap(value, config_.final_softcap);
      const size_t vocab = static_cast<size_t>(config_.vocab);
      for (size_t t = 0; t < ids.size(); ++t) {
        const int32_t target = batch.targets[batch.starts[s] + t];
        if (target < 0) continue;
        const Values row(z.begin() + t * vocab, z.begin() + (t + 1) * vocab);
        total += reference::CrossEntropy<T>(row, {target})[0];
      }
    }
    return total;
  }

 private:
  struct Block {
    Values weight[kProjections], bias[kProjections], norm[kNormSlots];
    Values down[kProjections], up[kProjections], magnitude[kProjections];
  };

  static Values Lifted(const std::vector<float>& v) { return Values(v.begin(), v.end()); }

  // Cuts the flat vector as Adapter does, by where its views point.
  void Place(const Values& adapter) {
    const float* base = layout_.values().data();
    const auto cut = [&](const float* at, size_t count) {
      return Values(adapter.begin() + (at - base),
                    adapter.begin() + (at - base) + static_cast<int64_t>(count));
    };
    for (const AdapterModule& m : layout_.modules()) {
      Block& block = blocks_[static_cast<size_t>(m.layer)];
      const auto p = static_cast<size_t>(m.projection);
      block.down[p] = cut(m.down.data, m.down.rows * m.down.cols);
      block.up[p] = cut(m.up.data, m.up.rows * m.up.cols);
      if (!m.magnitude.empty()) block.magnitude[p] = cut(m.magnitude.data(), m.magnitude.size());
    }
    for (const TrainedTensor& t : layout_.tensors()) {
      Block& block = blocks_[static_cast<size_t>(t.layer)];
      const Values v = cut(t.value.data, t.value.rows * t.value.cols);
      const auto p = static_cast<size_t>(t.projection);
      (t.is_norm   ? block.norm[static_cast<size_t>(t.norm)]
       : t.is_bias ? block.bias[p]
                   : block.weight[p]) = v;
    }
  }

  Values Embed(const std::vector<int32_t>& ids) const {
    Values x;
    for (const int32_t id : ids)
      for (int i = 0; i < config_.dim; ++i)
        x.push_back(
            T(double{embedding_[static_cast<size_t>(id * config_.dim + i)]} * config_.embed_scale));
    return x;
  }

  Values Linear(const Block& b, Projection projection, const Values& x) const {
    const auto p = static_cast<size_t>(projection);
    const TensorShape shape = ShapeOf(config_, projection);
    const size_t in = static_cast<size_t>(shape.in), out = static_cast<size_t>(shape.out);
    Values y = reference::MatMul(x, b.weight[p], in);
    if (!b.down[p].empty()) {
      const size_t rank = b.down[p].size() / in;
      const Values delta = reference::MatMul(reference::MatMul(x, b.down[p], in), b.up[p], rank);
      for (size_t i = 0; i < y.size(); ++i) y[i] += T(layout_.shape().scale) * delta[i];
      for (size_t o = 0; o < out && !b.magnitude[p].empty(); ++o) {
        const T factor = b.magnitude[p][o] / T(RowNorm(b, p, o, in, rank));
        for (size_t t = 0; t < y.size() / out; ++t) y[t * out + o] *= factor;
      }
    }
    for (size_t i = 0; i < y.size() && !b.bias[p].empty(); ++i) y[i] += b.bias[p][i % out];
    return y;
  }

  // |W + scale up down| of row o: a number without a derivative.
  double RowNorm(const Block& b, size_t p, size_t o, size_t in, size_t rank) const {
    double square = 0;
    for (size_t i = 0; i < in; ++i) {
      double w = reference::Real(b.weight[p][o * in + i]);
      for (size_t r = 0; r < rank; ++r) {
        w += layout_.shape().scale * reference::Real(b.up[p][o * rank + r]) *
             reference::Real(b.down[p][r * in + i]);
      }
      square += w * w;
    }
    return std::sqrt(square);
  }

  Values Norm(const Block& b, NormSlot slot, const Values& x) const {
    const Values& gain = b.norm[static_cast<size_t>(slot)];
    return gain.empty() ? x : reference::RmsNorm(x, gain, config_.eps);
  }

  Values Attention(size_t layer, const Values& x, size_t tokens) const {
    const Block& b = blocks_[layer];
    const LayerConfig& rule = config_.layer[layer];
    RopeTables tables(rule, config_.head_dim);
    tables.Cover(static_cast<int64_t>(tokens));
    const ConstMat cos = tables.table().cos, sin = tables.table().sin;
    const std::vector<double> c(cos.data, cos.data + cos.rows * cos.cols),
        s(sin.data, sin.data + sin.rows * sin.cols);
    std::vector<int32_t> positions(tokens);
    for (size_t t = 0; t < tokens; ++t) positions[t] = static_cast<int32_t>(t);
    const auto rotate = [&](Values v, int heads) {
      return reference::Rope(std::move(v), static_cast<size_t>(heads),
                             static_cast<size_t>(config_.head_dim), c, s, positions);
    };
    const Values q = rotate(Norm(b, NormSlot::kQ, Linear(b, Projection::kQ, x)), config_.heads);
    const Values k = rotate(Norm(b, NormSlot::kK, Linear(b, Projection::kK, x)), config_.kv_heads);
    const reference::AttentionShape shape = {.heads = static_cast<size_t>(config_.heads),
                                             .kv_heads = static_cast<size_t>(config_.kv_heads),
                                             .head_dim = static_cast<size_t>(config_.head_dim),
                                             .scale = config_.attention_scale,
                                             .softcap = config_.attention_softcap,
                                             .window = rule.window};
    return Linear(b, Projection::kO,
                  reference::Attention(shape, q, k, Linear(b, Projection::kV, x)).o);
  }

  Values Mlp(const Block& b, const Values& x) const {
    const Values z =
        reference::GatedActivation(config_.activation == Activation::kSilu,
                                   Linear(b, Projection::kGate, x), Linear(b, Projection::kUp, x));
    return Linear(b, Projection::kDown, z);
  }

  Values Layer(size_t i, Values x, size_t tokens) const {
    const Block& b = blocks_[i];
    const auto add = [&](const Values& y) {
      for (size_t j = 0; j < x.size(); ++j) x[j] += y[j];
    };
    add(Norm(b, NormSlot::kAttentionOut, Attention(i, Norm(b, NormSlot::kAttentionIn, x), tokens)));
    add(Norm(b, NormSlot::kMlpOut, Mlp(b, Norm(b, NormSlot::kMlpIn, x))));
    return x;
  }

  const ModelConfig& config_;
  const Adapter& layout_;
  std::vector<float> embedding_, head_, final_norm_;
  std::vector<Block> blocks_;
};

}  // namespace lem::testing
