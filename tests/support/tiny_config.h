// SPDX-License-Identifier: EUPL-1.2
// A configuration of a few numbers, for tests that need no weights.
#pragma once

#include <string>

#include "model/config.h"

namespace lem::testing {

// 2 layers of 32, 4 heads of 8 over 2 key-value heads, MLP 48, vocabulary 64; layer 0 sees a
// window.
inline ModelConfig TinyConfig(const std::string& family, int window = 0) {
  ModelConfig c;
  c.family = family;
  c.layers = 2, c.dim = 32, c.mlp_dim = 48, c.heads = 4, c.kv_heads = 2, c.head_dim = 8;
  c.vocab = c.usable_vocab = 64;
  c.max_positions = 128;
  const bool gemma = family.starts_with("gemma");
  c.norm_plus_one = c.post_norms = gemma;
  c.qk_norm = family == "gemma3" || family == "qwen3";
  c.qkv_bias = family == "qwen2";
  c.layer.resize(2);
  c.layer[0].window = window;
  return c;
}

}  // namespace lem::testing
