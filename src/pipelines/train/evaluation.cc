// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/train/evaluation.h"

#include <algorithm>
#include <limits>

#include "base/stop.h"

namespace lem {

Evaluation::Evaluation(const Dataset& dataset, const TrainOptions& options, int64_t batches)
    : dataset_(dataset), options_(options), limit_(batches) {
  if (options.mlx_compat()) {
    mlx_.emplace(dataset, options.batch_size);
  } else {
    batches_ = ValidationBatches(dataset, options.batch_size, batches,
                                 static_cast<uint64_t>(options.seed));
  }
}

Evaluation::Result Evaluation::Run(TrainingPass& pass, NumpyRandom& random,
                                   TrainObserver& observer) {
  std::vector<int> order;
  if (mlx_) order = random.Permutation(static_cast<int>(mlx_->chunks()));
  auto count = static_cast<int64_t>(mlx_ ? order.size() : batches_.size());
  if (limit_ >= 0) count = std::min(count, limit_);
  double sum = 0;
  Result result;
  for (int64_t i = 0; i < count; ++i) {
    if (StopRequested()) throw Stopped{};
    const auto at = static_cast<size_t>(i);
    const MicroBatch batch =
        mlx_ ? MakeMlxBatch(dataset_, mlx_->chunk(order[at]), options_.max_seq_length)
             : MakeBatch(dataset_, batches_[at]);
    if (batch.counted > 0) sum += pass.Evaluate(batch.batch);
    result.tokens += batch.counted;
    observer.OnEvaluationProgress(i + 1, count);
  }
  result.loss = result.tokens > 0 ? sum / static_cast<double>(result.tokens)
                                  : std::numeric_limits<double>::quiet_NaN();
  return result;
}

}  // namespace lem
