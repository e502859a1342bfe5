// SPDX-License-Identifier: EUPL-1.2
// The loop: batch, gradient, update; validation, report, save. Its whole memory between two
// iterations is what state.h writes.
#pragma once

#include <chrono>
#include <optional>

#include "pipelines/train/evaluation.h"
#include "pipelines/train/inputs.h"
#include "pipelines/train/run_log.h"
#include "pipelines/train/schedule.h"
#include "pipelines/train/train.h"

namespace lem {

class Trainer {
 public:
  // Everything passed must outlive the trainer. The adapter holds its starting weights.
  Trainer(const TrainOptions& options, const TrainInputs& inputs, Adapter& adapter,
          TrainingPass& pass, TrainObserver& observer);

  // Continues an earlier run. Throws what CheckContinues throws.
  void Restore(RunState state);
  // Writes the first state (or, continuing, the adapter files that belong to the state) and opens
  // the log.
  void Begin();
  // Until `iterations` are done or patience ends. Throws Interrupted after a stop was requested.
  void Run(int64_t iterations);

  TrainResult result() const;
  const Counters& counters() const { return counters_; }
  NumpyRandom& random() { return random_; }

 private:
  using Clock = std::chrono::steady_clock;

  MicroBatch NextBatch(int64_t iteration);
  void Step(int64_t iteration, const MicroBatch& batch);
  // Adds this batch's gradient to the window. Returns the mean loss, absent if not finite.
  std::optional<double> Accumulate(int64_t iteration, const MicroBatch& batch);
  // Closes the window. Returns the norm of its gradient, absent if the update was skipped.
  std::optional<double> Update(double learning_rate);
  // What follows an update: our validation, the report, the files.
  void AfterStep(int64_t iteration);
  bool ValidationDue(int64_t iteration) const;
  void Validate(int64_t iteration);
  void Report(int64_t iteration);
  void SaveCheckpoint(int64_t iteration);
  void SaveFinal();
  void SaveRunState();
  std::optional<GemmRate> RateOf(double flops, double seconds) const;
  [[noreturn]] void Interrupt();
  void TakeDraws();

  const TrainOptions& options_;
  const TrainInputs& inputs_;
  Adapter& adapter_;
  TrainingPass& pass_;
  TrainObserver& observer_;

  Adapter gradients_;
  Optimizer optimizer_;
  Schedule schedule_;
  NumpyRandom random_;
  std::optional<MlxOrder> mlx_order_;
  std::optional<EpochOrder> epoch_order_;
  std::optional<Evaluation> validation_;
  RunLog log_;

  Counters counters_;
  std::optional<MlxDraws> draws_;  // as they were after the last completed iteration
  int64_t iterations_ = 0;
  int64_t saved_iteration_ = -1;  // of the state on disk
  double learning_rate_ = 0;      // of the last update
  double report_seconds_ = 0;     // since the last report, validation and saving left out
  int64_t timed_steps_ = 0, timed_tokens_ = 0;
  double timed_flops_ = 0;
  double gemm_ceiling_ = 0;  // 0: not measured
  std::optional<double> last_train_loss_, last_val_loss_;
};

}  // namespace lem
