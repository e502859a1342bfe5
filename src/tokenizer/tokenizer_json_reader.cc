// SPDX-License-Identifier: EUPL-1.2
// A tokenizer from Hugging Face's tokenizer.json (model-formats 4.1), BPE models only.
#include <set>
#include <string>
#include <unordered_map>

#include "base/error.h"
#include "tokenizer/json_fields.h"
#include "tokenizer/model.h"
#include "tokenizer/tokenizer_config.h"

namespace lem {
namespace {

void RequireBpe(const Json& model, std::string_view where) {
  const Json* type = model.Find("type");
  // Old files have no type; a BPE model is the one with merges.
  const std::string name = type != nullptr       ? type->AsString(where)
                           : model.Has("merges") ? "BPE"
                                                 : "none";
  if (name != "BPE") RefuseType(where, "tokenizer model", name, "BPE");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const std::string affix = StringField(model, key, "", where);
    if (!affix.empty()) RefuseType(where, key, affix, "none");
  }
  const Json* dropout = model.Find("dropout");
  if (dropout != nullptr && !dropout->IsNull() && dropout->AsNumber(where) != 0) {
    Fail(where, ": expected a tokenizer without dropout, found ", dropout->Dump(),
         "; try setting it to null, since with it no text has ids of its own");
  }
}

std::vector<PieceEntry> ReadVocabulary(const Json& vocabulary, std::string_view where) {
  std::vector<PieceEntry> entries;
  for (const auto& [piece, id_json] : vocabulary.AsObject(where)) {
    const int64_t id = id_json.AsInteger(where);
    if (id < 0 || id >= kMaxTokenId) {
      Fail(where, ": expected token ids below ", kMaxTokenId, ", found ", id, " for \"", piece,
           "\"; try another copy of the file");
    }
    const size_t at = static_cast<size_t>(id);
    if (at >= entries.size()) entries.resize(at + 1);
    if (entries[at].kind != PieceKind::kAbsent) {
      Fail(where, ": expected one piece per id, found \"", entries[at].text, "\" and \"", piece,
           "\" with id ", id, "; try another copy of the file");
    }
    entries[at] = {piece, PieceKind::kNormal, true};
  }
  if (entries.empty()) {
    Fail(where, ": expected a vocabulary, found none; try another copy of the file");
  }
  return entries;
}

// added_tokens, and those of the config that the file lacks.
std::vector<AddedToken> ReadAdded(const Json& json, const Json& config, std::string_view where) {
  std::vector<AddedToken> tokens;
  if (const Json* listed = json.Find("added_tokens"); listed != nullptr && !listed->IsNull()) {
    for (const Json& token : listed->AsArray(where)) {
      tokens.push_back(ReadAddedToken(token, token.At("id", where).AsInteger(where), where));
    }
  }
  std::set<int32_t> ids;
  std::set<std::string> contents;
  for (const AddedToken& token : tokens) {
    ids.insert(token.id);
    contents.insert(token.content);
  }
  for (AddedToken& token : AddedTokensOfConfig(config, where)) {
    if (!ids.contains(token.id) && !contents.contains(token.content)) {
      tokens.push_back(std::move(token));
    }
  }
  return tokens;
}

// An added token that the vocabulary has keeps the vocabulary's id, whatever the list says.
void UseVocabularyIds(const Json& vocabulary, std::string_view where,
                      std::vector<AddedToken>* added) {
  std::unordered_map<std::string_view, AddedToken*> by_content;
  for (AddedToken& token : *added) by_content.emplace(token.content, &token);
  for (const auto& [piece, id] : vocabulary.AsObject(where)) {
    const auto at = by_content.find(piece);
    if (at != by_content.end()) at->second->id = static_cast<int32_t>(id.AsInteger(where));
  }
}

std::pair<std::string_view, std::string_view> PairOf(const Json& merge, size_t rank,
                                                     std::string_view where) {
  if (merge.IsArray() && merge.size() == 2) {
    return {merge.array()[0].AsString(where), merge.array()[1].AsString(where)};
  }
  if (merge.IsString()) {
    const std::string_view text = merge.string();
    const size_t space = text.find(' ');
    if (space != text.npos && text.find(' ', space + 1) == text.npos) {
      return {text.substr(0, space), text.substr(space + 1)};
    }
  }
  Fail(where, ": expected each merge as \"a b\" or [\"a\", \"b\"], found ", merge.Dump(),
       " as merge ", rank, "; try another copy of the file");
}

// `find`: a piece of the model's own vocabulary, whatever its kind.
std::vector<MergePair> ReadMerges(const Json& merges, const Vocabulary& vocabulary,
                                  std::string_view where) {
  std::vector<MergePair> pairs;
  pairs.reserve(merges.AsArray(where).size());
  std::string joined;
  for (const Json& merge : merges.array()) {
    const auto [left, right] = PairOf(merge, pairs.size(), where);
    const int32_t left_id = vocabulary.FindAny(left), right_id = vocabulary.FindAny(right);
    joined.assign(left).append(right);
    if (left_id < 0 || right_id < 0 || vocabulary.FindAny(joined) < 0) {
      Fail(where, ": expected merges of pieces into pieces, found \"", left, "\" and \"", right,
           "\" as merge ", pairs.size(),
           ", which the vocabulary lacks; try another copy of the file");
    }
    pairs.emplace_back(left_id, right_id);
  }
  return pairs;
}

void ReadTemplate(const Json& json, Tokenizer::Model* model) {
  const std::string& where = model->where;
  bool after = false;
  for (const Json& part : json.At("single", where).AsArray(where)) {
    if (const Json* sequence = part.Find("Sequence")) {
      if (after || StringField(*sequence, "id", "A", where) != "A") {
        Fail(where,
             ": expected one Sequence A in TemplateProcessing.single, found another; "
             "try another copy of the file");
      }
      after = true;
      continue;
    }
    const std::string& name = part.At("SpecialToken", where).At("id", where).AsString(where);
    const Json& token = json.At("special_tokens", where).At(name, where);
    for (const Json& id_json : token.At("ids", where).AsArray(where)) {
      const int64_t id = id_json.AsInteger(where);
      if (id < 0 || id > INT32_MAX || !model->vocabulary.Contains(static_cast<int32_t>(id))) {
        Fail(where, ": expected the post-processor to name tokens, found id ", id, " for \"", name,
             "\"; try another copy of the file");
      }
      (after ? model->suffix : model->prefix).push_back(static_cast<int32_t>(id));
    }
  }
  if (!after) {
    Fail(where,
         ": expected a Sequence in TemplateProcessing.single, found none; "
         "try another copy of the file");
  }
}

void ReadPostProcessor(const Json& json, int depth, Tokenizer::Model* model) {
  if (json.IsNull()) return;
  const std::string type = TypeOf(json, model->where);
  if (type == "Sequence" && depth < 8) {
    for (const Json& step : json.At("processors", model->where).AsArray(model->where)) {
      ReadPostProcessor(step, depth + 1, model);
    }
  } else if (type == "TemplateProcessing") {
    ReadTemplate(json, model);
  } else if (type != "ByteLevel") {  // ByteLevel moves offsets only
    RefuseType(model->where, "post-processor", type, "Sequence, TemplateProcessing, ByteLevel");
  }
}

const Json& Section(const Json& json, std::string_view key) {
  static const Json null;
  const Json* section = json.Find(key);
  return section == nullptr ? null : *section;
}

}  // namespace

Tokenizer Tokenizer::FromJson(const Json& json, const Json& config, std::string_view where) {
  auto model = std::make_unique<Model>();
  model->where = where;
  const Json& bpe = json.At("model", where);
  RequireBpe(bpe, where);
  std::vector<PieceEntry> entries = ReadVocabulary(bpe.At("vocab", where), where);
  std::vector<AddedToken> added = ReadAdded(json, config, where);
  UseVocabularyIds(bpe.At("vocab", where), where, &added);
  PlaceAddedTokens(added, where, &entries);
  BpeOptions options{.byte_fallback = BoolField(bpe, "byte_fallback", false, where),
                     .fuse_unknown = BoolField(bpe, "fuse_unk", false, where),
                     .ignore_merges = BoolField(bpe, "ignore_merges", false, where)};
  const std::string unknown = StringField(bpe, "unk_token", "", where);
  for (PieceEntry& entry : entries) {
    if (entry.kind == PieceKind::kNormal && options.byte_fallback &&
        BytePieceValue(entry.text) >= 0) {
      entry.kind = PieceKind::kByte;
    }
    if (!unknown.empty() && entry.in_model && entry.text == unknown)
      entry.kind = PieceKind::kUnknown;
  }
  model->vocabulary = Vocabulary(entries, where);
  for (const AddedToken& token : added) model->added.Add(token, where);
  if (!unknown.empty()) {
    options.unknown = model->vocabulary.FindAny(unknown);
    if (options.unknown < 0) {
      Fail(where, ": expected unk_token to be in the vocabulary, found \"", unknown,
           "\"; try another copy of the file");
    }
    model->unknown = options.unknown;
  }
  model->merges = ReadMerges(bpe.At("merges", where), model->vocabulary, where);
  model->normalizer = Normalizer::FromJson(Section(json, "normalizer"), where);
  model->pre_tokenizer = PreTokenizer::FromJson(Section(json, "pre_tokenizer"), where);
  model->decoder = TokenDecoder::FromJson(Section(json, "decoder"), where);
  model->BuildBpe(options);
  ReadPostProcessor(Section(json, "post_processor"), 0, model.get());
  if (model->prefix.size() == 1) model->bos = model->prefix[0];
  if (model->suffix.size() == 1) model->eos = model->suffix[0];
  ApplyConfig(config, model.get());
  if (model->end_ids.empty()) AddEndIdsByText(model.get());
  return Tokenizer(std::move(model));
}

}  // namespace lem
