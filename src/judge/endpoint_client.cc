// SPDX-License-Identifier: EUPL-1.2
#include "judge/endpoint_client.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/random.h"
#include "base/stop.h"

namespace lem {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kFirstConcurrency = 4;
constexpr auto kStopPoll = std::chrono::milliseconds(50);  // how soon Ctrl-C ends a wait

Clock::duration Seconds(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

int AllowedRepeats(const RetryPolicy& policy, ChatState state) {
  switch (state) {
    case ChatState::kRateLimited:
      return policy.rate_limited;
    case ChatState::kServerError:
      return policy.server_error;
    case ChatState::kUnreachable:
    case ChatState::kTimeout:
    case ChatState::kBroken:
      return policy.transport;
    case ChatState::kMalformed:
      return policy.malformed;
    case ChatState::kEmpty:
      return policy.empty;
    default:
      return 0;
  }
}

}  // namespace

double RetryWait(const RetryPolicy& policy, const ChatReply& reply, int repeated, double unit) {
  if (repeated >= AllowedRepeats(policy, reply.state)) return -1;
  if (reply.retry_after_seconds > policy.longest_retry_after) return -1;
  const double wait = std::min(policy.longest_wait, policy.first_wait * std::pow(2, repeated));
  // Later than asked, never earlier, and not all at once.
  if (reply.retry_after_seconds >= 0) return reply.retry_after_seconds + unit * policy.first_wait;
  return wait * (0.5 + 0.5 * unit);
}

AdaptiveLimit::AdaptiveLimit(int most) : most_(std::max(1, most)), now_(0) {
  Set(std::min(most_, kFirstConcurrency));
}

void AdaptiveLimit::Set(int value) {
  if (value != now_) history_.push_back(value);
  now_ = value;
  successes_ = 0;
}

// Before the first cut one more per success, which doubles it each round; after it one per round.
void AdaptiveLimit::Succeeded() {
  ++successes_;
  if (now_ < most_ && (cuts_ == 0 || successes_ >= now_)) Set(now_ + 1);
}

void AdaptiveLimit::Overloaded(int64_t started) {
  if (started < cuts_) return;
  ++cuts_;
  Set(std::max(1, now_ / 2));
}

struct EndpointClient::State {
  State(ChatEndpoint e, ClientOptions o)
      : endpoint(std::move(e)), options(std::move(o)), limit(options.max_concurrency) {}

  // A place among the requests in flight, or false when the run is over.
  bool Enter(int64_t* started) {
    std::unique_lock lock(mutex);
    while (!Over()) {
      if (Clock::now() >= not_before && in_flight < limit.now()) {
        if (OverBudget()) {
          over_budget = true;
          return false;
        }
        ++in_flight;
        ++counts.requests;
        *started = limit.cuts();
        return true;
      }
      changed.wait_for(lock, kStopPoll);
    }
    return false;
  }

  void Leave(const ChatReply& reply, int64_t started) {
    const std::lock_guard lock(mutex);
    --in_flight;
    counts.prompt_tokens += reply.prompt_tokens;
    counts.answer_tokens += reply.answer_tokens;
    const bool overloaded = reply.state == ChatState::kRateLimited || reply.status == 503;
    if (overloaded) limit.Overloaded(started);
    if (reply.state == ChatState::kRateLimited) ++counts.rate_limited;
    if (reply.IsFinal()) limit.Succeeded();
    if (overloaded && reply.retry_after_seconds > 0 &&
        reply.retry_after_seconds <= options.retry.longest_retry_after) {
      // It holds for the endpoint, so for all that wait.
      not_before = std::max(not_before, Clock::now() + Seconds(reply.retry_after_seconds));
    }
    changed.notify_all();
  }

  void Sleep(double seconds) {
    const auto end = Clock::now() + Seconds(seconds);
    std::unique_lock lock(mutex);
    ++counts.retries;
    while (Clock::now() < end && !Over())
      changed.wait_until(lock, std::min(end, Clock::now() + kStopPoll));
  }

  bool Over() const { return failure || StopRequested(); }
  bool OverBudget() const {
    const ChatBudget& budget = options.budget;
    return (budget.requests > 0 && counts.requests >= budget.requests) ||
           (budget.tokens > 0 && counts.prompt_tokens + counts.answer_tokens >= budget.tokens);
  }

  ChatReply Exchange(const ChatRequest& request) const {
    HttpRequest http = MakeHttpRequest(endpoint, request);
    http.timeout_seconds = options.timeout_seconds;
    http.stall_seconds = options.stall_seconds;
    return ReadReply(endpoint, Http(http));
  }

  void Fail(std::exception_ptr error) {
    const std::lock_guard lock(mutex);
    if (!failure) failure = std::move(error);
    changed.notify_all();
  }

  ChatEndpoint endpoint;
  ClientOptions options;
  std::mutex mutex, callbacks;
  std::condition_variable changed;
  AdaptiveLimit limit;
  Clock::time_point not_before{};
  int in_flight = 0;
  size_t next = 0, count = 0;
  bool over_budget = false;
  std::exception_ptr failure;
  ClientCounts counts;
  const MakeRequest* make_request = nullptr;
  const OnAttempt* on_attempt = nullptr;
  const OnReply* on_reply = nullptr;

  void Work();
  void Settle(size_t index);
  ChatRequest Make(size_t index);
  void Report(size_t index, int attempt, const ChatReply& reply, bool last);
};

ChatRequest EndpointClient::State::Make(size_t index) {
  const std::lock_guard lock(callbacks);
  return (*make_request)(index);
}

void EndpointClient::State::Report(size_t index, int attempt, const ChatReply& reply, bool last) {
  const std::lock_guard lock(callbacks);
  if (attempt >= 0 && *on_attempt) (*on_attempt)(index, attempt, reply);
  if (last && *on_reply) (*on_reply)(index, reply);
}

// One request until its last word.
void EndpointClient::State::Settle(size_t index) {
  const ChatRequest request = Make(index);
  CounterRandom random(options.retry.seed, index);
  std::vector<int> repeated(static_cast<size_t>(ChatState::kOverBudget) + 1, 0);
  for (int attempt = 0;; ++attempt) {
    int64_t started = 0;
    if (!Enter(&started)) {
      if (!over_budget) return;
      ChatReply reply;
      reply.state = ChatState::kOverBudget;
      reply.problem = "the budget of requests or tokens is spent";
      return Report(index, -1, reply, true);
    }
    const ChatReply reply = Exchange(request);
    Leave(reply, started);
    if (reply.state == ChatState::kStopped) return;
    if (reply.state == ChatState::kUnauthorized) {
      Report(index, attempt, reply, true);
      lem::Fail(RequestUrl(endpoint), ": the endpoint refused (", reply.problem,
                "); check the address, the model's name and the key in ", endpoint.KeyNames());
    }
    int& so_far = repeated[static_cast<size_t>(reply.state)];
    const double wait = RetryWait(options.retry, reply, so_far++, random.NextUnit());
    Report(index, attempt, reply, wait < 0);
    if (wait < 0) return;
    Sleep(wait);
  }
}

void EndpointClient::State::Work() {
  try {
    while (true) {
      size_t index = 0;
      {
        const std::lock_guard lock(mutex);
        if (Over() || next >= count) return;
        index = next++;
      }
      Settle(index);
    }
  } catch (...) {
    Fail(std::current_exception());
  }
}

EndpointClient::EndpointClient(ChatEndpoint endpoint, ClientOptions options)
    : state_(std::make_unique<State>(std::move(endpoint), std::move(options))) {}
EndpointClient::~EndpointClient() = default;

void EndpointClient::Run(size_t count, const MakeRequest& make_request, const OnAttempt& on_attempt,
                         const OnReply& on_reply) {
  State& state = *state_;
  state.next = 0;
  state.count = count;
  state.failure = nullptr;
  state.make_request = &make_request;
  state.on_attempt = &on_attempt;
  state.on_reply = &on_reply;
  std::vector<std::thread> workers;
  const auto wanted =
      std::min(count, static_cast<size_t>(std::max(1, state.options.max_concurrency)));
  for (size_t i = 0; i < wanted; ++i) workers.emplace_back([&state] { state.Work(); });
  for (std::thread& worker : workers) worker.join();
  state.counts.concurrency = state.limit.history();
  if (state.failure) std::rethrow_exception(state.failure);
}

const ClientCounts& EndpointClient::counts() const { return state_->counts; }

}  // namespace lem
