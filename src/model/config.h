// SPDX-License-Identifier: EUPL-1.2
// What a checkpoint says about its architecture, validated: one record for every supported family
// (model-formats 2.5). Nothing else in the program knows family names.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "formats/checkpoint.h"
#include "formats/json.h"

namespace lem {

struct LayerConfig {
  int window = 0;  // 0: global
  float rope_theta = 10000;
  float rope_position_divisor = 1;   // linear scaling
  std::vector<float> rope_divisors;  // per frequency (llama3, GGUF rope_freqs); empty: none
  float rope_magnitude = 1;          // yarn's factor on cos and sin
};

struct ModelConfig {
  std::string family;  // "gemma3", "gemma2", "llama", "mistral", "qwen2", "qwen3": also GGUF's
                       // architecture (mistral is llama there)
  int layers = 0, dim = 0, mlp_dim = 0, heads = 0, kv_heads = 0, head_dim = 0;
  int vocab = 0;         // rows of the embedding
  int usable_vocab = 0;  // ids at or above it are never sampled (model-formats 1.1)
  float eps = 1e-6f;
  bool norm_plus_one =
      false;  // folder files store w, the model multiplies by 1 + w; GGUF stores 1 + w
  bool qkv_bias = false, o_bias = false, mlp_bias = false, qk_norm = false, post_norms = false,
       tied = true;
  Activation activation = Activation::kSilu;
  float embed_scale = 1;  // in float32
  float attention_scale = 1, attention_softcap = 0, final_softcap = 0;
  int max_positions = 0;
  std::vector<LayerConfig> layer;
  std::string mlx_prefix =
      "model.";       // of the text model's names in mlx-lm; multimodal: "language_model.model."
  Json rope_scaling;  // of global layers, as transformers spells it; null: none. For writing it
                      // back.
  std::vector<int>
      eos_ids;  // of config and generation_config; empty for GGUF (the tokenizer knows)

  int q_dim() const { return heads * head_dim; }
  int kv_dim() const { return kv_heads * head_dim; }
  int64_t block_products() const;  // multiply-adds of one block's projections, per token
  int64_t parameters() const;      // of the text model, tied head counted once
};

// From config.json or GGUF metadata. Unsupported architectures are refused by name; absurd or
// missing sizes by field. embed_scale_bf16 rounds sqrt(dim) to bfloat16 first, as HF in bf16,
// mlx-lm and gemma.cpp do; float32 runs use the unrounded constant unless mlx-lm is to be matched
// (model-formats 1.4).
struct ConfigOptions {
  bool embed_scale_bf16 = true;
};
ModelConfig ReadModelConfig(const Checkpoint& checkpoint, const ConfigOptions& options = {});

// config.json of a folder written by us (transformers, mlx-lm and we read it), dtype "bfloat16"
// etc.
Json ToHuggingFaceConfig(const ModelConfig& config, std::string_view dtype);

}  // namespace lem
