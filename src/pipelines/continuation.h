// SPDX-License-Identifier: EUPL-1.2
// A prompt and what follows it as token ids, cut between the two exactly as lm-evaluation-harness
// 0.4 cuts them (specs: evaluation 3).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace lem {

struct SplitPair {
  std::vector<int32_t> context, continuation;
};

// White space at the end of the context moves to the continuation; then the continuation is what
// encode(context + continuation) has beyond the length of encode(context), even where a token
// crosses the border. An empty context becomes the tokenizer's BOS, else its EOS.
SplitPair SplitContinuation(const Tokenizer& tokenizer, std::string_view context,
                            std::string_view continuation);

// As the harness encodes: with the tokenizer's own special tokens, unless the text already begins
// with the BOS as text.
std::vector<int32_t> EncodeContext(const Tokenizer& tokenizer, std::string_view text);

// The context loses its beginning where the pair, without its last token, exceeds the model.
// False when the continuation alone does not fit.
bool FitIntoContext(int max_positions, SplitPair& pair);

}  // namespace lem
