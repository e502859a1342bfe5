// SPDX-License-Identifier: EUPL-1.2
// The layout of an adapter in memory and its initial values; its files are in adapter_*.cc.
#include "model/adapter.h"

#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "model/dora.h"
#include "model/workspace.h"

namespace lem {
namespace {

constexpr int kMaxRank = 4096;

void CheckShape(const ModelConfig& config, const AdapterShape& shape) {
  if (shape.num_layers > config.layers) {
    FailUsage("Requested to train ", shape.num_layers, " layers but the model only has ",
              config.layers, " layers.");
  }
  if (shape.type == TuneType::kFull) return;
  if (shape.rank < 1 || shape.rank > kMaxRank) {
    FailUsage("lora_parameters: rank should be between 1 and ", kMaxRank, ", found ", shape.rank);
  }
  if (!std::isfinite(shape.scale)) {
    FailUsage("lora_parameters: scale should be a finite number, found ", shape.scale);
  }
  if (!(shape.dropout >= 0 && shape.dropout < 1)) {
    FailUsage("lora_parameters: dropout should be at least 0 and below 1, found ", shape.dropout);
  }
  for (const std::string& key : shape.keys) {
    if (ProjectionByPath(key)) continue;
    std::string known;
    for (int p = 0; p < kProjections; ++p) {
      known += (p ? ", " : "") + std::string(ProjectionPath(static_cast<Projection>(p)));
    }
    FailUsage("lora_parameters: the key \"", key, "\" names nothing that can be adapted; use ",
              known);
  }
}

int LowestLayer(const ModelConfig& config, const AdapterShape& shape) {
  return shape.num_layers <= 0 ? 0 : config.layers - shape.num_layers;
}

bool HasNorm(const ModelConfig& config, NormSlot slot) {
  if (slot == NormSlot::kQ || slot == NormSlot::kK) return config.qk_norm;
  if (slot == NormSlot::kAttentionOut || slot == NormSlot::kMlpOut) return config.post_norms;
  return true;
}

bool HasBias(const ModelConfig& config, Projection p) {
  if (p == Projection::kO) return config.o_bias;
  return p < Projection::kO ? config.qkv_bias : config.mlp_bias;
}

// Everything of one block, for full tuning; views are filled in later.
void AddBlockTensors(const ModelConfig& config, int layer, std::vector<TrainedTensor>* tensors) {
  const auto add = [&](TrainedTensor t, int64_t rows, int64_t cols) {
    t.layer = layer;
    t.value = Mat(nullptr, static_cast<size_t>(rows), static_cast<size_t>(cols));
    tensors->push_back(t);
  };
  for (int p = 0; p < kProjections; ++p) {
    const auto projection = static_cast<Projection>(p);
    const TensorShape shape = ShapeOf(config, projection);
    add({.projection = projection}, shape.out, shape.in);
    if (HasBias(config, projection)) add({.projection = projection, .is_bias = true}, 1, shape.out);
  }
  for (int n = 0; n < kNormSlots; ++n) {
    const auto slot = static_cast<NormSlot>(n);
    if (!HasNorm(config, slot)) continue;
    add({.is_norm = true, .norm = slot}, 1,
        slot == NormSlot::kQ || slot == NormSlot::kK ? config.head_dim : config.dim);
  }
}

void ReadMatrix(const StoredMatrix& stored, Mat out) {
  if (stored.rows == static_cast<int64_t>(out.rows)) {
    for (size_t r = 0; r < out.rows; ++r) ReadRow(stored, static_cast<int64_t>(r), out.Row(r));
  } else {  // a bias that its container keeps as a column
    const std::vector<float> values = ReadVector(stored);
    LEM_CHECK(values.size() == out.cols);
    std::copy(values.begin(), values.end(), out.data);
  }
}

}  // namespace

Adapter::Adapter(const ModelConfig& config, const AdapterShape& shape)
    : shape_(shape), config_(&config) {
  CheckShape(config, shape);
  lowest_layer_ = LowestLayer(config, shape);
  for (int layer = lowest_layer_; layer < config.layers; ++layer) {
    if (shape.type == TuneType::kFull) {
      AddBlockTensors(config, layer, &tensors_);
      continue;
    }
    for (int p = 0; p < kProjections; ++p) {
      const auto projection = static_cast<Projection>(p);
      if (Adapts(shape, projection)) modules_.push_back({.layer = layer, .projection = projection});
    }
  }
  LayOut(config);
}

// First sizes, then memory, then views into it: the buffer must not move once they exist.
void Adapter::LayOut(const ModelConfig& config) {
  const size_t rank = static_cast<size_t>(shape_.rank);
  const bool dora = shape_.type == TuneType::kDora;
  size_t total = 0;
  for (const AdapterModule& m : modules_) {
    const TensorShape s = ShapeOf(config, m.projection);
    total += rank * static_cast<size_t>(s.in + s.out) + (dora ? static_cast<size_t>(s.out) : 0);
  }
  for (const TrainedTensor& t : tensors_) total += t.value.rows * t.value.cols;
  values_.assign(total, 0.0f);
  float* next = values_.data();
  const auto take = [&](size_t rows, size_t cols) {
    const Mat view(next, rows, cols);
    next += rows * cols;
    return view;
  };
  for (AdapterModule& m : modules_) {
    const TensorShape s = ShapeOf(config, m.projection);
    m.down = take(rank, static_cast<size_t>(s.in));
    m.up = take(static_cast<size_t>(s.out), rank);
    if (dora) m.magnitude = take(1, static_cast<size_t>(s.out)).Row(0);
  }
  for (TrainedTensor& t : tensors_) t.value = take(t.value.rows, t.value.cols);
}

Adapter Adapter::LikeThis() const { return Adapter(*config_, shape_); }

void Adapter::Initialize(uint64_t seed, const WeightMap& weights) {
  // mlx-lm walks a block's children from the last to the first.
  constexpr Projection kOrder[] = {Projection::kUp, Projection::kDown, Projection::kGate,
                                   Projection::kO,  Projection::kV,    Projection::kK,
                                   Projection::kQ};
  MlxRandom random(seed);
  for (int layer = lowest_layer_; layer < config_->layers; ++layer) {
    for (const Projection projection : kOrder) {
      for (AdapterModule& m : modules_) {
        if (m.layer != layer || m.projection != projection) continue;
        random.NextKey();  // of the layer that mlx-lm builds and throws away
        const size_t in = m.down.cols, rank = m.down.rows;
        const auto bound = static_cast<float>(1 / std::sqrt(static_cast<double>(in)));
        std::vector<float> lora_a(in * rank);
        random.Uniform(-bound, bound, lora_a);
        for (size_t i = 0; i < in; ++i)
          for (size_t r = 0; r < rank; ++r) m.down.Row(r)[i] = lora_a[i * rank + r];
        for (size_t o = 0; o < m.up.rows; ++o)
          for (float& v : m.up.Row(o)) v = 0;
      }
    }
  }
  ReadFrozen(weights);
}

// DoRA's magnitudes start as the row norms of the frozen weight, full tuning's masters as itself.
void Adapter::ReadFrozen(const WeightMap& weights) {
  const auto block = [&](int layer) -> const WeightMap::Block& {
    return weights.blocks[static_cast<size_t>(layer)];
  };
  for (AdapterModule& m : modules_) {
    if (m.magnitude.empty()) continue;
    const std::vector<double> squared =
        SquaredRowNorms(block(m.layer).projection[static_cast<size_t>(m.projection)]);
    for (size_t o = 0; o < squared.size(); ++o) {
      m.magnitude[o] = static_cast<float>(std::sqrt(squared[o]));
    }
  }
  for (TrainedTensor& t : tensors_) {
    const auto p = static_cast<size_t>(t.projection);
    ReadMatrix(t.is_norm   ? *block(t.layer).norm[static_cast<size_t>(t.norm)]
               : t.is_bias ? *block(t.layer).bias[p]
                           : block(t.layer).projection[p],
               t.value);
  }
}

void Adapter::DeltaRow(const AdapterModule& module, int64_t row, Vec out) const {
  const ConstVec up = ConstMat(module.up).Row(static_cast<size_t>(row));
  LEM_CHECK(out.size() == module.down.cols);
  std::fill(out.begin(), out.end(), 0.0f);
  for (size_t r = 0; r < up.size(); ++r) {
    const float factor = shape_.scale * up[r];
    const ConstVec down = ConstMat(module.down).Row(r);
    for (size_t i = 0; i < out.size(); ++i) out[i] += factor * down[i];
  }
}

}  // namespace lem
