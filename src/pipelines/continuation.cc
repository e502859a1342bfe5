// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/continuation.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "base/error.h"

namespace lem {
namespace {

// What Python's str.rstrip removes, in UTF-8.
constexpr std::array<std::string_view, 29> kSpaces = {" ",
                                                      "\t",
                                                      "\n",
                                                      "\v",
                                                      "\f",
                                                      "\r",
                                                      "\x1c",
                                                      "\x1d",
                                                      "\x1e",
                                                      "\x1f",
                                                      "\xc2\x85",
                                                      "\xc2\xa0",
                                                      "\xe1\x9a\x80",
                                                      "\xe2\x80\x80",
                                                      "\xe2\x80\x81",
                                                      "\xe2\x80\x82",
                                                      "\xe2\x80\x83",
                                                      "\xe2\x80\x84",
                                                      "\xe2\x80\x85",
                                                      "\xe2\x80\x86",
                                                      "\xe2\x80\x87",
                                                      "\xe2\x80\x88",
                                                      "\xe2\x80\x89",
                                                      "\xe2\x80\x8a",
                                                      "\xe2\x80\xa8",
                                                      "\xe2\x80\xa9",
                                                      "\xe2\x80\xaf",
                                                      "\xe2\x81\x9f",
                                                      "\xe3\x80\x80"};

size_t SizeWithoutTrailingSpace(std::string_view text) {
  for (bool found = true; found;) {
    found = false;
    for (const std::string_view space : kSpaces) {
      if (!text.ends_with(space)) continue;
      text.remove_suffix(space.size());
      found = true;
    }
  }
  return text.size();
}

}  // namespace

std::vector<int32_t> EncodeContext(const Tokenizer& tokenizer, std::string_view text) {
  const std::string bos = tokenizer.bos_text();
  const bool has_bos = !bos.empty() && text.starts_with(bos);
  return tokenizer.Encode(text, !has_bos);
}

SplitPair SplitContinuation(const Tokenizer& tokenizer, std::string_view context,
                            std::string_view continuation) {
  if (context.empty()) {
    const std::optional<int32_t> first = tokenizer.bos() ? tokenizer.bos() : tokenizer.eos();
    if (!first) Fail("score: the prompt is empty and the tokenizer has neither BOS nor EOS");
    return {{*first}, tokenizer.Encode(continuation, false)};
  }
  const size_t size = SizeWithoutTrailingSpace(context);
  const std::string whole = std::string(context) + std::string(continuation);
  SplitPair pair;
  pair.context = EncodeContext(tokenizer, context.substr(0, size));
  const std::vector<int32_t> ids = EncodeContext(tokenizer, whole);
  const auto begin = ids.begin() + std::min<ptrdiff_t>(std::ssize(ids), std::ssize(pair.context));
  pair.continuation.assign(begin, ids.end());
  return pair;
}

bool FitIntoContext(int max_positions, SplitPair& pair) {
  const auto most = static_cast<size_t>(max_positions) + 1;  // the last token is only a target
  if (pair.continuation.size() + 1 > most) return false;
  const size_t room = most - pair.continuation.size();
  if (pair.context.size() > room) {
    pair.context.erase(pair.context.begin(), pair.context.end() - static_cast<ptrdiff_t>(room));
  }
  return true;
}

}  // namespace lem
