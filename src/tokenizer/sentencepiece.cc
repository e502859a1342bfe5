// SPDX-License-Identifier: EUPL-1.2
// A tokenizer from tokenizer.model, SentencePiece's protobuf (model-formats 4.3). Only the fields
// that matter are read; the rest is skipped, and every length is checked.
#include <cstring>

#include "base/error.h"
#include "tokenizer/model.h"
#include "tokenizer/score_pipeline.h"
#include "tokenizer/tokenizer_config.h"

namespace lem {
namespace {

// The fields of one message, one after another.
class ProtoReader {
 public:
  ProtoReader(std::string_view bytes, std::string_view where) : bytes_(bytes), where_(where) {}

  // False at the end. Afterwards exactly one of number, text holds the value.
  bool Next() {
    if (at_ == bytes_.size()) return false;
    const uint64_t key = Varint();
    field = static_cast<uint32_t>(key >> 3);
    wire = static_cast<int>(key & 7);
    number = 0;
    text = {};
    switch (wire) {
      case 0:
        number = Varint();
        break;
      case 1:
        number = Fixed(8);
        break;
      case 2:
        text = Take(Varint());
        break;
      case 5:
        number = Fixed(4);
        break;
      default:
        Damaged("a field of an unknown kind");
    }
    return true;
  }

  std::string_view Text() const {
    if (wire != 2) Damaged("a number where text belongs");
    return text;
  }
  uint64_t Number() const {
    if (wire == 2) Damaged("text where a number belongs");
    return number;
  }
  float Float() const {
    if (wire != 5) Damaged("another field where a float belongs");
    const uint32_t bits = static_cast<uint32_t>(number);
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
  }

  uint32_t field = 0;
  int wire = 0;
  uint64_t number = 0;
  std::string_view text;

 private:
  [[noreturn]] void Damaged(std::string_view what) const {
    Fail(where_, ": expected a SentencePiece model, found ", what, " at byte ", at_,
         "; try another copy of the file");
  }

  std::string_view Take(uint64_t length) {
    if (length > bytes_.size() - at_) Damaged("a length that passes the end");
    const std::string_view taken = bytes_.substr(at_, length);
    at_ += length;
    return taken;
  }

  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = static_cast<uint8_t>(Take(1)[0]);
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    Damaged("a number of more than 64 bits");
  }

  uint64_t Fixed(size_t size) {
    uint64_t value = 0;
    std::memcpy(&value, Take(size).data(), size);
    return value;
  }

  std::string_view bytes_, where_;
  size_t at_ = 0;
};

struct SentencePieceModel {
  std::vector<PieceEntry> pieces;
  std::vector<float> scores;
  int64_t model_type = 1, unknown = 0, bos = 1, eos = 2, pad = -1;
  bool suffix_spaces = false, byte_fallback = false;
  bool dummy_prefix = true, remove_extra_spaces = true, escape_spaces = true;
  bool has_charsmap = false;
  std::string normalizer_name;
};

int64_t Signed(uint64_t number) { return static_cast<int32_t>(static_cast<uint32_t>(number)); }

void ReadPiece(std::string_view bytes, std::string_view where, SentencePieceModel* model) {
  ProtoReader reader(bytes, where);
  PieceEntry entry{{}, PieceKind::kNormal, true};
  float score = 0;
  while (reader.Next()) {
    if (reader.field == 1) entry.text = reader.Text();
    if (reader.field == 2) score = reader.Float();
    if (reader.field == 3) {
      const uint64_t kind = reader.Number();
      if (kind < 1 || kind > 6) {
        Fail(where, ": expected piece types 1 to 6, found ", kind, " for piece ",
             model->pieces.size(), "; try another copy of the file");
      }
      entry.kind = static_cast<PieceKind>(kind);
    }
  }
  if (entry.text.empty() || ValidUtf8Prefix(entry.text) != entry.text.size()) {
    Fail(where, ": expected pieces of UTF-8 text, found ",
         entry.text.empty() ? "none" : "other bytes", " in piece ", model->pieces.size(),
         "; try another copy of the file");
  }
  if (model->pieces.size() >= static_cast<size_t>(kMaxTokenId)) {
    Fail(where, ": expected at most ", kMaxTokenId,
         " pieces, found more; try another copy of the file");
  }
  model->pieces.push_back(entry);
  model->scores.push_back(score);
}

void ReadTrainer(std::string_view bytes, std::string_view where, SentencePieceModel* model) {
  ProtoReader reader(bytes, where);
  while (reader.Next()) {
    switch (reader.field) {
      case 3:
        model->model_type = Signed(reader.Number());
        break;
      case 24:
        model->suffix_spaces = reader.Number() != 0;
        break;
      case 35:
        model->byte_fallback = reader.Number() != 0;
        break;
      case 40:
        model->unknown = Signed(reader.Number());
        break;
      case 41:
        model->bos = Signed(reader.Number());
        break;
      case 42:
        model->eos = Signed(reader.Number());
        break;
      case 43:
        model->pad = Signed(reader.Number());
        break;
      default:
        break;
    }
  }
}

void ReadNormalizer(std::string_view bytes, std::string_view where, SentencePieceModel* model) {
  ProtoReader reader(bytes, where);
  while (reader.Next()) {
    switch (reader.field) {
      case 1:
        model->normalizer_name = reader.Text();
        break;
      case 2:
        model->has_charsmap = !reader.Text().empty();
        break;
      case 3:
        model->dummy_prefix = reader.Number() != 0;
        break;
      case 4:
        model->remove_extra_spaces = reader.Number() != 0;
        break;
      case 5:
        model->escape_spaces = reader.Number() != 0;
        break;
      default:
        break;
    }
  }
}

SentencePieceModel ReadModel(std::string_view bytes, std::string_view where) {
  SentencePieceModel model;
  ProtoReader reader(bytes, where);
  while (reader.Next()) {
    if (reader.field == 1) ReadPiece(reader.Text(), where, &model);
    if (reader.field == 2) ReadTrainer(reader.Text(), where, &model);
    if (reader.field == 3) ReadNormalizer(reader.Text(), where, &model);
  }
  return model;
}

void RequireSupported(const SentencePieceModel& model, std::string_view where) {
  const auto refuse = [&](std::string_view expected, const auto& found) {
    Fail(where, ": expected ", expected, ", found ", found,
         "; try a tokenizer.json of the same model");
  };
  static constexpr const char* kTypes[] = {"none", "unigram", "bpe", "word", "char"};
  if (model.pieces.empty()) refuse("a SentencePiece model with pieces", "none");
  if (model.model_type != 2) {
    refuse("a SentencePiece model of type bpe", model.model_type >= 0 && model.model_type < 5
                                                    ? kTypes[model.model_type]
                                                    : "an unknown type");
  }
  if (model.suffix_spaces) refuse("spaces before words", "treat_whitespace_as_suffix");
  if (model.has_charsmap) refuse("the normalizer identity", '"' + model.normalizer_name + '"');
  if (!model.escape_spaces) refuse("escape_whitespaces", "it turned off");
}

void RequireDistinct(const Vocabulary& vocabulary, std::string_view where) {
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    if (vocabulary.kind(id) == PieceKind::kNormal && vocabulary.Find(vocabulary.text(id)) != id) {
      Fail(where, ": expected every piece once, found \"", vocabulary.text(id),
           "\" twice; try another copy of the file");
    }
  }
}

std::optional<int32_t> IdOrNothing(int64_t id, const Vocabulary& vocabulary, const char* name,
                                   std::string_view where) {
  if (id < 0) return std::nullopt;
  if (id >= vocabulary.size()) {
    Fail(where, ": expected ", name, " below ", vocabulary.size(), ", found ", id,
         "; try another copy of the file");
  }
  return static_cast<int32_t>(id);
}

// Control and unknown pieces are found in the raw text; user-defined ones in the normalized text.
std::vector<AddedToken> AddedOf(const SentencePieceModel& proto) {
  std::vector<AddedToken> added;
  for (size_t id = 0; id < proto.pieces.size(); ++id) {
    const PieceKind kind = proto.pieces[id].kind;
    const bool special = kind == PieceKind::kControl || kind == PieceKind::kUnknown;
    if (!special && kind != PieceKind::kUserDefined) continue;
    added.push_back({.id = static_cast<int32_t>(id),
                     .content = std::string(proto.pieces[id].text),
                     .special = special,
                     .normalized = !special});
  }
  return added;
}

// Tokens that Hugging Face's files add beyond the model.
std::vector<AddedToken> Additions(const Json& config, size_t pieces, std::string_view where) {
  std::vector<AddedToken> added;
  for (AddedToken& token : AddedTokensOfConfig(config, where)) {
    if (token.id >= static_cast<int64_t>(pieces)) added.push_back(std::move(token));
  }
  return added;
}

}  // namespace

Tokenizer Tokenizer::FromSentencePiece(std::span<const std::byte> bytes, const Json& config,
                                       std::string_view where) {
  SentencePieceModel proto =
      ReadModel({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, where);
  RequireSupported(proto, where);
  auto model = std::make_unique<Model>();
  model->where = where;
  const std::vector<AddedToken> additions = Additions(config, proto.pieces.size(), where);
  for (const AddedToken& token : AddedOf(proto)) model->added.Add(token, where);
  for (const AddedToken& token : additions) model->added.Add(token, where);
  PlaceAddedTokens(additions, where, &proto.pieces);
  proto.scores.resize(proto.pieces.size(), 0);
  model->vocabulary = Vocabulary(proto.pieces, where);
  RequireDistinct(model->vocabulary, where);
  model->scores = std::move(proto.scores);
  model->unknown = IdOrNothing(proto.unknown, model->vocabulary, "unk_id", where);
  model->bos = IdOrNothing(proto.bos, model->vocabulary, "bos_id", where);
  model->eos = IdOrNothing(proto.eos, model->vocabulary, "eos_id", where);
  model->pad = IdOrNothing(proto.pad, model->vocabulary, "pad_id", where);
  SetScorePipeline({.space_prefix = proto.dummy_prefix, .single_spaces = proto.remove_extra_spaces},
                   model.get());
  if (model->bos) model->prefix = {*model->bos};
  ApplyConfig(config, model.get());
  if (model->end_ids.empty()) AddEndIdsByText(model.get());
  return Tokenizer(std::move(model));
}

}  // namespace lem
