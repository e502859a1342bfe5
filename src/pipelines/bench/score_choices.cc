// SPDX-License-Identifier: EUPL-1.2
// Tasks with given answers: all choices of one question are scored off one computed prompt.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/stop.h"
#include "pipelines/bench/answers.h"
#include "pipelines/bench/choice_requests.h"
#include "pipelines/wall_clock.h"

namespace lem {
namespace {

constexpr size_t kItemsTogether = 64;  // what a kill can lose; more would save hardly any time

// Items [begin, end) as requests; those that cannot be scored are failed answers already.
struct Block {
  std::vector<MissingAnswer*> items;
  std::vector<size_t> first_request;
  std::vector<ScoreRequest> requests;
};

void Prepare(const LoadedModel& model, MissingAnswer& answer, Block& block, RunFolder& folder) {
  ChoiceRequests choices;
  try {
    choices = MakeChoiceRequests(model, answer.run->task, *answer.item);
  } catch (const Error& error) {
    choices.problem = error.what();
  }
  Sample& sample = answer.sample;
  sample.prompt = std::move(choices.prompt);
  sample.prompt_tokens = choices.prompt_tokens;
  if (!choices.problem.empty()) {
    sample.state = State::kError;
    sample.problem = choices.problem;
    folder.Append(std::move(sample));
    return;
  }
  if (choices.shortened) sample.fields.Set("prompt_shortened", Json("yes"));
  block.items.push_back(&answer);
  block.first_request.push_back(block.requests.size());
  std::ranges::move(choices.requests, std::back_inserter(block.requests));
}

void Fill(const TaskItem& item, const ScoreResult* results, double seconds, Sample& sample) {
  for (const ChoiceSet& set : item.sets) {
    for (const Choice& choice : set.choices) {
      const ScoreResult& result = *results++;
      sample.choices.push_back({set.name, choice.text, choice.right, result.log_prob,
                                static_cast<int>(result.token_log_probs.size()), result.greedy});
      if (std::isfinite(result.log_prob)) continue;
      sample.state = State::kError;
      sample.problem = "a log-likelihood is not finite";
    }
  }
  if (!sample.answered()) sample.choices.clear();
  sample.seconds = seconds;
}

}  // namespace

void ScoreChoices(const LoadedModel& model, Engine& engine, std::vector<MissingAnswer> missing,
                  RunFolder& folder, Progress& progress) {
  if (missing.empty()) return;
  progress.Begin(missing[0].run->task.name, static_cast<int64_t>(missing.size()), "questions");
  for (size_t begin = 0; begin < missing.size() && !StopRequested(); begin += kItemsTogether) {
    const size_t end = std::min(begin + kItemsTogether, missing.size());
    const WallClock clock;
    Block block;
    for (size_t i = begin; i < end; ++i) Prepare(model, missing[i], block, folder);
    std::vector<ScoreResult> results;
    try {
      results = engine.Score(block.requests, [&](size_t done) {
        progress.Update(static_cast<int64_t>(begin + (end - begin) * done / block.requests.size()));
      });
    } catch (const Interrupted&) {
      break;
    }
    const double share = clock.Seconds() / static_cast<double>(std::max<size_t>(1, end - begin));
    std::vector<Sample> finished;
    for (size_t i = 0; i < block.items.size(); ++i) {
      MissingAnswer& answer = *block.items[i];
      Fill(*answer.item, &results[block.first_request[i]], share, answer.sample);
      finished.push_back(std::move(answer.sample));
    }
    folder.Append(std::move(finished));
    progress.Update(static_cast<int64_t>(end));
  }
  progress.End();
}

}  // namespace lem
