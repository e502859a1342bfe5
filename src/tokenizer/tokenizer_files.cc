// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/tokenizer_files.h"

#include "base/error.h"
#include "formats/mapped_file.h"
#include "tokenizer/gguf_pre_tokenizers.h"
#include "tokenizer/json_fields.h"
#include "tokenizer/model.h"
#include "tokenizer/tokenizer_config.h"

namespace lem {
namespace {

namespace fs = std::filesystem;

std::string ReadText(const fs::path& path) {
  const MappedFile file(path);
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

// An object of a file that may be absent.
Json ReadOptional(const fs::path& path) {
  return fs::is_regular_file(path) ? Json::ParseFile(path.string()) : Json::MakeObject();
}

// tokenizer_config.json, completed from special_tokens_map.json and added_tokens.json.
Json ReadConfig(const fs::path& folder) {
  Json config = ReadOptional(folder / "tokenizer_config.json");
  const std::string where = (folder / "tokenizer_config.json").string();
  config.AsObject(where);
  const Json map = ReadOptional(folder / "special_tokens_map.json");
  for (const char* key : {"bos_token", "eos_token", "pad_token", "unk_token"}) {
    const Json* value = map.Find(key);
    if (value != nullptr && !config.Has(key)) config.Set(key, *value);
  }
  const Json added = ReadOptional(folder / "added_tokens.json");
  if (added.size() > 0 && !config.Has("added_tokens_decoder")) {
    Json decoder = Json::MakeObject();
    for (const auto& [content, id] : added.AsObject((folder / "added_tokens.json").string())) {
      Json token = Json::MakeObject();
      token.Set("content", content);
      token.Set("special", true);
      decoder.Set(std::to_string(id.AsInteger((folder / "added_tokens.json").string())),
                  std::move(token));
    }
    config.Set("added_tokens_decoder", std::move(decoder));
  }
  return config;
}

// The newer places of a chat template; they override the config's.
void ReadChatTemplate(const fs::path& folder, Json* config) {
  if (fs::is_regular_file(folder / "chat_template.jinja")) {
    config->Set("chat_template", ReadText(folder / "chat_template.jinja"));
  } else if (fs::is_regular_file(folder / "chat_template.json")) {
    const fs::path path = folder / "chat_template.json";
    config->Set("chat_template", Json::ParseFile(path.string()).At("chat_template", path.string()));
  }
}

// merges.txt does not say how text is cut; the class of the tokenizer does.
std::string PreTokenizerOfClass(const Json& config, const std::string& where) {
  const std::string name = StringField(config, "tokenizer_class", "GPT2Tokenizer", where);
  if (name.starts_with("GPT2Tokenizer")) return "gpt-2";
  if (name.starts_with("Qwen2Tokenizer")) return "qwen2";
  RefuseType(where, "tokenizer_class beside merges.txt", name, "GPT2Tokenizer, Qwen2Tokenizer");
}

Tokenizer LoadVocabulary(const fs::path& folder, const Json& config) {
  if (const fs::path path = folder / "tokenizer.json"; fs::is_regular_file(path)) {
    return Tokenizer::FromJson(Json::ParseFile(path.string()), config, path.string());
  }
  if (const fs::path path = folder / "tokenizer.model"; fs::is_regular_file(path)) {
    const MappedFile file(path);
    return Tokenizer::FromSentencePiece(file.bytes(), config, path.string());
  }
  const fs::path vocabulary = folder / "vocab.json", merges = folder / "merges.txt";
  if (fs::is_regular_file(vocabulary) && fs::is_regular_file(merges)) {
    const Json json =
        TokenizerJsonOfMerges(Json::ParseFile(vocabulary.string()), ReadText(merges),
                              PreTokenizerOfClass(config, merges.string()), merges.string());
    return Tokenizer::FromJson(json, config, vocabulary.string());
  }
  Fail(folder.string(),
       ": expected tokenizer.json, tokenizer.model, or vocab.json with merges.txt, "
       "found none of them; try the model's original folder");
}

// eos_token_id of config.json and generation_config.json: a number, a list, or null.
void AddEndsOf(const fs::path& path, Tokenizer::Model* model) {
  const Json json = ReadOptional(path);
  const Json* ids = json.Find("eos_token_id");
  if (ids == nullptr) {
    const Json* text =
        json.Find("text_config");  // multimodal files keep the text model's keys there
    ids = text == nullptr ? nullptr : text->Find("eos_token_id");
  }
  if (ids == nullptr || ids->IsNull()) return;
  if (!ids->IsArray()) return AddEndId(ids->AsInteger(path.string()), model);
  for (const Json& id : ids->array()) AddEndId(id.AsInteger(path.string()), model);
}

}  // namespace

Json TokenizerJsonOfMerges(const Json& vocabulary, std::string_view merges,
                           std::string_view pre_name, std::string_view where) {
  Json pairs = Json::MakeArray();
  size_t line = 0;
  for (size_t at = 0; at < merges.size(); ++line) {
    const size_t end = std::min(merges.find('\n', at), merges.size());
    std::string_view text = merges.substr(at, end - at);
    at = end + 1;
    if (text.ends_with('\r')) text.remove_suffix(1);
    if (text.empty() || (line == 0 && text.starts_with("#version"))) continue;
    const size_t space = text.find(' ');
    if (space == text.npos) {
      Fail(where, ": expected two pieces with a space between them on line ", line + 1,
           ", found \"", text, "\"; try another copy of the file");
    }
    pairs.Append(Json(Json::Array{Json(text.substr(0, space)), Json(text.substr(space + 1))}));
  }
  GgufPreTokenizer pre = GgufPreTokenizerNamed(pre_name, where);
  Json model = Json::MakeObject();
  model.Set("type", "BPE");
  model.Set("vocab", vocabulary);
  model.Set("merges", std::move(pairs));
  Json json = Json::MakeObject();
  json.Set("normalizer", std::move(pre.normalizer));
  json.Set("pre_tokenizer", std::move(pre.pre_tokenizer));
  json.Set("decoder", std::move(pre.decoder));
  json.Set("model", std::move(model));
  return json;
}

Tokenizer Tokenizer::Load(const fs::path& path) {
  if (fs::is_directory(path)) {
    Json config = ReadConfig(path);
    ReadChatTemplate(path, &config);
    Tokenizer tokenizer = LoadVocabulary(path, config);
    // What the model's own configuration says goes before what token texts suggest.
    Model* model = tokenizer.model_.get();
    std::vector<int32_t> guessed;
    if (!model->eos) guessed.swap(model->end_ids);
    AddEndsOf(path / "config.json", model);
    AddEndsOf(path / "generation_config.json", model);
    if (model->end_ids.empty()) model->end_ids = std::move(guessed);
    return tokenizer;
  }
  if (path.extension() == ".json" && path.filename() == "tokenizer.json")
    return Load(path.parent_path());
  if (!fs::exists(path)) {
    Fail(path.string(),
         ": expected a model folder or a .gguf file, found nothing of that name; "
         "try `lem pull` or another path");
  }
  const MappedFile file(path);
  return FromGguf(Gguf::Parse(file.bytes(), path.string()));
}

}  // namespace lem
