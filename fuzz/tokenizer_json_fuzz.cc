// SPDX-License-Identifier: EUPL-1.2
// Any JSON as a tokenizer.json: an Error, or a tokenizer that encodes what it is given, decodes its
// own ids, and is written and read again to the same ids. What follows the first zero byte is the
// text.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/error.h"
#include "tokenizer/tokenizer.h"

namespace {

void EncodeBothWays(const lem::Tokenizer& tokenizer, std::string_view text) {
  const auto ids = tokenizer.Encode(text, true);
  for (const int32_t id : ids) LEM_CHECK(id >= 0 && id < tokenizer.vocab_size());
  tokenizer.Decode(ids, true);
  tokenizer.Encode(text, false, false);
  const auto again =
      lem::Tokenizer::FromJson(tokenizer.ToTokenizerJson(), lem::Json::MakeObject(), "again");
  LEM_CHECK(again.Encode(text, true) == ids);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t cut = input.find('\0');
  try {
    const auto json = lem::Json::Parse(input.substr(0, cut), "fuzz");
    const auto tokenizer = lem::Tokenizer::FromJson(json, lem::Json::MakeObject(), "fuzz");
    EncodeBothWays(tokenizer, cut == input.npos ? "a b 12 \xE2\x96\x81x" : input.substr(cut + 1));
    tokenizer.ToTokenizerConfig();
    tokenizer.Hash();
    tokenizer.ToGguf();
  } catch (const lem::Error&) {
  }
  return 0;
}
