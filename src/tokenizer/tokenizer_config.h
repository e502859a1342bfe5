// SPDX-License-Identifier: EUPL-1.2
// What tokenizer_config.json and its neighbours add to a vocabulary: which tokens are bos, eos and
// so on, whether bos is added, further tokens, the chat template.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/model.h"

namespace lem {

constexpr int64_t kMaxTokenId = int64_t{1} << 22;

// "eos_token": "</s>" or {"content": "</s>", ...}; empty if absent or null.
std::optional<std::string> TokenText(const Json& config, std::string_view key,
                                     std::string_view where);

// One entry of added_tokens or added_tokens_decoder.
AddedToken ReadAddedToken(const Json& json, int64_t id, std::string_view where);

// added_tokens_decoder: {"32000": {"content": ...}}, in order of id.
std::vector<AddedToken> AddedTokensOfConfig(const Json& config, std::string_view where);

// "chat_template": text, or [{"name", "template"}, ...], of which "default" counts, else the only
// one.
std::optional<std::string> ChatTemplateOf(const Json& config, std::string_view where);

// Sets bos, eos, pad, unknown, prefix, suffix, chat_template and end_ids, needs everything else.
// What the config leaves out stays as it is.
void ApplyConfig(const Json& config, Tokenizer::Model* model);

// A vocabulary of entries[id] in which added tokens have their places; grows `entries` as needed.
void PlaceAddedTokens(const std::vector<AddedToken>& added, std::string_view where,
                      std::vector<PieceEntry>* entries);

}  // namespace lem
