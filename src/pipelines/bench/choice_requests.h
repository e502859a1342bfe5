// SPDX-License-Identifier: EUPL-1.2
// The given answers of an item as requests for log-likelihoods.
#pragma once

#include <string>
#include <vector>

#include "model/engine.h"
#include "pipelines/loaded_model.h"
#include "pipelines/task.h"

namespace lem {

// All choices of all sets of one item, in order.
struct ChoiceRequests {
  std::vector<ScoreRequest> requests;
  std::string prompt;      // the context of the first set, as the model is given it
  int prompt_tokens = 0;   // of it
  bool shortened = false;  // some context lost its beginning
  std::string problem;     // why it cannot be scored; empty: it can
};
ChoiceRequests MakeChoiceRequests(const LoadedModel& model, const Task& task, const TaskItem& item);

}  // namespace lem
