// SPDX-License-Identifier: EUPL-1.2
#include "base/error.h"
#include "pipelines/distill/teacher.h"

namespace lem {
namespace {

ChatRequest MakeRequest(const TeacherTask& task, const TeacherRequest& request) {
  ChatRequest chat;
  chat.messages = task.messages;
  chat.temperature = request.temperature;
  chat.top_p = request.top_p;
  chat.max_tokens = request.max_tokens;
  chat.seed = task.seed;
  return chat;
}

TeacherAnswer ToAnswer(const ChatReply& reply) {
  TeacherAnswer answer;
  answer.state = NameOf(reply.state);
  answer.final = reply.IsFinal();
  answer.text = reply.text;
  answer.finish_reason = reply.finish_reason;
  answer.problem = reply.problem;
  answer.status = reply.status;
  answer.prompt_tokens = reply.prompt_tokens;
  answer.answer_tokens = reply.answer_tokens;
  return answer;
}

class EndpointTeacher final : public Teacher {
 public:
  EndpointTeacher(ChatEndpoint endpoint, const ClientOptions& options, Progress& progress)
      : endpoint_(std::move(endpoint)), options_(options), progress_(progress) {}

  Json Identity() const override {
    Json identity = Json::MakeObject();
    identity.Set("endpoint", Json(endpoint_.Name()));
    return identity;
  }

  std::string Preview(const TeacherTask& task, const TeacherRequest& request) const override {
    const std::string key = endpoint_.key.empty() ? "no key (none in " : "a key (from ";
    return "POST " + RequestUrl(endpoint_) + " with " + key + endpoint_.KeyNames() + ")\n" +
           RequestBody(endpoint_, MakeRequest(task, request)).Dump({.indent = 2}) + "\n";
  }

  void Answer(const std::vector<TeacherTask>& tasks, const TeacherRequest& request,
              const OnAnswer& on_answer) override {
    EndpointClient client(endpoint_, options_);
    bool over_budget = false;
    client.Run(
        tasks.size(), [&](size_t i) { return MakeRequest(tasks[i], request); },
        [&](size_t i, int attempt, const ChatReply& reply) {
          on_answer(i, attempt, ToAnswer(reply), false);
        },
        [&](size_t i, const ChatReply& reply) {
          over_budget |= reply.state == ChatState::kOverBudget;
          on_answer(i, -1, ToAnswer(reply), true);
        });
    Report(client.counts());
    if (over_budget) progress_.Warn("the budget of requests or tokens is spent");
  }

 private:
  void Report(const ClientCounts& counts) {
    std::string line = std::to_string(counts.requests) + " requests, " +
                       std::to_string(counts.retries) + " repeated";
    if (counts.rate_limited > 0) {
      line += ", " + std::to_string(counts.rate_limited) + " turned away for their rate";
    }
    progress_.Note(line + "; " + std::to_string(counts.prompt_tokens) + " tokens sent, " +
                   std::to_string(counts.answer_tokens) + " received");
  }

  ChatEndpoint endpoint_;
  ClientOptions options_;
  Progress& progress_;
};

}  // namespace

std::unique_ptr<Teacher> MakeEndpointTeacher(ChatEndpoint endpoint, const ClientOptions& options,
                                             Progress& progress) {
  return std::make_unique<EndpointTeacher>(std::move(endpoint), options, progress);
}

}  // namespace lem
