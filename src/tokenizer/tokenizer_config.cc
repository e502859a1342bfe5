// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/tokenizer_config.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "tokenizer/json_fields.h"

namespace lem {
namespace {

std::optional<int32_t> IdOfText(const Tokenizer::Model& model, const std::string& text) {
  if (const AddedToken* token = model.added.FindByContent(text)) return token->id;
  const int32_t id = model.vocabulary.FindAny(text);
  return id < 0 ? std::nullopt : std::optional(id);
}

void ReadNamed(const Json& config, std::string_view key, const Tokenizer::Model& model,
               std::optional<int32_t>* id) {
  const std::optional<std::string> text = TokenText(config, key, model.where);
  if (!text) return;
  *id = IdOfText(model, *text);
  // Files often name a pad or unknown token that their vocabulary lacks; nothing depends on those.
  if (!*id && (key == "bos_token" || key == "eos_token")) {
    Fail(model.where, ": expected ", key, " to be a token of the vocabulary, found \"", *text,
         "\"; try the tokenizer files of one and the same model");
  }
}

// transformers rebuilds the post-processor of these classes from add_bos_token and add_eos_token.
bool ClassFollowsFlags(const Json& config, std::string_view where) {
  const std::string name = StringField(config, "tokenizer_class", "", where);
  return name.starts_with("Llama") || name.starts_with("Gemma") || name.starts_with("CodeLlama") ||
         name.starts_with("Cohere");
}

void ApplyAddFlags(const Json& config, Tokenizer::Model* model) {
  if (!ClassFollowsFlags(config, model->where)) return;
  const auto apply = [&](const char* key, const std::optional<int32_t>& id,
                         std::vector<int32_t>* around) {
    const Json* flag = config.Find(key);
    if (flag == nullptr || flag->IsNull()) return;
    around->clear();
    if (flag->AsBool(model->where) && id) around->push_back(*id);
  };
  apply("add_bos_token", model->bos, &model->prefix);
  apply("add_eos_token", model->eos, &model->suffix);
}

}  // namespace

std::optional<std::string> TokenText(const Json& config, std::string_view key,
                                     std::string_view where) {
  const Json* value = config.Find(key);
  if (value == nullptr || value->IsNull()) return std::nullopt;
  const std::string& text =
      value->IsObject() ? value->At("content", where).AsString(where) : value->AsString(where);
  return text.empty() ? std::nullopt : std::optional(text);
}

AddedToken ReadAddedToken(const Json& json, int64_t id, std::string_view where) {
  if (id < 0 || id >= kMaxTokenId) {
    Fail(where, ": expected ids of added tokens below ", kMaxTokenId, ", found ", id,
         "; try another copy of the file");
  }
  const bool special = BoolField(json, "special", false, where);
  return {.id = static_cast<int32_t>(id),
          .content = json.At("content", where).AsString(where),
          .special = special,
          .normalized = BoolField(json, "normalized", !special, where),
          .single_word = BoolField(json, "single_word", false, where),
          .left_strip = BoolField(json, "lstrip", false, where),
          .right_strip = BoolField(json, "rstrip", false, where)};
}

std::vector<AddedToken> AddedTokensOfConfig(const Json& config, std::string_view where) {
  std::vector<AddedToken> tokens;
  const Json* decoder = config.Find("added_tokens_decoder");
  if (decoder == nullptr || decoder->IsNull()) return tokens;
  for (const auto& [key, value] : decoder->AsObject(where)) {
    int64_t id = -1;
    const auto parsed = std::from_chars(key.data(), key.data() + key.size(), id);
    if (parsed.ec != std::errc() || parsed.ptr != key.data() + key.size()) {
      Fail(where, ": expected ids as the keys of added_tokens_decoder, found \"", key,
           "\"; try another copy of the file");
    }
    tokens.push_back(ReadAddedToken(value, id, where));
  }
  std::stable_sort(tokens.begin(), tokens.end(),
                   [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  return tokens;
}

std::optional<std::string> ChatTemplateOf(const Json& config, std::string_view where) {
  const Json* value = config.Find("chat_template");
  if (value == nullptr || value->IsNull()) return std::nullopt;
  if (!value->IsArray()) return value->AsString(where);
  const Json* chosen = nullptr;
  std::string names;
  for (const Json& one : value->array()) {
    const std::string& name = one.At("name", where).AsString(where);
    if (name == "default" || value->size() == 1) chosen = &one;
    names += (names.empty() ? "" : ", ") + name;
  }
  if (chosen == nullptr) {
    Fail(where, ": expected a chat template named default, found ", names.empty() ? "none" : names,
         "; try giving a template of your own");
  }
  return chosen->At("template", where).AsString(where);
}

void ApplyConfig(const Json& config, Tokenizer::Model* model) {
  ReadNamed(config, "bos_token", *model, &model->bos);
  ReadNamed(config, "eos_token", *model, &model->eos);
  ReadNamed(config, "pad_token", *model, &model->pad);
  ReadNamed(config, "unk_token", *model, &model->unknown);
  ApplyAddFlags(config, model);
  if (auto source = ChatTemplateOf(config, model->where)) model->chat_template = std::move(source);
  if (model->eos) AddEndId(*model->eos, model);
  model->config = config;
}

void PlaceAddedTokens(const std::vector<AddedToken>& added, std::string_view where,
                      std::vector<PieceEntry>* entries) {
  size_t count = entries->size();
  for (const AddedToken& token : added) count = std::max(count, static_cast<size_t>(token.id) + 1);
  if (count > static_cast<size_t>(kMaxTokenId)) {
    Fail(where, ": expected token ids below ", kMaxTokenId, ", found ", count - 1,
         "; try another copy of the file");
  }
  entries->resize(count);
  for (const AddedToken& token : added) {
    PieceEntry& entry = (*entries)[static_cast<size_t>(token.id)];
    const bool listed = entry.kind != PieceKind::kAbsent && entry.text == token.content;
    entry = {token.content, token.special ? PieceKind::kControl : PieceKind::kUserDefined, listed};
  }
}

}  // namespace lem
