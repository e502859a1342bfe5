// SPDX-License-Identifier: EUPL-1.2
// A judge behind an OpenAI-compatible or Gemini endpoint: asked with a schema, read strictly, asked
// again by rule, and never answered for.
#pragma once

#include <memory>

#include "pipelines/judge/judge.h"

namespace lem {

// options.judge: "openai:URL#MODEL" or "gemini:MODEL". Throws Error when the key is missing.
std::unique_ptr<Judge> OpenEndpointJudge(const JudgeOptions& options);

}  // namespace lem
