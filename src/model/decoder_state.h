// SPDX-License-Identifier: EUPL-1.2
// What a decoder holds. The training pass runs the same blocks over its own memory.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "model/arena.h"
#include "model/block.h"
#include "model/decoder.h"
#include "model/dora.h"
#include "model/rope.h"

namespace lem {

struct Decoder::State {
  State(Backend& backend, ModelConfig config, const DecoderOptions& options,
        const Checkpoint& checkpoint);

  Backend& backend;
  ModelConfig config;
  DecoderOptions options;
  WeightMap map;

  std::vector<std::unique_ptr<Weight>> weights;  // all, for their bytes
  const Weight* embedding = nullptr;
  const Weight* head = nullptr;            // the embedding where they are tied
  std::deque<std::vector<float>> vectors;  // gains and biases; a deque keeps them in place
  Norm final_norm;
  std::deque<RopeTables> ropes;  // one per rule: at most two
  std::vector<Block> blocks;

  const Adapter* adapter = nullptr;
  DoraNorms dora;

  Arena arena;                                         // of inference
  size_t arena_tokens = 0;                             // for which it is large enough
  std::function<void(int layer, ConstMat x)> observe;  // after each block; for tests

  std::vector<float> rows;  // gathered rows before the head
  std::vector<float> logits;

  LoraLinear& Linear(int layer, Projection projection);
  Norm& NormOf(int layer, NormSlot slot);
  // DoRA's row norms, from the adapter's present values.
  void RefreshDora();
  // Makes the rope tables cover positions [0, count).
  void Cover(int64_t count);
  // Runs the blocks over a ragged batch with caches; returns the residual stream (tokens, dim),
  // valid until the next pass. Advances the caches.
  Mat Run(std::span<const Chunk> chunks);
  // Rows of x that logits are wanted of, normed: (wanted, dim).
  Mat WantedRows(std::span<const Chunk> chunks, ConstMat x);
  // The head's products for rows of normed hidden states, soft-capped: (rows, vocab).
  void Logits(ConstMat hidden, Mat logits);

 private:
  struct Workspace {
    Mat x;
    Block::Saved saved;
    Block::Scratch scratch;
  };
  Workspace LayOut(size_t tokens, Arena* arena) const;
  Workspace WorkspaceFor(size_t tokens);
  const Weight* Prepare(const StoredMatrix& stored, bool input_gradients);
  ConstVec Keep(const StoredMatrix& stored);
  void BuildBlock(int layer);
};

}  // namespace lem
