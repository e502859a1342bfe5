// SPDX-License-Identifier: EUPL-1.2
// Whoever answers: a model in this process, or an endpoint.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "judge/endpoint_client.h"
#include "pipelines/loaded_model.h"

namespace lem {

struct TeacherRequest {
  double temperature = 0.7, top_p = 0.95;
  int max_tokens = 1024;
};

struct TeacherTask {
  Json messages;
  uint64_t seed = 0;  // of this answer alone, so that it is the same in any company and order
};

struct TeacherAnswer {
  std::string state;   // "ok", "truncated", "blocked", "rate_limited", ...: NameOf(ChatState)
  bool final = false;  // the teacher's last word; otherwise it may be asked again another time
  std::string text, finish_reason, problem;
  int status = 0;  // HTTP; 0: none
  int64_t prompt_tokens = 0, answer_tokens = 0;
};

class Teacher {
 public:
  virtual ~Teacher() = default;

  // What binds an answer to its teacher: hashes of a local model, or kind, address and model of an
  // endpoint. Never a key.
  virtual Json Identity() const = 0;
  // What the teacher would be sent, for people to read.
  virtual std::string Preview(const TeacherTask& task, const TeacherRequest& request) const = 0;

  // `attempt`: exchanges before this one for the task, or -1 when this tells no new exchange;
  // `settled`: none will follow in this run. Called from one thread at a time. Returns early when
  // StopRequested.
  using OnAnswer =
      std::function<void(size_t task, int attempt, const TeacherAnswer& answer, bool settled)>;
  virtual void Answer(const std::vector<TeacherTask>& tasks, const TeacherRequest& request,
                      const OnAnswer& on_answer) = 0;
};

std::unique_ptr<Teacher> MakeEndpointTeacher(ChatEndpoint endpoint, const ClientOptions& options,
                                             Progress& progress);
std::unique_ptr<Teacher> MakeLocalTeacher(const ModelOptions& options, int batch,
                                          Progress& progress);

}  // namespace lem
