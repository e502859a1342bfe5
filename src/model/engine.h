// SPDX-License-Identifier: EUPL-1.2
// Token ids in, token ids out, for many sequences at once; knows no text. Continuous batching: a
// finished sequence gives its place to the next. A shared prefix is computed once. A request's
// result is bit-identical alone and in any company.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/decoder.h"
#include "model/sampler.h"

namespace lem {

struct GenerateRequest {
  std::vector<int32_t> prompt;  // at least one id
  int max_tokens = 100;
  std::vector<int32_t> end_ids;
  SamplingOptions sampling;
  // Of its random draws. Unset: its index, so that equal prompts differ; set by callers whose
  // answers must not depend on which other requests there are.
  std::optional<uint64_t> stream;
};

enum class FinishReason : uint8_t { kStop, kLength, kCancelled };

struct Generation {
  std::vector<int32_t> ids;      // without the end id
  std::vector<float> log_probs;  // of each id in ids under the untempered distribution
  FinishReason finish = FinishReason::kLength;
  int prompt_tokens = 0, generation_tokens = 0;  // the latter counts the end id
};

struct ScoreRequest {
  std::vector<int32_t> prefix, continuation;  // prefix at least one id
};

struct ScoreResult {
  double log_prob = 0;  // sum over the continuation, nats
  std::vector<float> token_log_probs;
  bool greedy = false;  // every token is the argmax
};

struct EngineOptions {
  int max_batch = 16;       // sequences decoded together
  int prefill_chunk = 512;  // a prompt is cut at multiples of this, counted from its start
  uint64_t kv_memory = 0;   // 0: a quarter of the available memory
  bool share_prefixes = true;
};

struct EngineTimes {
  double prompt_seconds = 0, generation_seconds = 0;
  int64_t prompt_tokens = 0, generation_tokens = 0;
  // Of generation: what its passes had to read, weights once each and the keys and values.
  double generation_bytes = 0;
};

class Engine {
 public:
  Engine(Decoder& decoder, const EngineOptions& options);
  ~Engine();

  // Called for each new id of request `index`; return false to end it (kCancelled; stop strings use
  // this).
  using OnToken = std::function<bool(size_t index, int32_t id)>;
  using OnDone = std::function<void(size_t index, const Generation&)>;
  // Results in request order. When `stop` (StopRequested) is seen, unfinished ones end as
  // kCancelled.
  std::vector<Generation> Generate(std::span<const GenerateRequest> requests,
                                   const OnToken& on_token = {}, const OnDone& on_done = {});

  std::vector<ScoreResult> Score(std::span<const ScoreRequest> requests,
                                 const std::function<void(size_t done)>& on_progress = {});

  // Total negative log-likelihood of ids[1..], given ids[0], in windows of the model's whole
  // context (one pass, cache carried along). `first`: ids before this index are context only.
  double NegativeLogLikelihood(std::span<const int32_t> ids, size_t first,
                               const std::function<void(size_t done)>& on_progress = {});

  const EngineTimes& times() const;

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace lem
