// SPDX-License-Identifier: EUPL-1.2
// Forward and backward of one micro-batch: everything that is saved in between, planned before it
// runs.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/adapter.h"
#include "model/decoder.h"

namespace lem {

// A ragged batch: no padding is computed. Sequence i is ids[starts[i] .. starts[i + 1]).
struct TrainBatch {
  std::vector<int32_t> ids;  // inputs
  std::vector<int32_t>
      targets;  // same length; the id to predict after each input, or -1: not counted
  std::vector<size_t> starts;  // sequences + 1
  int64_t counted() const;     // targets that are not -1
};

struct PassOptions {
  int64_t max_tokens = 0;        // of any batch that will come
  int64_t max_counted = 0;       // targets of any batch that will come; 0: max_tokens
  bool grad_checkpoint = false;  // keep block inputs only and recompute
  uint64_t dropout_seed = 0;
  // For what the frozen blocks below the lowest trained one give, kept by sequence from one batch
  // to the next; 0: computed anew each time. Changes no bit of any result.
  uint64_t frozen_bytes = 0;
};

// In bytes. `weights` is for the caller to fill in (Decoder::weight_bytes); Plan leaves it 0.
// `gradients` are an Adapter::LikeThis, which the caller makes. `packed`: the backend's copy of one
// product's rows, at its largest.
struct PassMemory {
  uint64_t weights = 0, saved_activations = 0, scratch = 0, logits = 0, packed = 0, gradients = 0,
           frozen = 0;
  uint64_t total() const {
    return weights + saved_activations + scratch + logits + packed + gradients + frozen;
  }
};

class TrainingPass {
 public:
  // `adapter` must be the decoder's (SetAdapter) and outlive the pass. All memory is taken here.
  TrainingPass(Decoder& decoder, Adapter& adapter, const PassOptions& options);
  ~TrainingPass();

  uint64_t bytes() const;  // what was taken, without what the frozen blocks gave
  // Of the last batch: tokens that went through the frozen blocks; the others' outputs were kept.
  int64_t frozen_tokens() const;

  static PassMemory Plan(const ModelConfig& config, const AdapterShape& shape,
                         const PassOptions& options, Precision precision);

  // Sum of the counted tokens' losses in nats (float64 sum of float32 terms in token order).
  double Evaluate(const TrainBatch& batch);
  // Adds d(weight * sum of losses) to `gradients` (an Adapter::LikeThis) and returns the sum of
  // losses. `step` numbers the dropout masks.
  double ForwardBackward(const TrainBatch& batch, float weight, uint64_t step, Adapter& gradients);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lem
