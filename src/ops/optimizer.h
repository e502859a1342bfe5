// SPDX-License-Identifier: EUPL-1.2
// The five optimizers of mlx_lm.lora (mlx-lm 2.11), on one flat float32 buffer of parameters.
// Element by element in float32 and in a fixed order, so that a step gives the same bits on any
// number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/view.h"

namespace lem {

enum class OptimizerKind : uint8_t { kAdam, kAdamW, kSgd, kAdafactor, kMuon };

std::string_view NameOf(OptimizerKind kind);  // "adam", as --optimizer spells it
// Throws UsageError for an unknown name.
OptimizerKind OptimizerByName(std::string_view name);

// Constructor keywords of mlx.optimizers; what a kind does not use is ignored.
struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kAdam;
  // Adam, AdamW. In float64, because 1 - 0.999f is not 0.001f.
  double beta1 = 0.9, beta2 = 0.999;
  float eps = 1e-8f;
  bool bias_correction = true;        // Adam, AdamW; mlx's own default is false
  float weight_decay = 0;             // all but Adam; AdamW and Muon: 0.01
  float momentum = 0, dampening = 0;  // SGD, Muon (0.95)
  bool nesterov = false;              // SGD, Muon (true)
  int ns_steps = 5;                   // Muon: Newton-Schulz iterations
  // Adafactor.
  float factor_eps = 1e-30f, scale_eps = 1e-3f, clip_threshold = 1, decay_rate = -0.8f;
  bool has_beta1 = false, scale_parameter = true, relative_step = true, warmup_init = false;

  static OptimizerOptions DefaultsOf(OptimizerKind kind);
};

// One tensor inside the flat buffer: rows x cols from `offset`. `transposed`: it is the transpose
// of the tensor that mlx-lm trains under the same name, which matters to Muon's step size alone.
struct ParameterBlock {
  size_t offset = 0, rows = 0, cols = 0;
  bool is_vector = false;
  bool transposed = false;
  size_t size() const { return rows * cols; }
};

class Optimizer {
 public:
  // The blocks lie in [0, parameters) in ascending order without overlap; what they leave out is
  // padding. All memory is taken here.
  Optimizer(const OptimizerOptions& options, std::vector<ParameterBlock> blocks, size_t parameters);

  // One update of `values` (parameters) by `gradients` at this learning rate. Adafactor with
  // relative_step ignores the rate, as mlx does.
  void Step(float learning_rate, ConstVec gradients, Vec values);

  uint64_t steps() const { return steps_; }  // updates made
  void set_steps(uint64_t steps) { steps_ = steps; }
  const OptimizerOptions& options() const { return options_; }

  // Everything that must be kept between two steps besides steps(), by name; flat.
  struct StateVector {
    std::string_view name;
    Vec values;
  };
  std::vector<StateVector> state();
  static uint64_t StateBytes(const OptimizerOptions& options,
                             const std::vector<ParameterBlock>& blocks);

 private:
  void StepAdam(float learning_rate, ConstVec gradients, Vec values);
  void StepSgd(float learning_rate, ConstVec gradients, Vec values);
  void StepMuon(float learning_rate, ConstVec gradients, Vec values);
  void StepAdafactor(float learning_rate, ConstVec gradients, Vec values);
  void AdafactorBlock(const ParameterBlock& block, size_t factor_offset, float learning_rate,
                      ConstVec gradients, Vec values);

  OptimizerOptions options_;
  std::vector<ParameterBlock> blocks_;
  uint64_t steps_ = 0;
  std::vector<float> first_, second_;  // moments; Muon and SGD keep their velocity in first_
  std::vector<float> scratch_;         // Muon: one block's matrices; Adafactor: one block's update
};

// sqrt of the sum of squares, summed in float64 in a fixed order; not finite if any element is not.
double GradientNorm(ConstVec gradients);
void ScaleInPlace(float factor, Vec values);

}  // namespace lem
