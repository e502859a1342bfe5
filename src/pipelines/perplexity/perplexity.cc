// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/perplexity/perplexity.h"

#include <chrono>
#include <cmath>

#include "base/error.h"
#include "base/stop.h"
#include "model/engine.h"

namespace lem {

PerplexityResult MeasurePerplexity(LoadedModel& model, std::string_view text, Progress& progress) {
  const std::vector<int32_t> ids = model.tokenizer.Encode(text, true);
  const size_t first = 1;  // the BOS where there is one, else the text's own first token
  if (ids.size() <= first) {
    Fail("--file: expected at least two tokens (a BOS included), found ", ids.size());
  }
  PerplexityResult result;
  result.tokens = static_cast<int64_t>(ids.size() - first);
  progress.Begin("perplexity", static_cast<int64_t>(ids.size()), "tokens");
  Engine engine(*model.decoder, {});
  const auto start = std::chrono::steady_clock::now();
  result.nll = engine.NegativeLogLikelihood(
      ids, first, [&](size_t done) { progress.Update(static_cast<int64_t>(done)); });
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  progress.End();
  if (StopRequested()) throw Interrupted("perplexity: interrupted before the end of the text");
  result.ppl = std::exp(result.nll / static_cast<double>(result.tokens));
  result.tokens_per_second = static_cast<double>(ids.size()) / seconds.count();
  return result;
}

}  // namespace lem
