// SPDX-License-Identifier: EUPL-1.2
// GGUF metadata -> ModelConfig. What an architecture implies without saying so (Gemma's windows,
// local RoPE base, embedding and attention scales) is known here (model-formats 6.2, 6.4, 6.5).
#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"
#include "model/config_fields.h"
#include "tensor/stored_matrix.h"

namespace lem {
namespace {

class GgufFields {
 public:
  GgufFields(const Gguf& gguf, std::string architecture)
      : gguf_(gguf), architecture_(std::move(architecture)) {}

  std::string Key(std::string_view key) const { return architecture_ + "." + std::string(key); }
  const std::string& where() const { return gguf_.name(); }
  bool Has(std::string_view key) const { return gguf_.Find(Key(key)) != nullptr; }

  // In [1, max]; 0 as `otherwise` means that the key must be there. Some converters write one value
  // per layer; they must all be the same.
  int Size(std::string_view key, int64_t max, int otherwise) const {
    const std::vector<int64_t> values =
        Has(key) ? gguf_.Integers(Key(key)) : std::vector<int64_t>{};
    if (values.empty()) {
      if (otherwise == 0)
        Fail(where(), ": the key ", Key(key), " is missing; is this a language model?");
      return otherwise;
    }
    for (const int64_t value : values) {
      if (value < 1 || value > max) {
        Fail(where(), ": ", Key(key), " should be between 1 and ", max, ", found ", value);
      }
      if (value != values[0]) {
        Fail(where(), ": ", Key(key), " differs between layers, which is not supported");
      }
    }
    return static_cast<int>(values[0]);
  }
  double Number(std::string_view key, double otherwise) const {
    double value = otherwise;
    gguf_.FindNumber(Key(key), &value);
    return value;
  }
  std::string Text(std::string_view key, std::string_view otherwise) const {
    const std::string* value = gguf_.FindString(Key(key));
    return value ? *value : std::string(otherwise);
  }

 private:
  const Gguf& gguf_;
  std::string architecture_;
};

std::string ReadArchitecture(const Gguf& gguf) {
  const std::string* name = gguf.FindString("general.architecture");
  if (name == nullptr) Fail(gguf.name(), ": general.architecture is missing; is this a model?");
  for (const char* known : {"gemma3", "gemma2", "llama", "qwen2", "qwen3"}) {
    if (*name == known) return *name;
  }
  Fail(gguf.name(), ": the architecture \"", *name,
       "\" is not supported; supported are gemma3, gemma2, llama, qwen2 and qwen3");
}

void ReadSizes(const GgufFields& f, const Checkpoint& checkpoint, ModelConfig* c) {
  c->layers = f.Size("block_count", kMaxLayers, 0);
  c->dim = f.Size("embedding_length", kMaxDim, 0);
  c->mlp_dim = f.Size("feed_forward_length", kMaxMlpDim, 0);
  c->heads = f.Size("attention.head_count", kMaxHeads, 0);
  c->kv_heads = f.Size("attention.head_count_kv", kMaxHeads, c->heads);
  c->head_dim = f.Size("attention.key_length", kMaxHeadDim, std::max(1, c->dim / c->heads));
  c->max_positions = f.Size("context_length", kMaxPositions, 2048);
  c->eps = static_cast<float>(f.Number("attention.layer_norm_rms_epsilon", 1e-6));
  const StoredMatrix embedding = checkpoint.Get("token_embd.weight");
  if (embedding.rows < 1 || embedding.rows > kMaxVocab) {
    Fail(f.where(), ": token_embd.weight has ", embedding.rows, " rows, expected 1 to ", kMaxVocab);
  }
  c->vocab = static_cast<int>(embedding.rows);
  c->usable_vocab = c->family == "gemma3" ? std::min(c->vocab, 262144) : c->vocab;
  c->tied = !checkpoint.Find("output.weight");
  if (f.Size("attention.value_length", kMaxHeadDim, c->head_dim) != c->head_dim ||
      f.Size("rope.dimension_count", kMaxHeadDim, c->head_dim) != c->head_dim) {
    Fail(f.where(), ": values or rotations narrower than the keys' ", c->head_dim,
         " numbers per head are not supported");
  }
  if (f.Has("expert_count") && f.Number("expert_count", 0) > 0) {
    Fail(f.where(), ": mixtures of experts are not supported; use a dense model");
  }
}

void ReadSwitches(const GgufFields& f, const Checkpoint& checkpoint, const ConfigOptions& options,
                  ModelConfig* c) {
  const bool gemma3 = c->family == "gemma3", gemma2 = c->family == "gemma2";
  const bool gemma = gemma2 || gemma3;
  c->norm_plus_one = c->post_norms = gemma;
  c->qk_norm = gemma3 || c->family == "qwen3";
  c->qkv_bias = checkpoint.Find("blk.0.attn_q.bias").has_value();
  c->o_bias = checkpoint.Find("blk.0.attn_output.bias").has_value();
  c->mlp_bias = checkpoint.Find("blk.0.ffn_up.bias").has_value();
  c->activation = gemma ? Activation::kGeluTanh : Activation::kSilu;
  c->embed_scale = gemma ? EmbeddingScale(c->dim, options) : 1.0f;
  // The 27B models scale by (dim / heads)^-0.5, which the file does not say.
  const bool by_dim = (gemma3 && c->layers == 62) || (gemma2 && c->layers == 46);
  const double scale_from = by_dim ? static_cast<double>(c->dim) / c->heads : c->head_dim;
  c->attention_scale = static_cast<float>(1 / std::sqrt(scale_from));
  if (gemma2) {  // some gemma3 files carry a cap that the model does not have
    c->attention_softcap = static_cast<float>(f.Number("attn_logit_softcapping", 50));
    c->final_softcap = static_cast<float>(f.Number("final_logit_softcapping", 30));
  }
}

RopeRule ReadGlobalRope(const GgufFields& f, const ModelConfig& c) {
  RopeRule rule;
  const double theta = f.Number("rope.freq_base", c.family == "gemma3" ? 1e6 : 1e4);
  rule.theta = f.Number("rope.global.freq_base", theta);
  rule.type = f.Text("rope.scaling.type", f.Has("rope.scale_linear") ? "linear" : "none");
  rule.factor = f.Number("rope.scaling.factor", f.Number("rope.scale_linear", 1));
  if (rule.type == "linear" && rule.factor == 0) rule.factor = 1;
  rule.original_positions = f.Number("rope.scaling.original_context_length", c.max_positions);
  rule.beta_fast = f.Number("rope.scaling.yarn_beta_fast", 32);
  rule.beta_slow = f.Number("rope.scaling.yarn_beta_slow", 1);
  if (rule.type == "yarn") {
    rule.attention_factor = f.Number("rope.scaling.yarn_attn_factor", 1) *
                            (0.1 * std::log(std::max(rule.factor, 1.0)) + 1);
  }
  return rule;
}

// Windows of `pattern` - 1 layers out of every `pattern`: 6 for Gemma 3, 2 for Gemma 2.
bool IsWindowed(const Gguf& gguf, const GgufFields& f, const ModelConfig& c, int layer) {
  if (c.family == "llama") return true;  // Mistral 7B v0.1: all layers, when the key is there
  if (c.family != "gemma2" && c.family != "gemma3") return false;
  const std::string key = f.Key("attention.sliding_window_pattern");
  const GgufValue* value = gguf.Find(key);
  if (value != nullptr && value->type == GgufValue::Type::kArray) {
    const auto* flags = std::get_if<std::vector<bool>>(&value->value);
    if (flags == nullptr || flags->size() != static_cast<size_t>(c.layers)) {
      Fail(f.where(), ": ", key, " should be ", c.layers, " booleans or one number");
    }
    return (*flags)[static_cast<size_t>(layer)];
  }
  const int pattern =
      f.Size("attention.sliding_window_pattern", kMaxLayers, c.family == "gemma2" ? 2 : 6);
  return (layer + 1) % pattern != 0;
}

std::vector<float> ReadRopeDivisors(const Checkpoint& checkpoint, const ModelConfig& c) {
  const std::optional<StoredMatrix> stored = checkpoint.Find("rope_freqs.weight");
  if (!stored) return {};
  if (stored->rows * stored->cols != c.head_dim / 2) {
    Fail(checkpoint.path().string(), ": rope_freqs.weight should hold ", c.head_dim / 2,
         " numbers, found ", stored->rows * stored->cols);
  }
  std::vector<float> divisors(static_cast<size_t>(c.head_dim / 2));
  ReadRow(*stored, 0, divisors);
  for (const float d : divisors) {
    if (!(d > 0))
      Fail(checkpoint.path().string(), ": rope_freqs.weight holds ", d, ", not a divisor");
  }
  return divisors;
}

// The file keeps only the divisors; Llama 3's four numbers are found again by trying the one pair
// of frequency factors and length that Meta's models have. Null when they do not give the divisors.
Json Llama3Scaling(const std::vector<float>& divisors, RopeRule rule, int head_dim) {
  rule.type = "llama3";
  rule.factor = *std::max_element(divisors.begin(), divisors.end());
  rule.original_positions = 8192;
  LayerConfig layer;
  ApplyRope(rule, head_dim, "rope_freqs", &layer);
  for (size_t j = 0; j < divisors.size(); ++j) {
    if (std::abs(layer.rope_divisors[j] / divisors[j] - 1) > 1e-4f) return {};
  }
  return RopeScalingJson(rule);
}

void ReadLayers(const GgufFields& f, const Checkpoint& checkpoint, ModelConfig* c) {
  const int window =
      f.Has("attention.sliding_window") && f.Number("attention.sliding_window", 0) > 0
          ? f.Size("attention.sliding_window", kMaxPositions, 0)
          : (c->family == "gemma2" ? 4096 : 0);
  const RopeRule global = ReadGlobalRope(f, *c);
  RopeRule local;  // unscaled
  local.theta = f.Number("rope.local.freq_base", f.Number("rope.freq_base_swa", 10000));
  const std::vector<float> divisors = ReadRopeDivisors(checkpoint, *c);
  c->rope_scaling =
      divisors.empty() ? RopeScalingJson(global) : Llama3Scaling(divisors, global, c->head_dim);
  c->layer.resize(static_cast<size_t>(c->layers));
  for (int i = 0; i < c->layers; ++i) {
    LayerConfig& layer = c->layer[static_cast<size_t>(i)];
    const bool windowed = window > 0 && IsWindowed(checkpoint.gguf(), f, *c, i);
    layer.window = windowed ? window : 0;
    ApplyRope(windowed && c->family == "gemma3" ? local : global, c->head_dim, f.where(), &layer);
    if (!divisors.empty()) layer.rope_divisors = divisors;
  }
}

}  // namespace

ModelConfig ReadGgufConfig(const Checkpoint& checkpoint, const ConfigOptions& options) {
  const Gguf& gguf = checkpoint.gguf();
  ModelConfig config;
  config.family = ReadArchitecture(gguf);
  const GgufFields fields(gguf, config.family);
  ReadSizes(fields, checkpoint, &config);
  ReadSwitches(fields, checkpoint, options, &config);
  ValidateConfig(config, gguf.name());
  ReadLayers(fields, checkpoint, &config);
  return config;
}

}  // namespace lem
