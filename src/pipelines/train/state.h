// SPDX-License-Identifier: EUPL-1.2
// state.safetensors: everything a run needs to continue as if it had never stopped, in one file, so
// that there is no moment at which two files could disagree. The adapter files beside it are
// written after it and can be made again from it.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "formats/json.h"
#include "ops/optimizer.h"
#include "pipelines/train/options.h"

namespace lem {

// What must be the same for a run to be continued.
struct RunIdentity {
  Json options;  // ToJson(TrainOptions)
  std::string model_hash, tokenizer_hash, template_hash, train_hash, valid_hash;

  Json ToJson() const;
};

struct Counters {
  int64_t iteration = 0;  // completed
  int64_t trained_tokens = 0;
  int64_t skipped = 0;  // updates that were due and not made
  // The window of accumulated gradients that is open.
  int64_t window_steps = 0, window_tokens = 0;
  bool window_bad = false;  // a loss in it was not finite
  // Since the last report.
  double report_loss = 0;  // sum of losses (default) or of batch means (mlx-lm)
  int64_t report_tokens = 0, report_steps = 0;
  // Validation.
  std::optional<double> best_loss;
  int64_t best_iteration = 0;
  int64_t validations_since_best = 0;
  bool stopped_early = false;
  bool after_step_pending = false;  // interrupted between the update and what follows it

  Json ToJson() const;
  static Counters FromJson(const Json& json, std::string_view where);
};

// mlx-lm's order: NumPy's generator and the pass in progress.
struct MlxDraws {
  NumpyRandom::State random;
  std::vector<int> permutation;
  size_t used = 0;
};

struct RunState {
  RunIdentity identity;
  Counters counters;
  uint64_t updates = 0;
  std::vector<float> values;
  std::vector<float> gradients;  // empty unless a window is open
  std::map<std::string, std::vector<float>> optimizer;
  std::optional<MlxDraws> draws;
};

// Views of what a run holds; nothing is copied.
struct RunStateView {
  const RunIdentity& identity;
  const Counters& counters;
  uint64_t updates = 0;
  ConstVec values, gradients;
  std::vector<Optimizer::StateVector> optimizer;
  const MlxDraws* draws = nullptr;
};

std::filesystem::path StateFile(const std::filesystem::path& folder);
void SaveState(const std::filesystem::path& folder, const RunStateView& state);
// Throws Error when there is none, or when it is not whole.
RunState LoadState(const std::filesystem::path& folder);

// The options of the run in `folder`, to be continued there: --resume DIR. Options that the user
// gives are applied on top; CheckContinues says whether they may differ.
TrainOptions LoadRunOptions(const std::filesystem::path& folder);

// Throws UsageError naming the first option that must not change between a run and its
// continuation, and Error when the model or the data has changed.
void CheckContinues(const RunIdentity& saved, const RunIdentity& now);

}  // namespace lem
