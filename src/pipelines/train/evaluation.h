// SPDX-License-Identifier: EUPL-1.2
// The loss of a data set, as a mean over its tokens: validation and test.
#pragma once

#include <optional>

#include "pipelines/train/batches.h"
#include "pipelines/train/observer.h"

namespace lem {

class Evaluation {
 public:
  // batches: at most so many per run; -1: all. In mlx-lm's mode a run draws a permutation of the
  // set's chunks; in ours the batches are always the same, so that two runs can be compared.
  Evaluation(const Dataset& dataset, const TrainOptions& options, int64_t batches);

  struct Result {
    double loss = 0;
    int64_t tokens = 0;
  };
  // Throws Stopped between two batches when a stop was requested.
  struct Stopped {};
  Result Run(TrainingPass& pass, NumpyRandom& random, TrainObserver& observer);

 private:
  const Dataset& dataset_;
  const TrainOptions& options_;
  int64_t limit_;
  std::optional<MlxOrder> mlx_;
  std::vector<std::vector<size_t>> batches_;
};

}  // namespace lem
