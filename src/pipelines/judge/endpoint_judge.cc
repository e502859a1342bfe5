// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/judge/endpoint_judge.h"

#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "base/stop.h"
#include "judge/endpoint_client.h"
#include "judge/verdict.h"

namespace lem {
namespace {

// How a question is asked: first as it is; then, if the reply could not be used, with that reply
// and what was wrong with it; then afresh with another seed and more room.
enum class Turn : uint8_t { kFirst, kRepair, kAfresh };
constexpr Turn kTurns[] = {Turn::kFirst, Turn::kRepair, Turn::kAfresh};
constexpr std::string_view kTurnNames[] = {"first", "repair", "afresh"};

constexpr int kReasoningTokens = 1024, kTokensPerGrade = 24;

State StateOf(ChatState state) {
  switch (state) {
    case ChatState::kOk:
      return State::kOk;
    case ChatState::kTruncated:
      return State::kTruncated;
    case ChatState::kBlocked:
      return State::kBlocked;
    case ChatState::kTimeout:
      return State::kTimeout;
    case ChatState::kEmpty:
    case ChatState::kMalformed:
      return State::kUnparsed;
    default:
      return State::kError;
  }
}

Json Message(const char* role, std::string text) {
  Json message = Json::MakeObject();
  message.Set("role", Json(role));
  message.Set("content", Json(std::move(text)));
  return message;
}

// Gemini's schema has no additionalProperties and orders keys by a list of its own.
Json SchemaFor(ChatEndpoint::Kind kind, const Rubric& rubric) {
  Json schema = ReplySchema(rubric);
  if (kind != ChatEndpoint::Kind::kGemini) return schema;
  Json out = Json::MakeObject();
  for (const auto& [key, value] : schema.object()) {
    if (key != "additionalProperties") out.Set(key, value);
  }
  out.Set("propertyOrdering", *schema.Find("required"));
  return out;
}

// What the endpoint says of itself, when it does: hosted models change under one name.
void AddServedModel(const std::string& body, Json& detail) {
  try {
    const Json reply = Json::Parse(body, "the reply");
    for (const char* key : {"model", "modelVersion", "system_fingerprint"}) {
      if (const Json* value = reply.Find(key); value && value->IsString()) detail.Set(key, *value);
    }
  } catch (const Error&) {  // then it says nothing
  }
}

class EndpointJudge final : public Judge {
 public:
  EndpointJudge(ChatEndpoint endpoint, const JudgeOptions& options, Json config)
      : Judge(endpoint.Name(), std::move(config)),
        endpoint_(endpoint),
        client_(std::move(endpoint), ClientOptionsOf(options)),
        seed_(options.seed) {}

  void JudgeAll(std::span<const JudgeQuestion> questions, const OnAttempt& on_attempt,
                const OnDone& on_done) override {
    std::vector<size_t> open(questions.size());
    for (size_t i = 0; i < open.size(); ++i) open[i] = i;
    std::vector<Exchange> exchanges(questions.size());
    for (const Turn turn : kTurns) {
      if (open.empty() || StopRequested()) break;
      open = AskAll(questions, open, turn, exchanges, on_attempt, on_done);
    }
  }

 private:
  // The latest word on one question.
  struct Exchange {
    State state = State::kSkipped;
    std::string reply;
    Verdict verdict;
  };

  static ClientOptions ClientOptionsOf(const JudgeOptions& options) {
    ClientOptions out;
    out.max_concurrency = options.concurrency;
    out.budget.requests = options.max_requests;
    out.budget.tokens = options.max_tokens;
    out.timeout_seconds = options.timeout_seconds;
    out.stall_seconds = std::min(60.0, options.timeout_seconds);
    out.retry.seed = options.seed;
    if (options.first_wait >= 0) out.retry.first_wait = options.first_wait;
    return out;
  }

  // Those that are worth another turn.
  std::vector<size_t> AskAll(std::span<const JudgeQuestion> questions,
                             const std::vector<size_t>& open, Turn turn,
                             std::vector<Exchange>& exchanges, const OnAttempt& on_attempt,
                             const OnDone& on_done) {
    std::vector<size_t> again;
    client_.Run(
        open.size(),
        [&](size_t i) { return Request(questions[open[i]], turn, exchanges[open[i]]); },
        [&](size_t i, int, const ChatReply& reply) {
          const JudgeQuestion& question = questions[open[i]];
          on_attempt(open[i], Read(question.rubric, turn, reply, exchanges[open[i]]));
        },
        [&](size_t i, const ChatReply& reply) {
          const State state = exchanges[open[i]].state;
          const bool unusable = state == State::kUnparsed || state == State::kOutOfRange ||
                                state == State::kTruncated;
          if (unusable && turn != Turn::kAfresh && reply.state != ChatState::kOverBudget) {
            again.push_back(open[i]);
          } else {
            on_done(open[i], state);
          }
        });
    std::ranges::sort(again);
    return again;
  }

  ChatRequest Request(const JudgeQuestion& question, Turn turn, const Exchange& before) const {
    ChatRequest request;
    request.messages.Append(Message("system", JudgeSystemText()));
    request.messages.Append(
        Message("user", JsonRequestText(question.rubric, question.text, question.call)));
    if (turn == Turn::kRepair && !before.reply.empty()) {
      request.messages.Append(Message("assistant", before.reply));
      request.messages.Append(Message("user", RepairText(before.verdict)));
    }
    const int tokens =
        kReasoningTokens + kTokensPerGrade * static_cast<int>(question.rubric.dimensions.size());
    request.max_tokens = turn == Turn::kFirst ? tokens : 2 * tokens;
    request.schema = SchemaFor(endpoint_.kind, question.rubric);
    const std::string call = question.call + (turn == Turn::kAfresh ? " afresh " : " ");
    request.seed = std::stoull(Sha256Hex(call + std::to_string(seed_)).substr(0, 15), nullptr, 16);
    return request;
  }

  static JudgeAttempt Read(const Rubric& rubric, Turn turn, const ChatReply& reply,
                           Exchange& exchange) {
    JudgeAttempt attempt;
    attempt.state = StateOf(reply.state);
    attempt.problem = reply.problem;
    attempt.raw = reply.body;
    attempt.detail = Json::MakeObject();
    attempt.detail.Set("turn", Json(kTurnNames[static_cast<size_t>(turn)]));
    attempt.detail.Set("exchange", Json(NameOf(reply.state)));
    if (!reply.finish_reason.empty()) {
      attempt.detail.Set("finish_reason", Json(reply.finish_reason));
    }
    AddServedModel(reply.body, attempt.detail);
    if (reply.state == ChatState::kOk || reply.state == ChatState::kTruncated) {
      ReadGrades(rubric, reply, attempt, exchange);
    }
    exchange.state = attempt.state;
    return attempt;
  }

  // A reply that was cut off after its last grade is whole.
  static void ReadGrades(const Rubric& rubric, const ChatReply& reply, JudgeAttempt& attempt,
                         Exchange& exchange) {
    exchange.reply = reply.text;
    exchange.verdict = ReadVerdict(rubric, reply.text);
    const Verdict& verdict = exchange.verdict;
    if (!verdict.reasoning.empty()) attempt.detail.Set("reasoning", Json(verdict.reasoning));
    if (verdict.state == VerdictState::kOk) {
      attempt.state = State::kOk;
      attempt.problem.clear();
      attempt.grades = verdict.grades;
      return;
    }
    if (reply.state == ChatState::kTruncated) return;  // that is the reason, and it is said
    const bool out_of_range = verdict.state == VerdictState::kOutOfRange;
    attempt.state = out_of_range ? State::kOutOfRange : State::kUnparsed;
    attempt.problem = verdict.problem;
  }

  ChatEndpoint endpoint_;
  EndpointClient client_;
  uint64_t seed_;
};

}  // namespace

std::unique_ptr<Judge> OpenEndpointJudge(const JudgeOptions& options) {
  ChatEndpoint endpoint = ParseEndpoint(options.judge);
  if (endpoint.kind == ChatEndpoint::Kind::kGemini && endpoint.key.empty()) {
    FailUsage("--judge ", options.judge, ": expected a key in ", endpoint.KeyNames(),
              ", found none");
  }
  Json config = Json::MakeObject();
  config.Set("kind", Json("endpoint"));
  config.Set("model", Json(endpoint.Name()));
  config.Set("temperature", Json(0));
  config.Set("seed", Json(std::to_string(options.seed)));
  return std::make_unique<EndpointJudge>(std::move(endpoint), options, std::move(config));
}

}  // namespace lem
