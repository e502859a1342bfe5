// SPDX-License-Identifier: EUPL-1.2
// How well a model predicts a text.
#pragma once

#include <string>
#include <string_view>

#include "pipelines/loaded_model.h"

namespace lem {

struct PerplexityResult {
  int64_t tokens =
      0;           // every token after the first; a BOS the tokenizer adds is context, not counted
  double nll = 0;  // nats, their sum
  double ppl = 0;  // exp(nll / tokens)
  double tokens_per_second = 0;
};

// Throws Error when there is nothing to count.
PerplexityResult MeasurePerplexity(LoadedModel& model, std::string_view text, Progress& progress);

}  // namespace lem
