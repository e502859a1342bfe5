// SPDX-License-Identifier: EUPL-1.2
// What the names in tokenizer.ggml.pre mean: the pre-tokenizer, and the two habits that go with it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"

namespace lem {

struct GgufPreTokenizer {
  Json normalizer, pre_tokenizer, decoder;  // as in tokenizer.json
  bool ignore_merges = false;
  bool adds_bos = false;  // when the file does not say
};

// Throws Error with the known names.
GgufPreTokenizer GgufPreTokenizerNamed(std::string_view name, std::string_view where);

// The name whose pre-tokenizer is this one; "" if there is none.
std::string GgufNameOf(const Json& normalizer, const Json& pre_tokenizer, bool ignore_merges);

}  // namespace lem
