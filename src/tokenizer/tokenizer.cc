// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/tokenizer.h"

#include <algorithm>

#include "base/error.h"
#include "tokenizer/model.h"

namespace lem {
namespace {

constexpr size_t kMaxText = (size_t{1} << 31) - 1;
constexpr size_t kMaxIdle = 64;

void RequireText(std::string_view text) {
  if (text.size() > kMaxText) {
    Fail("text to encode: expected at most 2^31 - 1 bytes, found ", text.size(),
         "; try encoding it in parts");
  }
  const size_t valid = ValidUtf8Prefix(text);
  if (valid != text.size()) {
    Fail("text to encode: expected UTF-8, found byte ",
         static_cast<int>(static_cast<uint8_t>(text[valid])), " at offset ", valid,
         "; try converting the text to UTF-8");
  }
}

}  // namespace

Tokenizer::Tokenizer(std::unique_ptr<Model> model) : model_(std::move(model)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

void Tokenizer::Model::BuildBpe(BpeOptions options) {
  options.byte_level = pre_tokenizer.byte_level();
  bpe = scores.empty() ? Bpe(vocabulary, options, merges) : Bpe(vocabulary, options, scores, where);
}

std::unique_ptr<EncodingScratch> Tokenizer::Model::TakeScratch() const {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<EncodingScratch>();
  auto scratch = std::move(idle_.back());
  idle_.pop_back();
  return scratch;
}

void Tokenizer::Model::ReturnScratch(std::unique_ptr<EncodingScratch> scratch) const {
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kMaxIdle) idle_.push_back(std::move(scratch));
}

void Tokenizer::Model::EncodeGap(std::string_view gap, bool at_start, bool parse_specials,
                                 EncodingScratch* scratch, std::vector<int32_t>* ids) const {
  std::string normalized;
  std::string_view text = gap;
  if (!normalizer.empty()) {
    normalized = normalizer.Apply(gap);
    text = normalized;
  }
  added.Cut(text, true, parse_specials, &scratch->normalized_pieces);
  for (const AddedTokens::Piece& piece : scratch->normalized_pieces) {
    if (piece.id >= 0) {
      ids->push_back(piece.id);
      continue;
    }
    const auto [begin, end] = piece.span;
    PreTokens& tokens = scratch->pre_tokens;
    pre_tokenizer.Apply(text.substr(begin, end - begin), at_start && begin == 0, &tokens);
    for (const TextSpan& span : tokens.spans) {
      bpe.Encode(tokens.text.substr(span.begin, span.end - span.begin), &scratch->bpe, ids);
    }
  }
}

std::vector<int32_t> Tokenizer::Encode(std::string_view text, bool specials,
                                       bool parse_specials) const {
  RequireText(text);
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 3 + 8);
  if (specials) ids = model_->prefix;
  auto scratch = model_->TakeScratch();
  model_->added.Cut(text, false, parse_specials, &scratch->raw_pieces);
  for (const AddedTokens::Piece& piece : scratch->raw_pieces) {
    if (piece.id >= 0) {
      ids.push_back(piece.id);
    } else {
      const auto [begin, end] = piece.span;
      model_->EncodeGap(text.substr(begin, end - begin), begin == 0, parse_specials, scratch.get(),
                        &ids);
    }
  }
  model_->ReturnScratch(std::move(scratch));
  if (specials) ids.insert(ids.end(), model_->suffix.begin(), model_->suffix.end());
  return ids;
}

std::string Tokenizer::Decode(std::span<const int32_t> ids, bool skip_specials) const {
  StreamDecoder decoder(*this, skip_specials);
  std::string text;
  for (const int32_t id : ids) text += decoder.Push(id);
  return text += decoder.Finish();
}

std::string Tokenizer::Piece(int32_t id) const {
  if (!model_->vocabulary.Contains(id)) {
    Fail(model_->where, ": expected a token id below ", vocab_size(), ", found ", id,
         "; try the tokenizer of the model that made it");
  }
  return std::string(model_->vocabulary.text(id));
}

int32_t Tokenizer::vocab_size() const { return model_->vocabulary.size(); }
std::optional<int32_t> Tokenizer::bos() const { return model_->bos; }
std::optional<int32_t> Tokenizer::eos() const { return model_->eos; }
std::optional<int32_t> Tokenizer::pad() const { return model_->pad; }
std::optional<int32_t> Tokenizer::unknown() const { return model_->unknown; }

bool Tokenizer::adds_bos() const {
  const auto& prefix = model_->prefix;
  return model_->bos && std::find(prefix.begin(), prefix.end(), *model_->bos) != prefix.end();
}

const std::vector<int32_t>& Tokenizer::end_ids() const { return model_->end_ids; }

std::optional<int32_t> Tokenizer::FindToken(std::string_view piece) const {
  if (const AddedToken* token = model_->added.FindByContent(piece)) return token->id;
  const int32_t id = model_->vocabulary.FindAny(piece);
  return id < 0 ? std::nullopt : std::optional(id);
}

bool Tokenizer::IsSpecial(int32_t id) const {
  if (!model_->vocabulary.Contains(id)) return false;
  const AddedToken* token = model_->added.FindById(id);
  const PieceKind kind = model_->vocabulary.kind(id);
  return (token != nullptr && token->special) || kind == PieceKind::kControl ||
         kind == PieceKind::kUnknown;
}

const std::optional<std::string>& Tokenizer::chat_template() const { return model_->chat_template; }

std::string Tokenizer::bos_text() const {
  return model_->bos ? std::string(model_->vocabulary.text(*model_->bos)) : "";
}

std::string Tokenizer::eos_text() const {
  return model_->eos ? std::string(model_->vocabulary.text(*model_->eos)) : "";
}

void AddEndId(int64_t id, Tokenizer::Model* model) {
  if (id < 0 || id > INT32_MAX || !model->vocabulary.Contains(static_cast<int32_t>(id))) return;
  auto& ids = model->end_ids;
  const int32_t end = static_cast<int32_t>(id);
  const auto at = std::lower_bound(ids.begin(), ids.end(), end);
  if (at == ids.end() || *at != end) ids.insert(at, end);
}

void AddEndIdsByText(Tokenizer::Model* model) {
  for (const char* text : {"<end_of_turn>", "<|im_end|>", "<|eot_id|>", "<|end_of_text|>",
                           "<|endoftext|>", "<|eom_id|>", "<eos>"}) {
    const AddedToken* token = model->added.FindByContent(text);
    AddEndId(token != nullptr ? token->id : model->vocabulary.FindAny(text), model);
  }
}

}  // namespace lem
