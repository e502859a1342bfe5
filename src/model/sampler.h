// SPDX-License-Identifier: EUPL-1.2
// Choosing the next token from logits, as mlx_lm does it (mlx-lm 4.1): filters act on untempered
// log-probabilities in the order top-p, min-p, XTC, top-k, then a draw at the temperature.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/random.h"

namespace lem {

struct SamplingOptions {
  float temperature = 0;  // 0: argmax, lowest id on ties
  float top_p = 1, min_p = 0;
  int min_tokens_to_keep = 1;
  int top_k = 0;
  float xtc_probability = 0, xtc_threshold = 0.1f;
  std::vector<int32_t> xtc_never;  // newline, EOS
  float repetition_penalty = 0;    // 0 or 1: none
  int repetition_context = 20;
  float presence_penalty = 0, frequency_penalty = 0;
  int penalty_context = 20;
  std::vector<std::pair<int32_t, float>> logit_bias;
  uint64_t seed = 0;
};

// One per sequence, so that a sequence's draws do not depend on its neighbours.
class Sampler {
 public:
  Sampler(const SamplingOptions& options, uint64_t stream);
  // logits: (usable vocab); changed in place. `history`: prompt and generated ids so far.
  int32_t Sample(std::span<float> logits, std::span<const int32_t> history);

 private:
  SamplingOptions options_;
  CounterRandom random_;
};

}  // namespace lem
