// SPDX-License-Identifier: EUPL-1.2
// ModelConfig -> config.json, for the folders we write: transformers and mlx-lm read them.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "base/check.h"
#include "base/error.h"
#include "model/config.h"
#include "model/config_fields.h"

namespace lem {
namespace {

struct FamilyNames {
  const char *family, *model_type, *architecture;
};
constexpr FamilyNames kNames[] = {
    {"gemma3", "gemma3_text", "Gemma3ForCausalLM"}, {"gemma2", "gemma2", "Gemma2ForCausalLM"},
    {"llama", "llama", "LlamaForCausalLM"},         {"mistral", "mistral", "MistralForCausalLM"},
    {"qwen2", "qwen2", "Qwen2ForCausalLM"},         {"qwen3", "qwen3", "Qwen3ForCausalLM"}};

const FamilyNames& NamesOf(const std::string& family) {
  for (const FamilyNames& names : kNames) {
    if (family == names.family) return names;
  }
  LEM_CHECK(false);
}

// The shortest decimal that is the float, so that 1e-06 does not become 9.99999997e-07.
Json Short(float value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  double shortest = 0;
  std::from_chars(text, end, shortest);
  return Json(shortest);
}

// What attention_scale was computed from, such that it is computed again to the last bit.
Json QueryScalar(float scale) {
  const double scalar = std::min(1 / (double{scale} * scale), kMaxNumber);
  const double whole = std::round(scalar);
  return PlainNumber(static_cast<float>(1 / std::sqrt(whole)) == scale ? whole : scalar);
}

void SetRope(const ModelConfig& c, Json* json) {
  const LayerConfig* global = &c.layer[0];
  for (const LayerConfig& layer : c.layer) {
    if (layer.window == 0) {
      global = &layer;
    } else if (c.family == "gemma3" &&
               (!layer.rope_divisors.empty() || layer.rope_position_divisor != 1)) {
      Fail(
          "config.json: expected unscaled RoPE on windowed layers, which is all that gemma3's "
          "rope_scaling can say, found a scaled one; keep the model in the files it came in");
    }
  }
  if (!global->rope_divisors.empty() && c.rope_scaling.IsNull()) {
    Fail(
        "config.json: this model's RoPE divisors follow no rule that transformers knows; "
        "keep it as GGUF");
  }
  json->Set("rope_theta", Short(global->rope_theta));
  json->Set("rope_scaling", c.rope_scaling);
}

void SetWindows(const ModelConfig& c, Json* json) {
  int window = 0;
  float local_theta = 0;
  Json types = Json::MakeArray();
  for (const LayerConfig& layer : c.layer) {
    if (layer.window > 0) window = layer.window, local_theta = layer.rope_theta;
    types.Append(layer.window > 0 ? "sliding_attention" : "full_attention");
  }
  json->Set("sliding_window", window > 0 ? Json(window) : Json());
  if (c.family == "gemma3") {
    json->Set("rope_local_base_freq", local_theta > 0 ? Short(local_theta) : Json(10000.0));
    int pattern = 6;  // mlx-lm reads the pattern, transformers the list
    for (int i = 0; i < c.layers; ++i) {
      if (c.layer[static_cast<size_t>(i)].window == 0) {
        pattern = i + 1;
        break;
      }
    }
    json->Set("sliding_window_pattern", pattern);
  }
  if (c.family == "qwen2" || c.family == "qwen3") json->Set("use_sliding_window", window > 0);
  // Mistral's class knows no list; it is written where a list was read.
  const bool mixed = !std::ranges::all_of(
      c.layer, [&](const LayerConfig& layer) { return layer.window == c.layer[0].window; });
  if (mixed || (c.family != "llama" && c.family != "mistral")) json->Set("layer_types", types);
}

void SetFamilyKeys(const ModelConfig& c, Json* json) {
  const bool gemma = c.family == "gemma2" || c.family == "gemma3";
  const char* activation = c.activation == Activation::kSilu ? "silu" : "gelu_pytorch_tanh";
  json->Set(gemma ? "hidden_activation" : "hidden_act", activation);
  if (gemma) {
    json->Set("query_pre_attn_scalar", QueryScalar(c.attention_scale));
    const auto cap = [](float value) { return value > 0 ? Short(value) : Json(); };
    json->Set("attn_logit_softcapping", cap(c.attention_softcap));
    json->Set("final_logit_softcapping", cap(c.final_softcap));
  }
  if (c.family != "qwen2" && c.family != "mistral") {
    json->Set("attention_bias", c.qkv_bias && c.o_bias);
  }
  if (c.family == "llama") json->Set("mlp_bias", c.mlp_bias);
}

}  // namespace

Json PlainNumber(double value) {
  const bool whole = std::round(value) == value && std::abs(value) < 1e15;
  return whole ? Json(static_cast<int64_t>(value)) : Json(value);
}

Json ToHuggingFaceConfig(const ModelConfig& c, std::string_view dtype) {
  // Mistral is "llama" in GGUF: a window on every layer is what tells it apart.
  const bool windowed_llama = c.family == "llama" && c.layer[0].window > 0;
  const FamilyNames& names = NamesOf(windowed_llama ? "mistral" : c.family);
  Json json = Json::MakeObject();
  json.Set("architectures", Json(Json::Array{names.architecture}));
  json.Set("model_type", names.model_type);
  json.Set("vocab_size", c.vocab);
  json.Set("hidden_size", c.dim);
  json.Set("intermediate_size", c.mlp_dim);
  json.Set("num_hidden_layers", c.layers);
  json.Set("num_attention_heads", c.heads);
  json.Set("num_key_value_heads", c.kv_heads);
  json.Set("head_dim", c.head_dim);
  json.Set("max_position_embeddings", c.max_positions);
  json.Set("rms_norm_eps", Short(c.eps));
  json.Set("tie_word_embeddings", c.tied);
  json.Set("attention_dropout", 0.0);
  SetFamilyKeys(c, &json);
  SetRope(c, &json);
  SetWindows(c, &json);
  if (c.eos_ids.size() == 1) json.Set("eos_token_id", c.eos_ids[0]);
  if (c.eos_ids.size() > 1) {
    Json ids = Json::MakeArray();
    for (const int id : c.eos_ids) ids.Append(id);
    json.Set("eos_token_id", ids);
  }
  json.Set("torch_dtype", dtype);
  return json;
}

}  // namespace lem
