// SPDX-License-Identifier: EUPL-1.2
// The trained part: low-rank corrections (LoRA, arxiv.org/abs/2106.09685; DoRA, 2402.09353) of
// chosen projections, or whole blocks (full fine-tuning), and their files in the formats of MLX,
// PEFT and GGUF.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"
#include "model/config.h"
#include "model/weights.h"
#include "tensor/view.h"

namespace lem {

enum class TuneType : uint8_t { kLora, kDora, kFull };

struct AdapterShape {
  TuneType type = TuneType::kLora;
  int rank = 8;
  float scale = 20;  // multiplies B A directly; PEFT's alpha is scale * rank
  float dropout = 0;
  int num_layers = 16;            // counted from the last block; <= 0: all
  std::vector<std::string> keys;  // block-relative paths; empty: all seven projections
};

// One corrected projection:  y = x W^T + scale (x down^T) up^T;  DoRA: y * magnitude / |W + scale
// up down|_row
struct AdapterModule {
  int layer = 0;
  Projection projection = Projection::kQ;
  Mat down{};       // (rank, in): lora_a transposed
  Mat up{};         // (out, rank): lora_b transposed
  Vec magnitude{};  // (out), DoRA only
};

// Full fine-tuning: a float32 master copy of a tensor of the last num_layers blocks.
struct TrainedTensor {
  int layer = 0;
  bool is_norm = false;
  Projection projection = Projection::kQ;  // unless is_norm
  NormSlot norm = NormSlot::kAttentionIn;
  bool is_bias = false;
  Mat value{};  // norms and biases: (1, n); norms hold gains (1 + w for Gemma)
};

// Owns all trained numbers in one flat float32 buffer, in a fixed order, so that optimizer state,
// gradients, norms and checkpoints are flat too.
class Adapter {
 public:
  Adapter(const ModelConfig& config,
          const AdapterShape& shape);  // zeros; throws Error for a shape that does not fit
  Adapter(Adapter&&) noexcept = default;
  Adapter& operator=(Adapter&&) noexcept = default;

  // mlx-lm's initial adapter from a seed, bit for bit (mlx-lm 1.7): down uniform(-1/sqrt(in),
  // 1/sqrt(in)), up zero. DoRA magnitudes and full tensors are read from `weights`.
  void Initialize(uint64_t seed, const WeightMap& weights);

  const AdapterShape& shape() const { return shape_; }
  std::span<AdapterModule> modules() { return modules_; }
  std::span<const AdapterModule> modules() const { return modules_; }
  std::span<TrainedTensor> tensors() { return tensors_; }
  std::span<const TrainedTensor> tensors() const { return tensors_; }
  Vec values() { return values_; }
  ConstVec values() const { return values_; }
  int lowest_layer() const {
    return lowest_layer_;
  }  // blocks below it are frozen and need no backward

  // An adapter of the same layout whose values are gradients (zeros).
  Adapter LikeThis() const;

  // --- files
  // ---------------------------------------------------------------------------------------------
  // The name and array of every tensor as mlx-lm writes it:
  // "model.layers.17.self_attn.q_proj.lora_a" [in, r].
  void SaveMlx(const std::filesystem::path& file) const;  // adapters.safetensors
  static Json MlxConfigKeys(
      const AdapterShape& shape);  // num_layers, lora_parameters, fine_tune_type
  // A folder with adapters.safetensors + adapter_config.json (MLX), or adapter_model.safetensors +
  // adapter_config.json (PEFT), or a .gguf file. Throws Error listing every tensor that does not
  // fit the model, with both shapes.
  static Adapter Load(const std::filesystem::path& path, const ModelConfig& config);
  void SavePeft(const std::filesystem::path& folder, const ModelConfig& config,
                std::string_view base_model) const;
  void SaveGguf(const std::filesystem::path& file, const ModelConfig& config) const;

  // weight + the correction of its module, float32; rows of W in, rows of the fused W' out
  // (mlx-lm 3.1). delta only, without W (LoRA): row of scale * up * down.
  void DeltaRow(const AdapterModule& module, int64_t row, Vec out) const;

 private:
  void LayOut(const ModelConfig& config);
  void ReadFrozen(const WeightMap& weights);

  AdapterShape shape_;
  std::vector<AdapterModule> modules_;
  std::vector<TrainedTensor> tensors_;
  std::vector<float> values_;
  int lowest_layer_ = 0;
  const ModelConfig* config_ = nullptr;  // outlives the adapter
};

}  // namespace lem
