// SPDX-License-Identifier: EUPL-1.2
// What a training run tells while it runs. The command line prints it (console_lines.h has the
// classic wording); tests record it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pipelines/train/plan.h"

namespace lem {

// What the products of some steps reached, beside the machine's own rate.
struct GemmRate {
  double flops_per_second = 0, ceiling = 0;
  double share() const { return flops_per_second / ceiling; }
};

struct StepEvent {
  int64_t iteration = 0, iterations = 0;
  std::optional<double> loss;  // mean over the batch's targets; absent when it is not finite
  int64_t tokens = 0;          // targets of this batch
  double learning_rate = 0;
  std::optional<double> grad_norm;  // before clipping; absent when this step made no update
  double tokens_per_second = 0;
  double seconds = 0;
  bool skipped = false;          // an update was due and not made
  std::optional<GemmRate> rate;  // with --ceilings
};

struct ValidationEvent {
  int64_t iteration = 0;
  double loss = 0, seconds = 0;
  int64_t tokens = 0;
  bool best = false;  // the lowest so far
};

// Over the iterations since the last report, as mlx-lm counts it.
struct ReportEvent {
  int64_t iteration = 0, iterations = 0;
  std::optional<double> train_loss;  // absent when every step of the window was skipped
  double learning_rate = 0, iterations_per_second = 0, tokens_per_second = 0;
  int64_t trained_tokens = 0;
  uint64_t peak_memory_bytes = 0;
  std::optional<GemmRate> rate;  // with --ceilings
};

struct SaveEvent {
  int64_t iteration = 0;
  std::string adapter_file, checkpoint_file;  // the latter empty for the final weights
  bool final = false;
};

struct StartEvent {
  int64_t first_iteration = 1, iterations = 0;
  bool compat = false;
  TrainPlan plan;
};

enum class TrainPhase : uint8_t { kLoadingModel, kLoadingData, kTraining, kTesting };

class TrainObserver {
 public:
  virtual ~TrainObserver() = default;
  virtual void OnPhase(TrainPhase) {}
  virtual void OnStart(const StartEvent&) {}
  virtual void OnStep(const StepEvent&) {}
  // Within a validation or test: batches done of all.
  virtual void OnEvaluationProgress(int64_t, int64_t) {}
  virtual void OnValidation(const ValidationEvent&) {}
  virtual void OnReport(const ReportEvent&) {}
  virtual void OnSave(const SaveEvent&) {}
  virtual void OnTest(double /*loss*/, int64_t /*tokens*/) {}
  virtual void OnNote(std::string_view) {}
  virtual void OnWarning(std::string_view) {}
};

}  // namespace lem
