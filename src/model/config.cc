// SPDX-License-Identifier: EUPL-1.2
// config.json -> ModelConfig. The defaults of each family's class are applied here (model-formats
// 1.7, 2.3), because published files leave most fields out.
#include "model/config.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/error.h"
#include "model/config_fields.h"
#include "tensor/dtype.h"

namespace lem {

const Json* ConfigFields::Find(std::string_view key) const {
  const Json* value = object_.Find(key);
  return value == nullptr || value->IsNull() ? nullptr : value;
}

int ConfigFields::Size(std::string_view key, int64_t max, std::optional<int> otherwise) const {
  const Json* value = Find(key);
  if (value == nullptr) {
    if (!otherwise) Fail(where_, ": the field \"", key, "\" is missing; is this a language model?");
    return *otherwise;
  }
  const int64_t size = value->AsInteger(where_ + ": " + std::string(key));
  if (size < 1 || size > max) {
    Fail(where_, ": \"", key, "\" should be between 1 and ", max, ", found ", size);
  }
  return static_cast<int>(size);
}

double ConfigFields::Number(std::string_view key, double otherwise) const {
  const Json* value = Find(key);
  if (value == nullptr) return otherwise;
  const double number = value->AsNumber(where_ + ": " + std::string(key));
  if (!(std::abs(number) <= kMaxNumber)) {
    Fail(where_, ": \"", key, "\" should be between -", kMaxNumber, " and ", kMaxNumber, ", found ",
         number);
  }
  return number;
}

bool ConfigFields::Bool(std::string_view key, bool otherwise) const {
  const Json* value = Find(key);
  return value == nullptr ? otherwise : value->AsBool(where_ + ": " + std::string(key));
}

std::string ConfigFields::Text(std::string_view key, std::string_view otherwise) const {
  const Json* value = Find(key);
  return value == nullptr ? std::string(otherwise)
                          : value->AsString(where_ + ": " + std::string(key));
}

float EmbeddingScale(int dim, const ConfigOptions& options) {
  const float scale = static_cast<float>(std::sqrt(static_cast<double>(dim)));
  return options.embed_scale_bf16 ? BFloat16ToFloat(FloatToBFloat16(scale)) : scale;
}

namespace {

// What a family's class assumes for fields that a file leaves out.
struct FamilyDefaults {
  const char* model_type;  // as config.json spells it
  const char* family;
  int vocab, dim, mlp_dim, layers, heads, kv_heads, head_dim;  // 0: must be given or derived
  int window, max_positions;
  double eps, theta;
  bool tied;
};

constexpr FamilyDefaults kFamilies[] = {
    {"gemma3_text", "gemma3", 262208, 2304, 9216, 26, 8, 4, 256, 4096, 131072, 1e-6, 1e6, true},
    {"gemma2", "gemma2", 256000, 2304, 9216, 26, 8, 4, 256, 4096, 8192, 1e-6, 1e4, true},
    {"llama", "llama", 32000, 0, 0, 0, 0, 0, 0, 0, 2048, 1e-6, 1e4, false},
    {"mistral", "mistral", 32000, 0, 0, 0, 0, 8, 0, 4096, 131072, 1e-6, 1e4, false},
    {"qwen2", "qwen2", 151936, 0, 0, 0, 0, 32, 0, 4096, 32768, 1e-6, 1e4, false},
    {"qwen3", "qwen3", 151936, 0, 0, 0, 0, 32, 128, 4096, 32768, 1e-6, 1e4, false},
};

const FamilyDefaults& FindFamily(std::string_view model_type, const std::string& where) {
  for (const FamilyDefaults& family : kFamilies) {
    if (model_type == family.model_type) return family;
  }
  Fail(where, ": model_type \"", model_type,
       "\" is not supported; supported are gemma3, gemma3_text, gemma2, llama, mistral, qwen2 and "
       "qwen3");
}

std::optional<int> OrNone(int size) { return size ? std::optional<int>(size) : std::nullopt; }

void ReadSizes(const ConfigFields& f, const FamilyDefaults& d, ModelConfig* c) {
  c->layers = f.Size("num_hidden_layers", kMaxLayers, OrNone(d.layers));
  c->dim = f.Size("hidden_size", kMaxDim, OrNone(d.dim));
  c->mlp_dim = f.Size("intermediate_size", kMaxMlpDim, OrNone(d.mlp_dim));
  c->heads = f.Size("num_attention_heads", kMaxHeads, OrNone(d.heads));
  // Published files always carry the key for the families with grouped heads; a file without it
  // has one key head per query head.
  c->kv_heads = f.Size("num_key_value_heads", kMaxHeads,
                       d.kv_heads && d.kv_heads <= c->heads ? d.kv_heads : c->heads);
  c->head_dim = f.Size("head_dim", kMaxHeadDim, d.head_dim ? d.head_dim : c->dim / c->heads);
  c->vocab = f.Size("vocab_size", kMaxVocab, d.vocab);
  c->max_positions = f.Size("max_position_embeddings", kMaxPositions, d.max_positions);
  c->eps = static_cast<float>(f.Number("rms_norm_eps", d.eps));
}

Activation ReadActivation(const ConfigFields& f, bool gemma) {
  const char* key = gemma && f.Find("hidden_activation") ? "hidden_activation" : "hidden_act";
  const std::string name = f.Text(key, gemma ? "gelu_pytorch_tanh" : "silu");
  // Early Gemma files say "gelu" and mean the tanh form.
  if (name == "gelu_pytorch_tanh" || name == "gelu_new" || (gemma && name == "gelu")) {
    return Activation::kGeluTanh;
  }
  if (name == "silu" || name == "swish") return Activation::kSilu;
  Fail(f.where(), ": ", key, " \"", name, "\" is not supported; silu and gelu_pytorch_tanh are");
}

void ReadSwitches(const ConfigFields& f, const FamilyDefaults& d, const ConfigOptions& options,
                  ModelConfig* c) {
  const std::string_view family = d.family;
  const bool gemma = family == "gemma2" || family == "gemma3";
  c->norm_plus_one = c->post_norms = gemma;
  c->qk_norm = family == "gemma3" || family == "qwen3";
  const bool bias = f.Bool("attention_bias", false) && family != "mistral" && family != "qwen2";
  c->qkv_bias = bias || family == "qwen2";
  c->o_bias = bias;
  c->mlp_bias = family == "llama" && f.Bool("mlp_bias", false);
  c->activation = ReadActivation(f, gemma);
  c->tied = f.Bool("tie_word_embeddings", d.tied);
  c->embed_scale = gemma ? EmbeddingScale(c->dim, options) : 1.0f;
  const double scale_from = gemma ? f.Number("query_pre_attn_scalar", 256) : c->head_dim;
  if (!(scale_from >= 1e-6)) {
    Fail(f.where(), ": query_pre_attn_scalar should be a positive number, found ", scale_from);
  }
  c->attention_scale = static_cast<float>(1 / std::sqrt(scale_from));
  if (gemma) {  // absent means Gemma 2's 50 and 30; null arrives here as 0
    const bool gemma2 = family == "gemma2";
    c->attention_softcap = static_cast<float>(f.Number("attn_logit_softcapping", gemma2 ? 50 : 0));
    c->final_softcap = static_cast<float>(f.Number("final_logit_softcapping", gemma2 ? 30 : 0));
  }
  if (f.Bool("use_bidirectional_attention", false)) {
    Fail(f.where(),
         ": use_bidirectional_attention is set: this is an encoder, which is not "
         "supported; use a model that generates text");
  }
}

// Which layers see only a window.
std::vector<bool> ReadWindowed(const ConfigFields& f, std::string_view family, int layers) {
  std::vector<bool> windowed(static_cast<size_t>(layers), false);
  if ((family == "qwen2" || family == "qwen3") && !f.Bool("use_sliding_window", false)) {
    return windowed;
  }
  if (family == "llama") return windowed;
  if (const Json* types = f.Find("layer_types")) {
    const auto& list = types->AsArray(f.where() + ": layer_types");
    if (list.size() != windowed.size()) {
      Fail(f.where(), ": layer_types should have ", layers, " entries, found ", list.size());
    }
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string& type = list[i].AsString(f.where() + ": layer_types");
      windowed[i] = type == "sliding_attention";
      if (!windowed[i] && type != "full_attention") {
        Fail(f.where(), ": layer_types holds \"", type,
             "\"; full_attention and sliding_attention are supported");
      }
    }
    return windowed;
  }
  const char* key =
      f.Find("sliding_window_pattern") ? "sliding_window_pattern" : "_sliding_window_pattern";
  const int pattern = f.Size(key, kMaxLayers, family == "gemma2" ? 2 : 6);
  const int first = f.Size("max_window_layers", kMaxPositions, 28);
  for (int i = 0; i < layers; ++i) {
    if (family == "mistral")
      windowed[i] = true;
    else if (family == "qwen2" || family == "qwen3")
      windowed[i] = i >= first;
    else
      windowed[i] = (i + 1) % pattern != 0;
  }
  return windowed;
}

RopeRule ReadRopeRule(const ConfigFields& f, double theta, double max_positions) {
  RopeRule rule;
  rule.theta = f.Number("rope_theta", theta);
  rule.type = f.Text("rope_type", f.Text("type", "default"));
  rule.factor = f.Number("factor", 1);
  rule.low_freq_factor = f.Number("low_freq_factor", 1);
  rule.high_freq_factor = f.Number("high_freq_factor", 4);
  rule.original_positions = f.Number("original_max_position_embeddings", max_positions);
  rule.beta_fast = f.Number("beta_fast", 32);
  rule.beta_slow = f.Number("beta_slow", 1);
  rule.attention_factor = f.Number("attention_factor", 0);
  rule.truncate = f.Bool("truncate", true);
  if (rule.type == "yarn" && (f.Find("mscale") || f.Find("mscale_all_dim"))) {
    Fail(f.where(), ": yarn with mscale is not supported");
  }
  return rule;
}

// The two spellings: rope_theta + rope_scaling (+ rope_local_base_freq), or rope_parameters, which
// Gemma 3 nests by layer type.
struct RopeRules {
  RopeRule global, local;
};
RopeRules ReadRope(const ConfigFields& f, const FamilyDefaults& d, int max_positions) {
  static const Json kNothing = Json::MakeObject();
  const bool gemma3 = std::string_view(d.family) == "gemma3";
  const double theta = f.Number("rope_theta", d.theta);
  const double local_theta = gemma3 ? f.Number("rope_local_base_freq", 10000) : theta;
  const auto rule = [&](const Json* object, double otherwise) {
    return ReadRopeRule({object ? *object : kNothing, f.where() + ": rope"}, otherwise,
                        max_positions);
  };
  RopeRules rules;
  const Json* parameters = f.Find("rope_parameters");
  if (parameters && (parameters->Has("full_attention") || parameters->Has("sliding_attention"))) {
    rules.global = rule(parameters->Find("full_attention"), theta);
    rules.local = rule(parameters->Find("sliding_attention"), local_theta);
    return rules;
  }
  rules.global = rule(parameters ? parameters : f.Find("rope_scaling"), theta);
  rules.local = gemma3 ? rule(nullptr, local_theta) : rules.global;
  return rules;
}

void ReadLayers(const ConfigFields& f, const FamilyDefaults& d, ModelConfig* c) {
  const RopeRules rope = ReadRope(f, d, c->max_positions);
  const std::vector<bool> windowed = ReadWindowed(f, d.family, c->layers);
  // "sliding_window": null switches windows off; absent means the class's default.
  const bool off = f.Find("sliding_window") == nullptr && f.Find("sliding_window_is_null");
  c->rope_scaling = RopeScalingJson(rope.global);
  c->layer.resize(static_cast<size_t>(c->layers));
  for (size_t i = 0; i < c->layer.size(); ++i) {
    if (windowed[i] && !off) {
      c->layer[i].window = f.Size("sliding_window", kMaxPositions, d.window);
    }
    ApplyRope(windowed[i] ? rope.local : rope.global, c->head_dim, f.where(), &c->layer[i]);
  }
}

void AddIds(const Json* ids, const std::string& where, std::vector<int>* out) {
  if (ids == nullptr || ids->IsNull()) return;
  const auto add = [&](const Json& id) {
    const int64_t value = id.AsInteger(where);
    if (value < 0 || value > kMaxVocab) Fail(where, ": ", value, " is no token id");
    out->push_back(static_cast<int>(value));
  };
  if (!ids->IsArray()) return add(*ids);
  for (const Json& id : ids->array()) add(id);
}

// generation_config.json overrides config.json, as in transformers and mlx-lm.
std::vector<int> ReadEosIds(const Checkpoint& checkpoint, const Json& text) {
  std::vector<int> ids;
  const std::string where = checkpoint.path().string() + ": eos_token_id";
  AddIds(checkpoint.generation_config().Find("eos_token_id"), where, &ids);
  if (ids.empty()) AddIds(checkpoint.config().Find("eos_token_id"), where, &ids);
  if (ids.empty()) AddIds(text.Find("eos_token_id"), where, &ids);
  return ids;
}

void RefuseForeignQuantization(const Json& root, const std::string& where) {
  const Json* quantization = root.Find("quantization_config");
  const Json* method = quantization ? quantization->Find("quant_method") : nullptr;
  if (method == nullptr) return;  // MLX's own has bits and group_size only
  Fail(where, ": weights quantised by \"", method->IsString() ? method->string() : "?",
       "\" are not supported; use the unquantised, an MLX or a GGUF version of this model");
}

ModelConfig ReadFolderConfig(const Checkpoint& checkpoint, const ConfigOptions& options) {
  const std::string where = (checkpoint.path() / "config.json").string();
  const Json& root = checkpoint.config();
  RefuseForeignQuantization(root, where);
  const std::string type = root.At("model_type", where).AsString(where + ": model_type");
  const bool multimodal = type == "gemma3";
  const Json* nested = multimodal ? root.Find("text_config") : nullptr;
  if (multimodal && nested == nullptr) {
    Fail(where, ": model_type gemma3 should have a text_config; found none");
  }
  Json text = nested ? *nested : root;
  if (multimodal && !text.Has("tie_word_embeddings") && root.Has("tie_word_embeddings")) {
    text.Set("tie_word_embeddings", *root.Find("tie_word_embeddings"));
  }
  for (const char* key : {"sliding_window", "attn_logit_softcapping", "final_logit_softcapping"}) {
    const Json* value = text.Find(key);
    if (value == nullptr || !value->IsNull()) continue;
    // An explicit null differs from an absent field.
    if (std::string_view(key) == "sliding_window")
      text.Set("sliding_window_is_null", true);
    else
      text.Set(key, 0.0);
  }
  const FamilyDefaults& defaults = FindFamily(multimodal ? "gemma3_text" : type, where);
  const ConfigFields fields(text, where);
  ModelConfig config;
  config.family = defaults.family;
  if (multimodal) config.mlx_prefix = "language_model.model.";
  ReadSizes(fields, defaults, &config);
  ReadSwitches(fields, defaults, options, &config);
  ReadLayers(fields, defaults, &config);
  config.usable_vocab = config.family == "gemma3" ? std::min(config.vocab, 262144) : config.vocab;
  config.eos_ids = ReadEosIds(checkpoint, text);
  ValidateConfig(config, where);
  return config;
}

}  // namespace

void ValidateConfig(const ModelConfig& c, std::string_view where) {
  if (c.heads % c.kv_heads != 0) {
    Fail(where, ": the ", c.heads, " attention heads should be a multiple of the ", c.kv_heads,
         " key/value heads");
  }
  if (c.head_dim % 2 != 0 || c.head_dim == 0) {
    Fail(where, ": head_dim should be even (RoPE rotates pairs), found ", c.head_dim);
  }
  if (!(c.eps >= 0) || c.eps > 1) Fail(where, ": rms_norm_eps ", c.eps, " is no small number");
  if (!(c.attention_softcap >= 0) || !(c.final_softcap >= 0)) {
    Fail(where, ": a soft-cap should be positive or absent, found ", c.attention_softcap, " and ",
         c.final_softcap);
  }
}

int64_t ModelConfig::block_products() const {
  return int64_t{dim} * (2 * int64_t{q_dim()} + 2 * int64_t{kv_dim()} + 3 * int64_t{mlp_dim});
}

int64_t ModelConfig::parameters() const {
  const int64_t d = dim, q = q_dim(), kv = kv_dim(), f = mlp_dim;
  int64_t block = block_products();
  block += (post_norms ? 4 : 2) * d + (qk_norm ? 2 * head_dim : 0);
  if (qkv_bias) block += q + 2 * kv;
  if (o_bias) block += d;
  if (mlp_bias) block += 2 * f + d;
  return block * layers + d + (tied ? 1 : 2) * int64_t{vocab} * d;
}

ModelConfig ReadModelConfig(const Checkpoint& checkpoint, const ConfigOptions& options) {
  return checkpoint.layout() == Checkpoint::Layout::kGguf ? ReadGgufConfig(checkpoint, options)
                                                          : ReadFolderConfig(checkpoint, options);
}

}  // namespace lem
