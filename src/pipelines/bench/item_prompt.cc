// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/bench/item_prompt.h"

namespace lem {

std::string PromptText(const LoadedModel& model, const Task& task, std::string_view prompt) {
  if (model.chat_template) return model.RenderChat(task.Messages(prompt), true);
  const std::string system = task.system.empty() ? "" : task.system + "\n\n";
  return system + task.prefix + std::string(prompt);
}

}  // namespace lem
