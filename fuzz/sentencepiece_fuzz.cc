// SPDX-License-Identifier: EUPL-1.2
// Any bytes as a tokenizer.model: an Error, or a tokenizer whose ids are in range.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/check.h"
#include "base/error.h"
#include "tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto tokenizer = lem::Tokenizer::FromSentencePiece(std::as_bytes(std::span(data, size)),
                                                             lem::Json::MakeObject(), "fuzz");
    for (const std::string_view text : {"the cat  sat", " <tag>\xE2\x96\x81\xC3\xA9\n", ""}) {
      const auto ids = tokenizer.Encode(text, true);
      for (const int32_t id : ids) LEM_CHECK(id >= 0 && id < tokenizer.vocab_size());
      tokenizer.Decode(ids);
    }
    tokenizer.ToTokenizerJson();
    tokenizer.ToGguf();
  } catch (const lem::Error&) {
  }
  return 0;
}
