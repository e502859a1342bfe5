// SPDX-License-Identifier: EUPL-1.2
// Which files of a model folder make its tokenizer, and the oldest form: vocab.json with
// merges.txt.
#pragma once

#include <filesystem>

#include "tokenizer/tokenizer.h"

namespace lem {

// vocab.json and merges.txt as a byte-level tokenizer.json; `pre_name`: see gguf_pre_tokenizers.h.
Json TokenizerJsonOfMerges(const Json& vocabulary, std::string_view merges,
                           std::string_view pre_name, std::string_view where);

}  // namespace lem
