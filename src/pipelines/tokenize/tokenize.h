// SPDX-License-Identifier: EUPL-1.2
// Text or messages to token ids, without loading a model's weights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipelines/progress.h"

namespace lem {

struct TokenizeOptions {
  std::string model;
  std::string chat_template = "auto";
  bool chat = false;               // the text is messages JSON, rendered through the template
  bool generation_prompt = false;  // with chat: end where the answer begins
  bool special = true;             // add BOS and EOS as the tokenizer does
};

struct TokenizeResult {
  std::vector<int32_t> ids;
  std::vector<std::string> tokens;  // as the vocabulary spells them
};

// `where` names the text in messages.
TokenizeResult TokenizeText(const TokenizeOptions& options, const std::string& text,
                            const std::string& where, Progress& progress);

}  // namespace lem
