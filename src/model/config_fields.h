// SPDX-License-Identifier: EUPL-1.2
// Reading config.json field by field: a missing field takes its class's default, a wrong type or an
// absurd size is refused by name. Internal to model/config*.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"
#include "model/config.h"

namespace lem {

// Sizes no model of the supported families comes near; above them a file lies.
inline constexpr int64_t kMaxLayers = 1024, kMaxDim = 1 << 17, kMaxMlpDim = 1 << 20,
                         kMaxHeads = 4096, kMaxHeadDim = 4096, kMaxVocab = 1 << 22,
                         kMaxPositions = 1 << 26;
inline constexpr double kMaxNumber = 1e12;

class ConfigFields {
 public:
  // `where` begins every message: "path/config.json".
  ConfigFields(const Json& object, std::string where) : object_(object), where_(std::move(where)) {}

  const Json* Find(std::string_view key) const;  // null is absent
  const std::string& where() const { return where_; }

  // In [1, max]; without a default the field must be there.
  int Size(std::string_view key, int64_t max, std::optional<int> otherwise) const;
  double Number(std::string_view key, double otherwise) const;
  bool Bool(std::string_view key, bool otherwise) const;
  std::string Text(std::string_view key, std::string_view otherwise) const;

 private:
  const Json& object_;
  std::string where_;
};

// How one kind of layer rotates; the divisors and magnitude of LayerConfig follow from it.
struct RopeRule {
  std::string type = "default";  // default, linear, llama3, yarn
  double theta = 10000, factor = 1;
  double low_freq_factor = 1, high_freq_factor = 4;            // llama3
  double original_positions = 0;                               // llama3, yarn
  double beta_fast = 32, beta_slow = 1, attention_factor = 0;  // yarn; 0: 0.1 ln(factor) + 1
  bool truncate = true;
};

// Fills the rope fields of `layer`. Throws Error (beginning with `where`) for an unknown type or
// factors that are not positive.
void ApplyRope(const RopeRule& rule, int head_dim, std::string_view where, LayerConfig* layer);

// The rule as transformers' "rope_scaling"; null for none.
Json RopeScalingJson(const RopeRule& rule);

// As an integer where it is one, as people write it.
Json PlainNumber(double value);

// Checks what every container must satisfy: heads divisible, even head_dim, sizes within bounds.
void ValidateConfig(const ModelConfig& config, std::string_view where);

// config_gguf.cc
ModelConfig ReadGgufConfig(const Checkpoint& checkpoint, const ConfigOptions& options);

// sqrt(dim), rounded to bfloat16 or not.
float EmbeddingScale(int dim, const ConfigOptions& options);

}  // namespace lem
