// SPDX-License-Identifier: EUPL-1.2
// What a run will take, known before it starts: memory from the pass's own plan, time from the
// arithmetic it needs and the rate this machine was measured at.
#pragma once

#include <cstdint>
#include <vector>

#include "model/training_pass.h"
#include "ops/optimizer.h"
#include "pipelines/train/batches.h"

namespace lem {

struct TrainPlan {
  PassMemory pass;
  uint64_t adapter = 0, optimizer = 0;  // bytes of values and of optimizer state
  uint64_t program = 0;                 // what the process already holds: itself, tokenizer, data
  uint64_t available = 0;               // what this machine can give without swapping
  int64_t trained_parameters = 0, total_parameters = 0;
  int64_t iterations = 0, iterations_per_epoch = 0;
  double tokens_per_iteration = 0, counted_per_iteration = 0;
  double flops = 0;             // of the whole run, validation left out
  double flops_per_second = 0;  // 0: not measured
  double seconds = 0;           // 0: not measured

  double frozen_reused = 0;  // of the tokens of all iterations: frozen outputs already kept

  uint64_t needed() const { return pass.total() + adapter + optimizer; }  // beyond `program`
  uint64_t total() const { return needed() + program; }                   // the peak to expect
  double epochs() const {
    return iterations_per_epoch > 0
               ? static_cast<double>(iterations) / static_cast<double>(iterations_per_epoch)
               : 0;
  }
};

// The adapter's tensors as the optimizer sees them, in the order of its flat buffer.
std::vector<ParameterBlock> ParameterBlocks(const Adapter& adapter);

// weight_bytes: of the base as loaded. bounds: of the training and validation batches. The time is
// left at 0.
TrainPlan MakePlan(const TrainOptions& options, const ModelConfig& config, uint64_t weight_bytes,
                   const Adapter& adapter, const Dataset& train, const BatchBounds& bounds,
                   int64_t iterations, Precision precision);
// Multiply-adds of the products of one step, times two. frozen_tokens: of those, how many go
// through the frozen blocks.
double StepFlops(const TrainOptions& options, const ModelConfig& config, const Adapter& adapter,
                 double tokens, double frozen_tokens, double counted);
// Adds the time: measures this machine for about a second.
void EstimateTime(Precision precision, TrainPlan* plan);

// Throws Error when the plan does not fit in `limit` bytes (0: plan.available).
void RefuseIfTooLarge(const TrainPlan& plan, uint64_t limit, const TrainOptions& options);

// Batches of one pass over the training set.
int64_t IterationsPerEpoch(const Dataset& train, const TrainOptions& options);

}  // namespace lem
