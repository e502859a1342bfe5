// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/train/plan.h"

#include <algorithm>

#include "base/error.h"
#include "base/memory.h"

namespace lem {
namespace {

// Multiply-adds of one block's projections per token.
double BlockProducts(const ModelConfig& config) {
  double products = 0;
  for (int p = 0; p < kProjections; ++p) {
    const TensorShape shape = ShapeOf(config, static_cast<Projection>(p));
    products += static_cast<double>(shape.in) * static_cast<double>(shape.out);
  }
  return products;
}

// Forward through all blocks, input gradients through those that are trained (again forward with
// --grad-checkpoint), the adapter's own products three times, the head at the targets alone: twice
// (logits, and their gradient back).
double FlopsPerIteration(const TrainOptions& options, const ModelConfig& config,
                         const Adapter& adapter, double tokens, double counted) {
  const double block = BlockProducts(config);
  const int trained = config.layers - adapter.lowest_layer();
  double blocks = block * (config.layers + trained);
  if (options.grad_checkpoint) blocks += block * trained;
  const double own = 3.0 * static_cast<double>(adapter.values().size());
  const double head = 2.0 * static_cast<double>(config.vocab) * config.dim;
  return 2 * (tokens * (blocks + own) + counted * head);
}

double GigaBytes(uint64_t bytes) { return static_cast<double>(bytes / 10000000) / 100; }

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
  plan.available = AvailableMemoryBytes();
  plan.trained_parameters = static_cast<int64_t>(adapter.values().size());
  plan.total_parameters =
      config.parameters() + (adapter.shape().type == TuneType::kFull ? 0 : plan.trained_parameters);
  plan.iterations = iterations;
  plan.iterations_per_epoch = IterationsPerEpoch(train, options);
  const auto batches = static_cast<double>(plan.iterations_per_epoch);
  plan.tokens_per_iteration = static_cast<double>(train.tokens()) / batches;
  plan.counted_per_iteration = static_cast<double>(train.counted()) / batches;
  plan.flops = static_cast<double>(iterations) * FlopsPerIteration(options, config, adapter,
                                                                   plan.tokens_per_iteration,
                                                                   plan.counted_per_iteration);
  return plan;
}

void EstimateTime(Precision precision, TrainPlan* plan) {
  plan->flops_per_second = MeasureGemmFlops(precision);
  plan->seconds = plan->flops / (0.5 * plan->flops_per_second);
}

void RefuseIfTooLarge(const TrainPlan& plan, uint64_t limit, const TrainOptions& options) {
  if (limit == 0) limit = plan.available;
  if (plan.total() <= limit) return;
  Fail("lem train: expected a run that fits in ", GigaBytes(limit),
       " GB of memory, found one that ", "needs ", GigaBytes(plan.total()), " GB (weights ",
       GigaBytes(plan.pass.weights), ", activations ",
       GigaBytes(plan.pass.saved_activations + plan.pass.scratch), ", logits ",
       GigaBytes(plan.pass.logits), ", adapter and optimizer ",
       GigaBytes(plan.adapter + plan.optimizer + plan.pass.gradients), "); try ",
       options.grad_checkpoint ? "" : "--grad-checkpoint, ", "a smaller --batch-size (now ",
       options.batch_size, ") or --max-seq-length (now ", options.max_seq_length,
       "), or fewer --num-layers");
}

}  // namespace lem
