// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/bench/choice_requests.h"

#include <algorithm>

#include "pipelines/bench/item_prompt.h"
#include "pipelines/continuation.h"

namespace lem {
namespace {

std::string CannotSplit(const ChoiceSet& set, size_t choice, std::string_view why) {
  return "choice " + std::to_string(choice + 1) + " of " + set.name + " " + std::string(why);
}

}  // namespace

ChoiceRequests MakeChoiceRequests(const LoadedModel& model, const Task& task,
                                  const TaskItem& item) {
  ChoiceRequests out;
  const std::string delimiter = model.chat_template ? "" : task.delimiter;
  const ModelConfig& config = model.decoder->config();
  for (const ChoiceSet& set : item.sets) {
    const std::string context = PromptText(model, task, set.prompt);
    if (out.prompt.empty()) out.prompt = context;
    for (size_t i = 0; i < set.choices.size(); ++i) {
      SplitPair pair = SplitContinuation(model.tokenizer, context, delimiter + set.choices[i].text);
      const size_t context_size = pair.context.size();
      if (pair.context.empty() || pair.continuation.empty()) {
        out.problem = CannotSplit(set, i, "has no token of its own after the prompt");
        return out;
      }
      if (!FitIntoContext(config.max_positions, pair)) {
        out.problem = CannotSplit(set, i, "is longer than the model's context");
        return out;
      }
      if (std::ranges::max(pair.continuation) >= config.usable_vocab) {
        out.problem = CannotSplit(set, i, "holds a token that this model never says");
        return out;
      }
      out.shortened = out.shortened || pair.context.size() < context_size;
      if (out.requests.empty()) out.prompt_tokens = static_cast<int>(pair.context.size());
      out.requests.push_back({std::move(pair.context), std::move(pair.continuation)});
    }
  }
  return out;
}

}  // namespace lem
