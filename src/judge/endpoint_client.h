// SPDX-License-Identifier: EUPL-1.2
// Many requests to one endpoint: several at a time, each repeated by the class of its failure. The
// number in flight adapts: it grows while the endpoint keeps up and halves when it says 429 or 503.
// Waiting costs nothing but threads that sleep; OpenMP's pool is for computing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "judge/endpoint.h"

namespace lem {

struct RetryPolicy {
  // How often a request is repeated after each class of failure.
  int rate_limited = 12, server_error = 6, transport = 6, malformed = 3, empty = 2;
  double first_wait = 1, longest_wait = 60;  // seconds; doubled each time, half of it jitter
  double longest_retry_after = 900;          // an endpoint that asks for more is not waited for
  uint64_t seed = 0;                         // of the jitter
};

struct ChatBudget {
  int64_t requests = 0, tokens = 0;  // 0: no limit. Tokens as the endpoint counts them.
};

struct ClientOptions {
  RetryPolicy retry;
  ChatBudget budget;
  int max_concurrency = 8;
  double timeout_seconds = 600, stall_seconds = 60;  // per exchange
};

struct ClientCounts {
  int64_t requests = 0, retries = 0, rate_limited = 0, prompt_tokens = 0, answer_tokens = 0;
  std::vector<int> concurrency;  // each value it took
};

class EndpointClient {
 public:
  EndpointClient(ChatEndpoint endpoint, ClientOptions options);
  ~EndpointClient();

  using MakeRequest = std::function<ChatRequest(size_t index)>;
  // After every exchange, with the number of those before it for this request.
  using OnAttempt = std::function<void(size_t index, int attempt, const ChatReply& reply)>;
  // Once per request that was settled or given up.
  using OnReply = std::function<void(size_t index, const ChatReply& reply)>;

  // Asks requests 0 .. count - 1 in about that order. The callbacks are never called at the same
  // time. What they throw ends the run and is thrown again; so is an Error when the endpoint
  // refuses the key or does not know the model. Returns early, with requests unanswered, when
  // StopRequested.
  void Run(size_t count, const MakeRequest& make_request, const OnAttempt& on_attempt,
           const OnReply& on_reply);

  const ClientCounts& counts() const;  // not during Run

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// How long to wait before repetition number `repeated` (from 0), or less than 0 for not at all.
// `unit` in [0, 1) is the jitter. Exposed for tests.
double RetryWait(const RetryPolicy& policy, const ChatReply& reply, int repeated, double unit);

// The number of requests that may be in flight. Not synchronised. Exposed for tests.
class AdaptiveLimit {
 public:
  explicit AdaptiveLimit(int most);
  int now() const { return now_; }
  void Succeeded();
  // `started`: the number of cuts() when the request was sent. One overload is one cut, however
  // many requests were in flight.
  void Overloaded(int64_t started);
  int64_t cuts() const { return cuts_; }
  const std::vector<int>& history() const { return history_; }

 private:
  void Set(int value);
  int most_, now_, successes_ = 0;
  int64_t cuts_ = 0;
  std::vector<int> history_;
};

}  // namespace lem
