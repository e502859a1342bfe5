// SPDX-License-Identifier: EUPL-1.2
// Which examples make up each step's batch. Two ways: our own, whose order is a function of the
// seed and the step alone, and mlx-lm's (mlx-lm 2.4 to 2.7), whose order follows NumPy's generator.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "model/training_pass.h"
#include "pipelines/train/dataset.h"

namespace lem {

struct MicroBatch {
  TrainBatch batch;
  std::vector<size_t> examples;  // indices into the dataset
  int64_t counted = 0;           // targets
  size_t padded_width = 0;       // mlx-lm's row width; 0 in our own batches
  size_t longest = 0;            // tokens of the longest example before truncation
};

// No padding, no token after the last target. The examples have been fitted (FitDataset).
MicroBatch MakeBatch(const Dataset& dataset, std::span<const size_t> examples);

// mlx-lm's: rows cut at max_seq_length, and the first padding position trained with target 0.
MicroBatch MakeMlxBatch(const Dataset& dataset, std::span<const size_t> examples,
                        int64_t max_seq_length);
// min(1 + 32 ceil(longest / 32), max_seq_length)
size_t MlxRowWidth(size_t longest, int64_t max_seq_length);

// Our order. Epoch e shuffles the examples by (seed, e), sorts stretches of sixteen batches by
// length so that a batch's rows are alike, cuts, and shuffles the batches. The last batch of an
// epoch may be smaller; nothing is dropped.
class EpochOrder {
 public:
  EpochOrder(const Dataset& dataset, int64_t batch_size, uint64_t seed);

  int64_t batches_per_epoch() const { return batches_per_epoch_; }
  // Examples of step 1, 2, ...: no state, so that a run can continue anywhere.
  std::span<const size_t> At(int64_t step);

 private:
  void Shuffle(int64_t epoch);

  const Dataset& dataset_;
  size_t batch_size_;
  uint64_t seed_;
  int64_t batches_per_epoch_;
  int64_t epoch_ = -1;
  std::vector<std::vector<size_t>> batches_;
};

// The examples a validation uses, always the same: `batches` batches of a seeded shuffle, or all
// (-1), cut into batches of like length.
std::vector<std::vector<size_t>> ValidationBatches(const Dataset& dataset, int64_t batch_size,
                                                   int64_t batches, uint64_t seed);

// mlx-lm's order: fixed chunks of the file, the tail dropped, a permutation of the chunks per pass.
class MlxOrder {
 public:
  // Throws Error when the set has fewer examples than a batch, as mlx-lm does.
  MlxOrder(const Dataset& dataset, int64_t batch_size);

  int64_t chunks() const { return static_cast<int64_t>(chunks_.size()); }
  std::span<const size_t> chunk(int index) const { return chunks_[static_cast<size_t>(index)]; }

  // Training: the next chunk, drawing a permutation whenever a pass begins.
  std::span<const size_t> Next(NumpyRandom& random);

  // The pass in progress: its permutation and how much of it is used.
  const std::vector<int>& permutation() const { return permutation_; }
  size_t used() const { return used_; }
  void Restore(std::vector<int> permutation, size_t used);

 private:
  std::vector<std::vector<size_t>> chunks_;
  std::vector<int> permutation_;
  size_t used_ = 0;
};

// The most tokens and targets that any batch of these sets can have, and the tokens of all rows
// that are computed more than once.
struct BatchBounds {
  int64_t tokens = 0, counted = 0, repeated = 0;
};
BatchBounds BoundsOf(const Dataset& dataset, int64_t batch_size, const TrainOptions& options);

}  // namespace lem
