// SPDX-License-Identifier: EUPL-1.2
// One decoder, driven by its config: Gemma 3 and the Llama layout. Inference; training_pass.h
// trains it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "formats/checkpoint.h"
#include "model/adapter.h"
#include "model/config.h"
#include "model/kv_cache.h"
#include "model/weights.h"

namespace lem {

struct DecoderOptions {
  Precision precision = Precision::kBFloat16;
  WeightOptions::Form form = WeightOptions::Form::kCompact;
  bool input_gradients_from_layer_set = false;  // training: keep what backward needs
  int input_gradients_from_layer = 0;
  bool mlx_embed_scale = false;  // round sqrt(dim) to bfloat16 even in float32 (to match mlx-lm)
};

// One sequence's next tokens; they are appended to its cache.
struct Chunk {
  KvCache* cache = nullptr;
  std::span<const int32_t> ids;
  enum class Logits : uint8_t { kNone, kLast, kAll } logits = Logits::kLast;
};

class Decoder {
 public:
  // The checkpoint must outlive the decoder: weights stay mapped. Throws Error.
  static std::unique_ptr<Decoder> Load(Backend& backend, const Checkpoint& checkpoint,
                                       const DecoderOptions& options);
  ~Decoder();

  const ModelConfig& config() const;
  const DecoderOptions& options() const;
  const WeightMap& weights() const;
  Backend& backend() const;
  uint64_t weight_bytes() const;
  uint64_t pass_bytes() const;  // of the weights that a pass reads as a whole: not a table of rows

  // Applies an adapter without fusing it; null removes it. Full-tuning adapters replace tensors.
  // The adapter must outlive its use. A DoRA adapter whose values have changed must be set again
  // (its row norms are computed here); the training pass does so itself.
  void SetAdapter(const Adapter* adapter);
  const Adapter* adapter() const;

  // One forward pass over a ragged batch of chunks. logits: one row per wanted position, in batch
  // order, (rows, vocab), float32, soft-capped. A chunk's result does not depend on its neighbours.
  void Forward(std::span<const Chunk> chunks, Mat logits);
  // As Forward, without logits rows in memory: log p(target) and whether the target is the argmax,
  // for every wanted position; targets in batch order, one per wanted position (computed in
  // vocabulary chunks).
  void ForwardLogProbs(std::span<const Chunk> chunks, std::span<const int32_t> targets,
                       std::span<double> log_probs, std::vector<bool>* greedy);

  struct State;
  State& state() { return *state_; }
  const State& state() const { return *state_; }

 private:
  Decoder();
  std::unique_ptr<State> state_;
};

}  // namespace lem
