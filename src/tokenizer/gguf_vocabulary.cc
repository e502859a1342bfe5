// SPDX-License-Identifier: EUPL-1.2
// A tokenizer from tokenizer.ggml.* metadata (model-formats 6.3), defaults as in llama.cpp.
#include <algorithm>

#include "base/error.h"
#include "tokenizer/bpe.h"
#include "tokenizer/gguf_pre_tokenizers.h"
#include "tokenizer/model.h"
#include "tokenizer/score_pipeline.h"

namespace lem {
namespace {

constexpr size_t kMaxTokens = size_t{1} << 22;

struct GgufTokens {
  std::vector<std::string> texts;
  std::vector<PieceKind> kinds;
};

// Rows of the embedding table: some files list padding tokens beyond it.
size_t TokenCount(const Gguf& gguf, size_t listed) {
  const GgufTensor* table = gguf.FindTensor("token_embd.weight");
  if (table == nullptr || table->shape.size() != 2 || table->shape[0] <= 0) return listed;
  return std::min(listed, static_cast<size_t>(table->shape[0]));
}

GgufTokens ReadTokens(const Gguf& gguf, const std::string& where) {
  const std::vector<std::string>* texts = gguf.FindStrings("tokenizer.ggml.tokens");
  if (texts == nullptr || texts->empty() || texts->size() > kMaxTokens) {
    Fail(where, ": expected tokenizer.ggml.tokens with 1 to ", kMaxTokens, " texts, found ",
         texts == nullptr ? 0 : texts->size(), "; try a GGUF file that holds its tokenizer");
  }
  const size_t count = TokenCount(gguf, texts->size());
  GgufTokens tokens{{texts->begin(), texts->begin() + static_cast<ptrdiff_t>(count)}, {}};
  const std::vector<int64_t> types = gguf.Integers("tokenizer.ggml.token_type");
  if (!types.empty() && types.size() != texts->size()) {
    Fail(where, ": expected as many tokenizer.ggml.token_type as tokens (", texts->size(),
         "), found ", types.size(), "; try another copy of the file");
  }
  for (size_t id = 0; id < count; ++id) {
    const int64_t type = types.empty() ? 1 : types[id];
    if (type < 0 || type > 6) {
      Fail(where, ": expected token types 1 to 6, found ", type, " for token ", id,
           "; try another copy of the file");
    }
    if (ValidUtf8Prefix(tokens.texts[id]) != tokens.texts[id].size()) {
      Fail(where, ": expected tokens in UTF-8, found other bytes in token ", id,
           "; try another copy of the file");
    }
    tokens.kinds.push_back(type == 0 ? PieceKind::kNormal : static_cast<PieceKind>(type));
  }
  return tokens;
}

std::optional<int32_t> ReadId(const Gguf& gguf, const char* key, int64_t otherwise, size_t count) {
  int64_t id = otherwise;
  const bool given = gguf.FindInteger(key, &id);
  if (id == -1 || id == 0xFFFFFFFFll) return std::nullopt;
  if (id < 0 || id >= static_cast<int64_t>(count)) {
    if (!given) return std::nullopt;
    Fail(gguf.name(), ": expected ", key, " below ", count, ", found ", id,
         "; try another copy of the file");
  }
  return static_cast<int32_t>(id);
}

void ReadIds(const Gguf& gguf, bool by_score, size_t count, Tokenizer::Model* model) {
  model->bos = ReadId(gguf, "tokenizer.ggml.bos_token_id", by_score ? 1 : -1, count);
  model->eos = ReadId(gguf, "tokenizer.ggml.eos_token_id", by_score ? 2 : -1, count);
  model->unknown = ReadId(gguf, "tokenizer.ggml.unknown_token_id", by_score ? 0 : -1, count);
  model->pad = ReadId(gguf, "tokenizer.ggml.padding_token_id", -1, count);
}

void ReadAround(const Gguf& gguf, bool adds_bos, Tokenizer::Model* model) {
  bool adds_eos = false;
  gguf.FindBool("tokenizer.ggml.add_bos_token", &adds_bos);
  gguf.FindBool("tokenizer.ggml.add_eos_token", &adds_eos);
  if (adds_bos && model->bos) model->prefix = {*model->bos};
  if (adds_eos && model->eos) model->suffix = {*model->eos};
}

void ReadEnds(const Gguf& gguf, Tokenizer::Model* model) {
  if (model->eos) AddEndId(*model->eos, model);
  for (const char* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    int64_t id = -1;
    if (gguf.FindInteger(key, &id)) AddEndId(id, model);
  }
  AddEndIdsByText(model);
}

void AddTokens(const GgufTokens& tokens, Tokenizer::Model* model) {
  for (size_t id = 0; id < tokens.texts.size(); ++id) {
    const PieceKind kind = tokens.kinds[id];
    const bool special = kind == PieceKind::kControl || kind == PieceKind::kUnknown;
    if ((!special && kind != PieceKind::kUserDefined) || tokens.texts[id].empty()) continue;
    model->added.Add(
        {.id = static_cast<int32_t>(id), .content = tokens.texts[id], .special = special},
        model->where);
  }
}

Vocabulary MakeVocabulary(const GgufTokens& tokens, const std::string& where) {
  std::vector<PieceEntry> entries;
  entries.reserve(tokens.texts.size());
  for (size_t id = 0; id < tokens.texts.size(); ++id) {
    entries.push_back({tokens.texts[id], tokens.kinds[id], true});
  }
  return Vocabulary(entries, where);
}

// "a b": cut at the first space after the first byte, since a piece may begin with one.
std::vector<MergePair> ReadMerges(const Gguf& gguf, const Tokenizer::Model& model) {
  const std::vector<std::string>* lines = gguf.FindStrings("tokenizer.ggml.merges");
  if (lines == nullptr) {
    Fail(model.where,
         ": expected tokenizer.ggml.merges beside a vocabulary of type gpt2, found none; "
         "try another copy of the file");
  }
  std::vector<MergePair> merges;
  merges.reserve(lines->size());
  for (const std::string& line : *lines) {
    const size_t space = line.find(' ', 1);
    const std::string_view text = line;
    const int32_t left = space == line.npos ? -1 : model.vocabulary.FindAny(text.substr(0, space));
    const int32_t right =
        space == line.npos ? -1 : model.vocabulary.FindAny(text.substr(space + 1));
    if (left < 0 || right < 0) {
      Fail(model.where, ": expected merges of two tokens each, found \"", line, "\" as merge ",
           merges.size(), "; try another copy of the file");
    }
    merges.emplace_back(left, right);
  }
  return merges;
}

void ReadByteLevel(const Gguf& gguf, const GgufTokens& tokens, Tokenizer::Model* model) {
  const std::string* name = gguf.FindString("tokenizer.ggml.pre");
  const GgufPreTokenizer pre =
      GgufPreTokenizerNamed(name == nullptr ? "default" : *name, model->where);
  AddTokens(tokens, model);
  model->vocabulary = MakeVocabulary(tokens, model->where);
  model->normalizer = Normalizer::FromJson(pre.normalizer, model->where);
  model->pre_tokenizer = PreTokenizer::FromJson(pre.pre_tokenizer, model->where);
  model->decoder = TokenDecoder::FromJson(pre.decoder, model->where);
  model->merges = ReadMerges(gguf, *model);
  model->BuildBpe({.ignore_merges = pre.ignore_merges});
  ReadAround(gguf, pre.adds_bos, model);
}

// User-defined tokens are listed with spaces; the vocabulary spells them U+2581, and so may a text.
// Where no space is put in front, they are looked for in the escaped text, as SentencePiece does,
// so that spaces and literal U+2581 are one; else in the raw text, as llama.cpp does.
void RestoreSpaceMarks(bool prefix, GgufTokens* tokens, Tokenizer::Model* model) {
  for (size_t id = 0; id < tokens->texts.size(); ++id) {
    std::string& text = tokens->texts[id];
    if (tokens->kinds[id] != PieceKind::kUserDefined || text.find(' ') == text.npos) continue;
    const std::string with_spaces = text;
    text = ReplaceAll(text, " ", "\xE2\x96\x81");
    model->added.Add({.id = static_cast<int32_t>(id), .content = text}, model->where);
    model->added.AddSpelling(prefix ? with_spaces : text, !prefix);
  }
}

std::vector<float> ReadScores(const Gguf& gguf, const GgufTokens& tokens,
                              const std::string& where) {
  const std::vector<double> listed = gguf.Numbers("tokenizer.ggml.scores");
  if (listed.size() < tokens.texts.size()) {
    Fail(where, ": expected a score for each of ", tokens.texts.size(), " tokens, found ",
         listed.size(), "; try another copy of the file");
  }
  std::vector<float> scores(listed.begin(),
                            listed.begin() + static_cast<ptrdiff_t>(tokens.texts.size()));
  // Converters write -1000 for these; SentencePiece knows them as 0, before every learned piece.
  for (size_t id = 0; id < scores.size(); ++id) {
    if (tokens.kinds[id] == PieceKind::kUserDefined) scores[id] = 0;
  }
  return scores;
}

void ReadByScore(const Gguf& gguf, GgufTokens tokens, Tokenizer::Model* model) {
  // Neither tokenizer.ggml.pre nor .remove_extra_whitespaces means anything for this model type.
  bool prefix = true;
  gguf.FindBool("tokenizer.ggml.add_space_prefix", &prefix);
  RestoreSpaceMarks(prefix, &tokens, model);
  AddTokens(tokens, model);
  model->vocabulary = MakeVocabulary(tokens, model->where);
  model->scores = ReadScores(gguf, tokens, model->where);
  SetScorePipeline({.space_prefix = prefix}, model);
  ReadAround(gguf, true, model);
}

}  // namespace

Tokenizer Tokenizer::FromGguf(const Gguf& gguf) {
  auto model = std::make_unique<Model>();
  model->where = gguf.name();
  const std::string* type = gguf.FindString("tokenizer.ggml.model");
  if (type == nullptr || (*type != "llama" && *type != "gpt2")) {
    Fail(model->where, ": expected tokenizer.ggml.model to be \"llama\" or \"gpt2\", found ",
         type == nullptr ? "none" : '"' + *type + '"', "; try the model's Hugging Face folder");
  }
  const bool by_score = *type == "llama";
  GgufTokens tokens = ReadTokens(gguf, model->where);
  ReadIds(gguf, by_score, tokens.texts.size(), model.get());
  if (by_score) {
    ReadByScore(gguf, std::move(tokens), model.get());
  } else {
    ReadByteLevel(gguf, tokens, model.get());
  }
  ReadEnds(gguf, model.get());
  if (const std::string* source = gguf.FindString("tokenizer.chat_template")) {
    model->chat_template = *source;
  }
  return Tokenizer(std::move(model));
}

}  // namespace lem
