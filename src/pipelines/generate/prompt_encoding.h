// SPDX-License-Identifier: EUPL-1.2
// From a prompt to ids, and from options to the set of ids that end an answer.
#pragma once

#include <cstdint>
#include <vector>

#include "pipelines/generate/generate.h"

namespace lem {

// Messages of a prompt with the system prompt in front.
Json PromptMessages(const Prompt& prompt, const GenerateOptions& options);
// Through the template when the model has one, else the raw text with the tokenizer's specials.
std::vector<int32_t> EncodePrompt(const LoadedModel& model, const Prompt& prompt,
                                  const GenerateOptions& options);
std::vector<int32_t> EndIds(const LoadedModel& model, const GenerateOptions& options);

}  // namespace lem
