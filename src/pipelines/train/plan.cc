// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/train/plan.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/memory.h"

namespace lem {
namespace {

// At most a quarter of what the run may take, and never what would make it too large.
uint64_t RoomForFrozen(const TrainOptions& options, const TrainPlan& plan, uint64_t wanted) {
  const uint64_t limit = options.memory_limit > 0 ? options.memory_limit : plan.available;
  const uint64_t left = limit > plan.needed() ? limit - plan.needed() : 0;
  return std::min({wanted, limit / 4, left});
}

// Of all rows, the share that is kept, in all epochs but the first.
double FrozenReused(const TrainPlan& plan, uint64_t wanted) {
  if (wanted == 0 || plan.epochs() <= 1) return 0;
  const double kept = static_cast<double>(plan.pass.frozen) / static_cast<double>(wanted);
  return kept * (1 - 1 / plan.epochs());
}

double GigaBytes(uint64_t bytes) { return std::floor(static_cast<double>(bytes) / 1e7) / 100; }

}  // namespace

std::vector<ParameterBlock> ParameterBlocks(const Adapter& adapter) {
  const float* base = adapter.values().data();
  std::vector<ParameterBlock> blocks;
  const auto add = [&](const float* data, size_t rows, size_t cols, bool vector, bool transposed) {
    if (rows * cols > 0) {
      blocks.push_back({static_cast<size_t>(data - base), rows, cols, vector, transposed});
    }
  };
  for (const AdapterModule& m : adapter.modules()) {
    add(m.down.data, m.down.rows, m.down.cols, false, true);
    add(m.up.data, m.up.rows, m.up.cols, false, true);
    add(m.magnitude.data(), 1, m.magnitude.size(), true, false);
  }
  for (const TrainedTensor& t : adapter.tensors()) {
    add(t.value.data, t.value.rows, t.value.cols, t.is_norm || t.is_bias, false);
  }
  std::ranges::sort(blocks, {}, &ParameterBlock::offset);
  return blocks;
}

// Forward through all blocks, input gradients through those that are trained (again forward with
// --grad-checkpoint), the adapter's own products three times, the head at the targets alone: twice
// (logits, and their gradient back).
double StepFlops(const TrainOptions& options, const ModelConfig& config, const Adapter& adapter,
                 double tokens, double frozen_tokens, double counted) {
  const auto block = static_cast<double>(config.block_products());
  const int frozen = adapter.lowest_layer(), trained = config.layers - frozen;
  const double blocks = block * trained * (options.grad_checkpoint ? 3 : 2);
  const double own = 3.0 * static_cast<double>(adapter.values().size());
  const double head = 2.0 * static_cast<double>(config.vocab) * config.dim;
  return 2 * (tokens * (blocks + own) + frozen_tokens * block * frozen + counted * head);
}

int64_t IterationsPerEpoch(const Dataset& train, const TrainOptions& options) {
  const auto n = static_cast<int64_t>(train.examples.size());
  const int64_t whole = n / options.batch_size;
  return options.mlx_compat() ? std::max<int64_t>(1, whole)
                              : (n + options.batch_size - 1) / options.batch_size;
}

TrainPlan MakePlan(const TrainOptions& options, const ModelConfig& config, uint64_t weight_bytes,
                   const Adapter& adapter, const Dataset& train, const BatchBounds& bounds,
                   int64_t iterations, Precision precision) {
  TrainPlan plan;
  PassOptions pass;
  pass.max_tokens = bounds.tokens;
  pass.max_counted = bounds.counted;
  pass.grad_checkpoint = options.grad_checkpoint;
  plan.pass = TrainingPass::Plan(config, adapter.shape(), pass, precision);
  plan.pass.weights = weight_bytes;
  plan.adapter = adapter.values().size() * sizeof(float);
  plan.optimizer = Optimizer::StateBytes(options.optimizer_options(), ParameterBlocks(adapter));
  plan.program = ResidentMemoryBytes();
  plan.available = AvailableMemoryBytes();
  plan.trained_parameters = static_cast<int64_t>(adapter.values().size());
  plan.total_parameters =
      config.parameters() + (adapter.shape().type == TuneType::kFull ? 0 : plan.trained_parameters);
  plan.iterations = iterations;
  plan.iterations_per_epoch = IterationsPerEpoch(train, options);
  const auto batches = static_cast<double>(plan.iterations_per_epoch);
  plan.tokens_per_iteration = static_cast<double>(train.tokens()) / batches;
  plan.counted_per_iteration = static_cast<double>(train.counted()) / batches;
  if (options.keep_frozen && adapter.lowest_layer() > 0) {
    const uint64_t wanted =
        static_cast<uint64_t>(bounds.repeated) * static_cast<uint64_t>(config.dim) * sizeof(float);
    plan.pass.frozen = RoomForFrozen(options, plan, wanted);
    plan.frozen_reused = FrozenReused(plan, wanted);
  }
  plan.flops =
      static_cast<double>(iterations) *
      StepFlops(options, config, adapter, plan.tokens_per_iteration,
                plan.tokens_per_iteration * (1 - plan.frozen_reused), plan.counted_per_iteration);
  return plan;
}

void EstimateTime(Precision precision, TrainPlan* plan) {
  plan->flops_per_second = MeasureGemmFlops(precision);
  plan->seconds = plan->flops / (0.5 * plan->flops_per_second);
}

void RefuseIfTooLarge(const TrainPlan& plan, uint64_t limit, const TrainOptions& options) {
  if (limit == 0) limit = plan.available;
  if (plan.needed() <= limit) return;
  Fail("lem train: expected a run that fits in ", GigaBytes(limit),
       " GB of memory, found one that ", "needs ", GigaBytes(plan.needed()), " GB (weights ",
       GigaBytes(plan.pass.weights), ", activations ",
       GigaBytes(plan.pass.saved_activations + plan.pass.scratch), ", logits ",
       GigaBytes(plan.pass.logits), ", adapter and optimizer ",
       GigaBytes(plan.adapter + plan.optimizer + plan.pass.gradients), "); try ",
       options.grad_checkpoint ? "" : "--grad-checkpoint, ", "a smaller --batch-size (now ",
       options.batch_size, ") or --max-seq-length (now ", options.max_seq_length,
       "), or fewer --num-layers");
}

}  // namespace lem
