// SPDX-License-Identifier: EUPL-1.2
// Tasks that generate: one batch over all of them, so that no core waits for a task's last answer.
#include <memory>
#include <numeric>

#include "base/error.h"
#include "pipelines/answer_stream.h"
#include "pipelines/bench/answers.h"
#include "pipelines/bench/item_prompt.h"
#include "pipelines/continuation.h"
#include "pipelines/wall_clock.h"

namespace lem {
namespace {

// Fills in the prompt; false with sample.problem when it cannot be asked.
bool MakeRequest(const LoadedModel& model, const std::vector<int32_t>& end_ids,
                 MissingAnswer& answer, GenerateRequest& request) {
  Sample& sample = answer.sample;
  const Sampling& sampling = answer.run->sampling;
  try {
    sample.prompt = PromptText(model, answer.run->task, answer.item->prompt);
    request.prompt = EncodeContext(model.tokenizer, sample.prompt);
  } catch (const Error& error) {
    sample.problem = error.what();
  }
  sample.prompt_tokens = static_cast<int>(request.prompt.size());
  const int most = model.decoder->config().max_positions;
  if (sample.problem.empty() && request.prompt.empty()) sample.problem = "the prompt is empty";
  if (sample.problem.empty() && sample.prompt_tokens >= most) {
    sample.problem = "the prompt has " + std::to_string(sample.prompt_tokens) +
                     " tokens, the model's context holds " + std::to_string(most);
  }
  request.max_tokens = sampling.max_tokens;
  request.end_ids = end_ids;
  request.sampling.temperature = sampling.temperature;
  request.sampling.top_p = sampling.top_p;
  request.sampling.seed = sample.seed;
  request.stream = 0;  // the seed is this answer's own
  return sample.problem.empty();
}

void Fill(const AnswerStream& stream, const Generation& generation, double seconds,
          Sample& sample) {
  sample.response = stream.text();
  const bool ended = stream.stopped() || generation.finish == FinishReason::kStop;
  sample.finish_reason = ended ? "stop" : "length";
  sample.generation_tokens = generation.generation_tokens;
  sample.log_prob = std::accumulate(generation.log_probs.begin(), generation.log_probs.end(), 0.0);
  sample.seconds = seconds;
}

}  // namespace

void GenerateAnswers(const LoadedModel& model, Engine& engine, std::vector<MissingAnswer> missing,
                     RunFolder& folder, Progress& progress) {
  const std::vector<int32_t> end_ids = model.end_ids();
  std::vector<MissingAnswer> asked;
  std::vector<GenerateRequest> requests;
  std::vector<std::unique_ptr<AnswerStream>> streams;
  for (MissingAnswer& answer : missing) {
    GenerateRequest request;
    if (!MakeRequest(model, end_ids, answer, request)) {
      answer.sample.state = State::kError;
      folder.Append(std::move(answer.sample));
      continue;
    }
    requests.push_back(std::move(request));
    streams.push_back(std::make_unique<AnswerStream>(model.tokenizer, answer.run->task.stop));
    asked.push_back(std::move(answer));
  }
  if (asked.empty()) return;
  progress.Begin("answers", static_cast<int64_t>(asked.size()), "answers");
  int64_t done = 0;
  WallClock since_last;  // what the batch took per finished answer
  engine.Generate(
      requests,
      [&](size_t i, int32_t id) {
        streams[i]->Push(id);
        return !streams[i]->stopped();
      },
      [&](size_t i, const Generation& generation) {
        streams[i]->Finish();
        // Ended by Ctrl-C, not by itself: it will be asked again.
        if (generation.finish == FinishReason::kCancelled && !streams[i]->stopped()) return;
        Fill(*streams[i], generation, since_last.Restart(), asked[i].sample);
        folder.Append(std::move(asked[i].sample));
        streams[i].reset();
        progress.Update(++done);
      });
  progress.End();
}

}  // namespace lem
