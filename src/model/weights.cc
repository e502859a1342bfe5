// SPDX-License-Identifier: EUPL-1.2
// Names of tensors, per container, and their location in a checkpoint
// (model-formats 1.6, 6.4, 6.5).
#include "model/weights.h"

#include <array>

#include "base/error.h"

namespace lem {
namespace {

struct ProjectionNames {
  std::string_view path, gguf;
};
constexpr std::array<ProjectionNames, kProjections> kProjectionNames = {{
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"},
    {"mlp.gate_proj", "ffn_gate"},
    {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
}};

const ProjectionNames& NamesOf(Projection projection) {
  return kProjectionNames[static_cast<size_t>(projection)];
}

// The same word means two things: Llama's post_attention_layernorm is the norm before the MLP,
// Gemma's is the one on the attention's output.
std::string_view NormPath(const ModelConfig& config, NormSlot slot) {
  switch (slot) {
    case NormSlot::kAttentionIn:
      return "input_layernorm";
    case NormSlot::kAttentionOut:
      return "post_attention_layernorm";
    case NormSlot::kMlpIn:
      return config.post_norms ? "pre_feedforward_layernorm" : "post_attention_layernorm";
    case NormSlot::kMlpOut:
      return "post_feedforward_layernorm";
    case NormSlot::kQ:
      return "self_attn.q_norm";
    case NormSlot::kK:
      return "self_attn.k_norm";
  }
  LEM_CHECK(false);
}

std::string_view NormGgufName(NormSlot slot) {
  switch (slot) {
    case NormSlot::kAttentionIn:
      return "attn_norm";
    case NormSlot::kAttentionOut:
      return "post_attention_norm";
    case NormSlot::kMlpIn:
      return "ffn_norm";
    case NormSlot::kMlpOut:
      return "post_ffw_norm";
    case NormSlot::kQ:
      return "attn_q_norm";
    case NormSlot::kK:
      return "attn_k_norm";
  }
  LEM_CHECK(false);
}

std::string LayerName(std::string_view stem, int layer, std::string_view rest) {
  return std::string(stem) + std::to_string(layer) + "." + std::string(rest);
}

// The three places where a folder may keep its text model.
std::string FindPrefix(const Checkpoint& checkpoint) {
  for (const char* prefix : {"model.", "language_model.model.", "model.language_model."}) {
    if (checkpoint.Find(prefix + std::string("embed_tokens.weight"))) return prefix;
  }
  Fail(checkpoint.path().string(),
       ": expected a tensor model.embed_tokens.weight (or under "
       "language_model.), found none; is this a complete model?");
}

// Finds tensors under one container's names and checks their shapes.
class Locator {
 public:
  Locator(const Checkpoint& checkpoint, const ModelConfig& config)
      : checkpoint_(checkpoint),
        config_(config),
        gguf_(checkpoint.layout() == Checkpoint::Layout::kGguf),
        prefix_(gguf_ ? "" : FindPrefix(checkpoint)) {}

  const std::string& prefix() const { return prefix_; }

  StoredMatrix Embedding() const {
    return Matrix(gguf_ ? "token_embd.weight" : prefix_ + "embed_tokens.weight", config_.vocab,
                  config_.dim);
  }

  // A tied model's file may hold a head all the same. It is a copy of the embedding, except in MLX
  // files, where it is quantised on its own and is the head that was evaluated.
  std::optional<StoredMatrix> Head() const {
    const std::string name = HeadName();
    const std::optional<StoredMatrix> found = checkpoint_.Find(name);
    if (config_.tied && !(found && found->kind == StoredMatrix::Kind::kAffine)) return {};
    return Matrix(name, config_.vocab, config_.dim);
  }

  StoredMatrix FinalNorm() const {
    return Gain(gguf_ ? "output_norm.weight" : prefix_ + "norm.weight", config_.dim);
  }

  StoredMatrix ProjectionMatrix(Projection p, int layer) const {
    const TensorShape shape = ShapeOf(config_, p);
    StoredMatrix m = Matrix(Module(p, layer) + ".weight", shape.out, shape.in);
    m.adjacent_pair_heads = PairHeads(p);
    return m;
  }

  StoredMatrix Bias(Projection p, int layer) const {
    StoredMatrix m = Vector(Module(p, layer) + ".bias", ShapeOf(config_, p).out);
    // A bias is one row here; as a column its entries are rows, ordered as its matrix's rows are.
    if (PairHeads(p) > 0) {
      std::swap(m.rows, m.cols);
      m.adjacent_pair_heads = PairHeads(p);
    }
    return m;
  }

  StoredMatrix Norm(NormSlot slot, int layer) const {
    const bool per_head = slot == NormSlot::kQ || slot == NormSlot::kK;
    const std::string name =
        gguf_ ? GgufNormName(config_, slot, layer)
              : prefix_ + LayerName("layers.", layer, NormPath(config_, slot)) + ".weight";
    return Gain(name, per_head ? config_.head_dim : config_.dim);
  }

 private:
  std::string HeadName() const {
    if (gguf_) return "output.weight";
    // lm_head stands beside the inner "model." of every prefix.
    if (prefix_ == "language_model.model.") return "language_model.lm_head.weight";
    return "lm_head.weight";
  }

  std::string Module(Projection p, int layer) const {
    return gguf_ ? GgufName(p, layer) : prefix_ + LayerName("layers.", layer, ProjectionPath(p));
  }

  int PairHeads(Projection p) const {
    if (!gguf_ || config_.family != "llama") return 0;
    return p == Projection::kQ ? config_.heads : p == Projection::kK ? config_.kv_heads : 0;
  }

  StoredMatrix Matrix(const std::string& name, int64_t rows, int64_t cols) const {
    const StoredMatrix m = checkpoint_.Get(name);
    if (m.rows != rows || m.cols != cols) {
      Fail(checkpoint_.path().string(), ": ", name, " should be (", rows, ", ", cols,
           ") by the model's configuration, found (", m.rows, ", ", m.cols,
           "); configuration and weights are of different models");
    }
    return m;
  }
  StoredMatrix Vector(const std::string& name, int64_t size) const { return Matrix(name, 1, size); }
  StoredMatrix Gain(const std::string& name, int64_t size) const {
    StoredMatrix m = Vector(name, size);
    if (config_.norm_plus_one && !gguf_) m.plus = 1;
    return m;
  }

  const Checkpoint& checkpoint_;
  const ModelConfig& config_;
  bool gguf_;
  std::string prefix_;
};

bool HasNorm(const ModelConfig& config, NormSlot slot) {
  switch (slot) {
    case NormSlot::kAttentionIn:
    case NormSlot::kMlpIn:
      return true;
    case NormSlot::kAttentionOut:
    case NormSlot::kMlpOut:
      return config.post_norms;
    case NormSlot::kQ:
    case NormSlot::kK:
      return config.qk_norm;
  }
  LEM_CHECK(false);
}

bool HasBias(const ModelConfig& config, Projection p) {
  switch (p) {
    case Projection::kQ:
    case Projection::kK:
    case Projection::kV:
      return config.qkv_bias;
    case Projection::kO:
      return config.o_bias;
    default:
      return config.mlp_bias;
  }
}

}  // namespace

std::string_view ProjectionPath(Projection projection) { return NamesOf(projection).path; }

std::string_view ProjectionGgufName(Projection projection) { return NamesOf(projection).gguf; }

std::optional<Projection> ProjectionByPath(std::string_view path) {
  for (size_t i = 0; i < kProjectionNames.size(); ++i) {
    if (kProjectionNames[i].path == path) return static_cast<Projection>(i);
  }
  return {};
}

TensorShape ShapeOf(const ModelConfig& c, Projection projection) {
  switch (projection) {
    case Projection::kQ:
      return {c.q_dim(), c.dim};
    case Projection::kK:
    case Projection::kV:
      return {c.kv_dim(), c.dim};
    case Projection::kO:
      return {c.dim, c.q_dim()};
    case Projection::kGate:
    case Projection::kUp:
      return {c.mlp_dim, c.dim};
    case Projection::kDown:
      return {c.dim, c.mlp_dim};
  }
  LEM_CHECK(false);
}

std::string HfName(Projection projection, int layer) {
  return LayerName("model.layers.", layer, ProjectionPath(projection));
}

std::string HfNormName(const ModelConfig& config, NormSlot slot, int layer) {
  return LayerName("model.layers.", layer, NormPath(config, slot)) + ".weight";
}

std::string GgufName(Projection projection, int layer) {
  return LayerName("blk.", layer, ProjectionGgufName(projection));
}

std::string GgufNormName(const ModelConfig&, NormSlot slot, int layer) {
  return LayerName("blk.", layer, NormGgufName(slot)) + ".weight";
}

WeightMap WeightMap::Locate(const Checkpoint& checkpoint, const ModelConfig& config) {
  const Locator locator(checkpoint, config);
  WeightMap map;
  map.prefix = locator.prefix();
  map.embedding = locator.Embedding();
  map.final_norm = locator.FinalNorm();
  map.head = locator.Head();
  map.blocks.resize(static_cast<size_t>(config.layers));
  for (int i = 0; i < config.layers; ++i) {
    Block& block = map.blocks[static_cast<size_t>(i)];
    for (int p = 0; p < kProjections; ++p) {
      const auto projection = static_cast<Projection>(p);
      block.projection[p] = locator.ProjectionMatrix(projection, i);
      if (HasBias(config, projection)) block.bias[p] = locator.Bias(projection, i);
    }
    for (int n = 0; n < kNormSlots; ++n) {
      const auto slot = static_cast<NormSlot>(n);
      if (HasNorm(config, slot)) block.norm[n] = locator.Norm(slot, i);
    }
  }
  return map;
}

namespace {

uint64_t PackedBytes(const StoredMatrix& m, Precision precision, bool gradients) {
  if (m.kind != StoredMatrix::Kind::kPlain && m.plus == 0) {
    return m.bytes.size() + m.scales.size() + m.biases.size();
  }
  const uint64_t number = precision == Precision::kBFloat16 ? 2 : 4;
  return static_cast<uint64_t>(m.rows * m.cols) * number * (gradients ? 2 : 1);
}

}  // namespace

uint64_t WeightMap::PreparedBytes(Precision precision, int gradients_from) const {
  uint64_t total = PackedBytes(embedding, precision, !head);
  if (head) total += PackedBytes(*head, precision, true);
  for (size_t i = 0; i < blocks.size(); ++i) {
    for (const StoredMatrix& m : blocks[i].projection) {
      total += PackedBytes(m, precision, static_cast<int>(i) >= gradients_from);
    }
  }
  return total;
}

std::vector<float> ReadVector(const StoredMatrix& stored) {
  std::vector<float> values(static_cast<size_t>(stored.rows * stored.cols));
  const std::span<float> all(values);
  for (int64_t r = 0; r < stored.rows; ++r) {
    ReadRow(stored, r,
            all.subspan(static_cast<size_t>(r * stored.cols), static_cast<size_t>(stored.cols)));
  }
  return values;
}

}  // namespace lem
