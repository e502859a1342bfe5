// SPDX-License-Identifier: EUPL-1.2
// tokenizer.ggml.* metadata of any loaded tokenizer, such that llama.cpp gives the same ids.
#include "base/error.h"
#include "tokenizer/gguf_pre_tokenizers.h"
#include "tokenizer/merges_of_scores.h"
#include "tokenizer/model.h"
#include "tokenizer/score_pipeline.h"

namespace lem {
namespace {

using Model = Tokenizer::Model;
using Metadata = std::vector<std::pair<std::string, GgufValue>>;

constexpr float kAddedScore = -1000;  // what converters write for tokens that no merge makes

std::string TokenText(const Model& model, int32_t id, bool by_score) {
  if (!model.vocabulary.Contains(id)) return "[PAD" + std::to_string(id) + "]";
  const std::string_view text = model.vocabulary.text(id);
  if (!by_score || model.vocabulary.kind(id) != PieceKind::kUserDefined) return std::string(text);
  return ReplaceAll(text, "\xE2\x96\x81", " ");
}

void AddTokens(const Model& model, bool by_score, Metadata* out) {
  std::vector<std::string> texts;
  std::vector<int32_t> types;
  for (int32_t id = 0; id < model.vocabulary.size(); ++id) {
    texts.push_back(TokenText(model, id, by_score));
    const PieceKind kind =
        model.vocabulary.Contains(id) ? model.vocabulary.kind(id) : PieceKind::kUnused;
    types.push_back(static_cast<int32_t>(kind));
  }
  out->emplace_back("tokenizer.ggml.tokens", GgufValue::Strings(std::move(texts)));
  out->emplace_back("tokenizer.ggml.token_type", GgufValue::I32Array(types));
}

void AddScores(const Model& model, Metadata* out) {
  std::vector<float> scores = model.scores.empty()
                                  ? ScoresOfMerges(model.vocabulary, model.merges, model.where)
                                  : model.scores;
  for (int32_t id = 0; id < model.vocabulary.size(); ++id) {
    const PieceKind kind = model.vocabulary.kind(id);
    if (kind != PieceKind::kNormal && kind != PieceKind::kByte)
      scores[static_cast<size_t>(id)] = kAddedScore;
  }
  out->emplace_back("tokenizer.ggml.scores", GgufValue::F32Array(scores));
}

void AddMerges(const Model& model, Metadata* out) {
  std::vector<std::string> merges;
  merges.reserve(model.merges.size());
  for (const auto& [left, right] : model.merges) {
    merges.push_back(std::string(model.vocabulary.text(left)) + ' ' +
                     std::string(model.vocabulary.text(right)));
  }
  out->emplace_back("tokenizer.ggml.merges", GgufValue::Strings(std::move(merges)));
}

// Whether the text gets a space in front; throws Error if these are not the steps of such a model.
bool SpacePrefixOf(const Model& model) {
  for (const bool prefix : {false, true}) {
    if (model.normalizer.json() == SpaceMarkNormalizer({.space_prefix = prefix})) return prefix;
  }
  Fail(model.where,
       ": expected a tokenizer whose steps GGUF can name (spaces as U+2581), found the normalizer ",
       model.normalizer.json().Dump(), "; try keeping the model in its Hugging Face folder");
}

void AddIds(const Model& model, Metadata* out) {
  const auto add = [&](const char* key, const std::optional<int32_t>& id) {
    if (id) out->emplace_back(key, GgufValue::U32(static_cast<uint32_t>(*id)));
  };
  add("tokenizer.ggml.bos_token_id", model.bos);
  add("tokenizer.ggml.eos_token_id", model.eos);
  add("tokenizer.ggml.unknown_token_id", model.unknown);
  add("tokenizer.ggml.padding_token_id", model.pad);
}

void AddAround(const Model& model, Metadata* out) {
  const auto flag = [&](const char* key, const std::vector<int32_t>& ids,
                        const std::optional<int32_t>& id) {
    if (!ids.empty() && (ids.size() > 1 || !id || ids[0] != *id)) {
      Fail(model.where,
           ": expected at most bos before a text and eos after it, as GGUF can say, found "
           "other tokens; try keeping the model in its Hugging Face folder");
    }
    out->emplace_back(key, GgufValue::Bool(!ids.empty()));
  };
  flag("tokenizer.ggml.add_bos_token", model.prefix, model.bos);
  flag("tokenizer.ggml.add_eos_token", model.suffix, model.eos);
}

}  // namespace

std::vector<std::pair<std::string, GgufValue>> Tokenizer::ToGguf() const {
  const Model& model = *model_;
  Metadata out;
  const bool byte_level = model.pre_tokenizer.byte_level();
  if (byte_level) {
    const std::string pre = GgufNameOf(model.normalizer.json(), model.pre_tokenizer.json(),
                                       model.bpe.options().ignore_merges);
    if (pre.empty()) {
      Fail(model.where, ": expected a pre-tokenizer that GGUF has a name for, found ",
           model.pre_tokenizer.json().Dump(), "; try keeping the model in its Hugging Face folder");
    }
    out.emplace_back("tokenizer.ggml.model", GgufValue::String("gpt2"));
    out.emplace_back("tokenizer.ggml.pre", GgufValue::String(pre));
    AddTokens(model, false, &out);
    AddMerges(model, &out);
    out.emplace_back("tokenizer.ggml.add_space_prefix", GgufValue::Bool(false));
  } else {
    const bool prefix = SpacePrefixOf(model);
    out.emplace_back("tokenizer.ggml.model", GgufValue::String("llama"));
    out.emplace_back("tokenizer.ggml.pre", GgufValue::String("default"));
    AddTokens(model, true, &out);
    AddScores(model, &out);
    out.emplace_back("tokenizer.ggml.add_space_prefix", GgufValue::Bool(prefix));
  }
  AddIds(model, &out);
  AddAround(model, &out);
  if (model.chat_template) {
    out.emplace_back("tokenizer.chat_template", GgufValue::String(*model.chat_template));
  }
  return out;
}

}  // namespace lem
