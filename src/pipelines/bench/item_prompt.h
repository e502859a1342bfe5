// SPDX-License-Identifier: EUPL-1.2
// The text before an answer: through the chat template, or plain.
#pragma once

#include <string>
#include <string_view>

#include "pipelines/loaded_model.h"
#include "pipelines/task.h"

namespace lem {

// `prompt`: of an item or of one of its choice sets, without the task's shared prefix. Throws Error
// when the template refuses the messages.
std::string PromptText(const LoadedModel& model, const Task& task, std::string_view prompt);

}  // namespace lem
