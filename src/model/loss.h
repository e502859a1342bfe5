// SPDX-License-Identifier: EUPL-1.2
// Cross-entropy over the counted tokens alone, so that neither an uncounted token nor more than a
// few rows of a vocabulary of 262,144 is ever in memory.
#pragma once

#include <cstdint>
#include <span>

#include "backend/backend.h"
#include "model/arena.h"
#include "model/config.h"
#include "model/norm.h"

namespace lem {

struct Loss {
  const Weight* head = nullptr;  // (vocab, dim)
  Norm final_norm;
  float softcap = 0;
  // Of each token, probabilities that together are at most this have no gradient
  // (Backend::CrossEntropyGradient).
  float negligible = 0;

  struct Memory {
    Mat x, dx;       // (counted, dim): rows of the residual stream, and their gradients
    Operand hidden;  // (counted, dim), normed
    Mat dhidden;     // (counted, dim)
    Vec r;           // (counted)
    Vec losses;      // (counted)
    Mat logits;      // (rows at once, vocab)
  };
  static Memory LayOut(const ModelConfig& config, size_t counted, bool bf16, bool training,
                       Arena* arena);

  // The sum of losses of rows[i] of x (tokens, dim) against targets[i], in nats.
  double Forward(Backend& b, ConstMat x, std::span<const int32_t> rows,
                 std::span<const int32_t> targets, const Memory& m) const;
  // The same, and dx (tokens, dim) becomes the gradient of weight * that sum.
  double ForwardBackward(Backend& b, ConstMat x, std::span<const int32_t> rows,
                         std::span<const int32_t> targets, float weight, const Memory& m,
                         Mat dx) const;

 private:
  template <class Chunk>
  double ForEachChunk(Backend& b, ConstMat x, std::span<const int32_t> rows,
                      std::span<const int32_t> targets, const Memory& m, const Chunk& chunk) const;
};

}  // namespace lem
