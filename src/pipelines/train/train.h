// SPDX-License-Identifier: EUPL-1.2
// Fine-tuning: what `lem train` does. A port of mlx_lm.lora with its flags and files (mlx-lm 1, 2);
// by default without its errors, with compat = "mlx-lm" including them.
#pragma once

#include <filesystem>
#include <optional>

#include "backend/backend.h"
#include "backend/profile.h"
#include "pipelines/train/observer.h"
#include "pipelines/train/options.h"

namespace lem {

struct TrainResult {
  int64_t iterations = 0, trained_tokens = 0, skipped = 0;
  std::optional<double> train_loss;  // of the last report
  std::optional<double> val_loss;    // of the last validation
  std::optional<double> best_val_loss;
  int64_t best_iteration = 0;
  bool stopped_early = false;
  std::optional<double> test_loss;
  std::filesystem::path adapter_file;  // empty when only tested
  double seconds = 0;
  uint64_t peak_memory_bytes = 0;
  std::vector<ProfilePart> profile;  // with options.profile: of all passes
};

// Trains and/or tests. Throws UsageError, Error, and Interrupted after a stop was requested and the
// state saved (continue with options.resume).
TrainResult Train(const TrainOptions& options, Backend& backend, TrainObserver& observer);

// Memory and time, without training; reads model headers and data only.
TrainPlan PlanTraining(const TrainOptions& options, TrainObserver& observer);

// options.iters, or what options.epochs comes to.
int64_t IterationsOf(const TrainOptions& options, const Dataset& train);

}  // namespace lem
