// SPDX-License-Identifier: EUPL-1.2
// A judge: grades given texts under rubrics. A model in this process, or an endpoint.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "judge/prompt.h"
#include "judge/rubric.h"
#include "pipelines/loaded_model.h"
#include "pipelines/progress.h"
#include "pipelines/run_record.h"

namespace lem {

struct JudgeOptions {
  std::string judge;   // local:MODEL | openai:URL#MODEL | gemini:MODEL
  ModelOptions model;  // for local: dtype, device and template; its `model` is not read
  // For endpoints. The number in flight is at most `concurrency`, and less while the endpoint says
  // "too many"; 0 means no limit of requests or tokens.
  int concurrency = 8;
  int64_t max_requests = 0, max_tokens = 0;
  double timeout_seconds = 300;  // of one exchange
  double first_wait = -1;        // before the first retry, in seconds; < 0: the client's own
  uint64_t seed = 0;
};

// One question to a judge.
struct JudgeQuestion {
  Rubric rubric;
  JudgedText text;
  std::string call;  // names the call uniquely: its marker and the order of its lists come of it
};

struct JudgeAttempt {
  State state = State::kError;
  std::string problem;
  std::vector<double> grades;  // one per dimension, when kOk
  Json detail;                 // reasoning, probabilities, served model
  std::string raw;             // the reply as it came
  double seconds = -1;
};

class Judge {
 public:
  virtual ~Judge() = default;
  const std::string& name() const { return name_; }  // "local:smollm2-135m", "gemini:..."
  // Everything that shapes a grade, without keys; "hash" is its SHA-256.
  const Json& config() const { return config_; }
  const std::string& hash() const { return hash_; }

  // Called for every attempt at question `index`, and once when no further attempt follows, with
  // the state it ended in; never from two threads at once.
  using OnAttempt = std::function<void(size_t index, const JudgeAttempt& attempt)>;
  using OnDone = std::function<void(size_t index, State state)>;
  // Returns when all are judged, or after Ctrl-C. Throws Error for what no retry can mend: a wrong
  // key, an unknown model.
  virtual void JudgeAll(std::span<const JudgeQuestion> questions, const OnAttempt& on_attempt,
                        const OnDone& on_done) = 0;

 protected:
  // Adds the prompts' and rubrics' words to `config` and hashes it.
  Judge(std::string name, Json config);

 private:
  std::string name_, hash_;
  Json config_;
};

// Throws UsageError for a text that names no judge, and Error when its model or key is missing.
std::unique_ptr<Judge> OpenJudge(const JudgeOptions& options, Progress& progress);

}  // namespace lem
