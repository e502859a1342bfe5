// SPDX-License-Identifier: EUPL-1.2
// tokenizer.json and tokenizer_config.json of any loaded tokenizer, for the programs that read
// those.
#include <algorithm>

#include "base/hash.h"
#include "tokenizer/merges_of_scores.h"
#include "tokenizer/model.h"

namespace lem {
namespace {

using Model = Tokenizer::Model;

Json AddedTokenJson(const AddedToken& token, bool by_score) {
  Json json = Json::MakeObject();
  json.Set("content", token.content);
  json.Set("single_word", token.single_word);
  json.Set("lstrip", token.left_strip);
  json.Set("rstrip", token.right_strip);
  // SentencePiece finds its own pieces in escaped text; Hugging Face's programs would put the space
  // in front of the token itself, so they are given as raw text there.
  json.Set("normalized", token.normalized && !by_score);
  json.Set("special", token.special);
  return json;
}

std::vector<const AddedToken*> AddedById(const Model& model) {
  std::vector<const AddedToken*> tokens;
  for (const AddedToken& token : model.added.tokens()) tokens.push_back(&token);
  std::sort(tokens.begin(), tokens.end(),
            [](const AddedToken* a, const AddedToken* b) { return a->id < b->id; });
  return tokens;
}

Json AddedTokensJson(const Model& model) {
  Json list = Json::MakeArray();
  for (const AddedToken* token : AddedById(model)) {
    Json json = Json::MakeObject();
    json.Set("id", token->id);
    const Json fields = AddedTokenJson(*token, !model.scores.empty());
    for (const auto& [key, value] : fields.object()) {
      json.Set(key, value);
    }
    list.Append(std::move(json));
  }
  return list;
}

Json SpecialPart(std::string_view text, int type) {
  Json token = Json::MakeObject();
  token.Set("id", text);
  token.Set("type_id", type);
  Json part = Json::MakeObject();
  part.Set("SpecialToken", std::move(token));
  return part;
}

Json SequencePart(const char* id, int type) {
  Json sequence = Json::MakeObject();
  sequence.Set("id", id);
  sequence.Set("type_id", type);
  Json part = Json::MakeObject();
  part.Set("Sequence", std::move(sequence));
  return part;
}

Json SpecialTokenJson(std::string_view text, int32_t id) {
  Json json = Json::MakeObject();
  json.Set("id", text);
  json.Set("ids", Json(Json::Array{Json(id)}));
  json.Set("tokens", Json(Json::Array{Json(text)}));
  return json;
}

Json PostProcessorJson(const Model& model) {
  if (model.prefix.empty() && model.suffix.empty()) return {};
  Json single = Json::MakeArray(), pair = Json::MakeArray(), special = Json::MakeObject();
  const auto add = [&](const std::vector<int32_t>& ids, int type, Json* list) {
    for (const int32_t id : ids) {
      list->Append(SpecialPart(model.vocabulary.text(id), type));
      special.Set(std::string(model.vocabulary.text(id)),
                  SpecialTokenJson(model.vocabulary.text(id), id));
    }
  };
  const auto around = [&](const char* name, int type, Json* list) {
    add(model.prefix, type, list);
    list->Append(SequencePart(name, type));
    add(model.suffix, type, list);
  };
  around("A", 0, &single);
  around("A", 0, &pair);
  around("B", 1, &pair);
  Json json = Json::MakeObject();
  json.Set("type", "TemplateProcessing");
  json.Set("single", std::move(single));
  json.Set("pair", std::move(pair));
  json.Set("special_tokens", std::move(special));
  return json;
}

Json MergesJson(const Model& model) {
  const std::vector<MergePair> merges =
      model.scores.empty() ? model.merges : MergesOfScores(model.vocabulary, model.scores);
  Json::Array list;
  list.reserve(merges.size());
  for (const auto& [left, right] : merges) {
    list.push_back(
        Json(Json::Array{Json(model.vocabulary.text(left)), Json(model.vocabulary.text(right))}));
  }
  return Json(std::move(list));
}

Json ModelJson(const Model& model) {
  const BpeOptions& options = model.bpe.options();
  Json::Object vocabulary;
  vocabulary.reserve(static_cast<size_t>(model.vocabulary.size()));
  for (int32_t id = 0; id < model.vocabulary.size(); ++id) {
    const std::string_view text = model.vocabulary.text(id);
    // Of a text that occurs twice, the id that is found.
    if (!model.vocabulary.Contains(id) || !model.vocabulary.in_model(id)) continue;
    if (model.vocabulary.FindAny(text) == id) vocabulary.emplace_back(std::string(text), Json(id));
  }
  Json json = Json::MakeObject();
  json.Set("type", "BPE");
  json.Set("dropout", nullptr);
  json.Set("unk_token",
           options.unknown < 0 ? Json() : Json(model.vocabulary.text(options.unknown)));
  json.Set("continuing_subword_prefix", nullptr);
  json.Set("end_of_word_suffix", nullptr);
  json.Set("fuse_unk", options.fuse_unknown);
  json.Set("byte_fallback", options.byte_fallback);
  json.Set("ignore_merges", options.ignore_merges);
  json.Set("vocab", Json(std::move(vocabulary)));
  json.Set("merges", MergesJson(model));
  return json;
}

}  // namespace

Json Tokenizer::ToTokenizerJson() const {
  Json json = Json::MakeObject();
  json.Set("version", "1.0");
  json.Set("truncation", nullptr);
  json.Set("padding", nullptr);
  json.Set("added_tokens", AddedTokensJson(*model_));
  json.Set("normalizer", model_->normalizer.json());
  json.Set("pre_tokenizer", model_->pre_tokenizer.json());
  json.Set("post_processor", PostProcessorJson(*model_));
  json.Set("decoder", model_->decoder.json());
  json.Set("model", ModelJson(*model_));
  return json;
}

Json Tokenizer::ToTokenizerConfig() const {
  const bool known = model_->config.IsObject() && model_->config.size() > 0;
  Json config = known ? model_->config : Json::MakeObject();
  if (!known) {
    config.Set("add_bos_token", adds_bos());
    config.Set("add_eos_token", !model_->suffix.empty());
    Json::Object decoder;
    for (const AddedToken* token : AddedById(*model_)) {
      decoder.emplace_back(std::to_string(token->id),
                           AddedTokenJson(*token, !model_->scores.empty()));
    }
    config.Set("added_tokens_decoder", Json(std::move(decoder)));
    const auto named = [&](const char* key, const std::optional<int32_t>& id) {
      config.Set(key, id ? Json(model_->vocabulary.text(*id)) : Json());
    };
    named("bos_token", model_->bos);
    named("eos_token", model_->eos);
    named("pad_token", model_->pad);
    named("unk_token", model_->unknown);
    config.Set("clean_up_tokenization_spaces", false);
    // The class that takes tokenizer.json as it is, in every version of transformers.
    config.Set("tokenizer_class", "PreTrainedTokenizerFast");
  }
  if (model_->chat_template) config.Set("chat_template", *model_->chat_template);
  return config;
}

std::string Tokenizer::Hash() const {
  const Model& model = *model_;
  Sha256 hash;
  std::string bytes;
  const auto number = [&](int64_t value) {
    for (int shift = 0; shift < 64; shift += 8) bytes += static_cast<char>(value >> shift & 0xFF);
    if (bytes.size() > 65536) {
      hash.Update(bytes);
      bytes.clear();
    }
  };
  const auto text = [&](std::string_view value) {
    number(static_cast<int64_t>(value.size()));
    bytes += value;
  };
  text("lem tokenizer 1");
  for (int32_t id = 0; id < model.vocabulary.size(); ++id) {
    text(model.vocabulary.text(id));
    number(static_cast<int64_t>(model.vocabulary.kind(id)) * 2 + model.vocabulary.in_model(id));
  }
  number(static_cast<int64_t>(model.scores.size()));
  for (const float score : model.scores)
    text({reinterpret_cast<const char*>(&score), sizeof(score)});
  number(static_cast<int64_t>(model.merges.size()));
  for (const auto& [left, right] : model.merges) number(int64_t{left} << 32 | right);
  text(AddedTokensJson(model).Dump());
  text(model.normalizer.json().Dump());
  text(model.pre_tokenizer.json().Dump());
  text(model.decoder.json().Dump());
  text(PostProcessorJson(model).Dump());
  const BpeOptions& options = model.bpe.options();
  number(options.unknown);
  number(options.byte_fallback * 4 + options.fuse_unknown * 2 + options.ignore_merges);
  hash.Update(bytes);
  return hash.Hex();
}

}  // namespace lem
