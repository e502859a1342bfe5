// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/decoder.h"

#include "base/error.h"
#include "tokenizer/bpe.h"
#include "tokenizer/json_fields.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/unicode.h"
#include "tokenizer/vocabulary.h"

namespace lem {
namespace {

constexpr int kMaxDepth = 8;
constexpr size_t kMaxSteps = 64;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Pieces that are not wholly of printable byte characters are text already (added tokens).
void AppendBytesOfByteLevel(std::string_view piece, std::string* out) {
  const size_t start = out->size();
  for (size_t at = 0; at < piece.size();) {
    const CodePoint c = DecodeUtf8(piece, at);
    const int byte = c.length == 0 ? -1 : ByteLevelByte(c.value);
    if (byte < 0) {
      out->resize(start);
      out->append(piece);
      return;
    }
    *out += static_cast<char>(byte);
    at += c.length;
  }
}

}  // namespace

TokenDecoder TokenDecoder::FromJson(const Json& json, std::string_view where) {
  TokenDecoder decoder;
  if (json.IsNull()) return decoder;
  decoder.AddStep(json, where, 0);
  decoder.json_ = json;
  return decoder;
}

void TokenDecoder::AddStep(const Json& json, std::string_view where, int depth) {
  const std::string type = TypeOf(json, where);
  if (depth > kMaxDepth || replacements_.size() > kMaxSteps) {
    Fail(where, ": expected a decoder of at most ", kMaxSteps,
         " steps, found more; try the model's GGUF file");
  }
  if (fused_ && type != "Strip" && type != "Sequence" && type != "Fuse") {
    Fail(where, ": expected nothing but Strip after the decoder Fuse, found \"", type,
         "\"; try the model's GGUF file");
  }
  if (type == "Sequence") {
    for (const Json& step : json.At("decoders", where).AsArray(where)) {
      AddStep(step, where, depth + 1);
    }
  } else if (type == "Replace") {
    const PatternField from = ReadPattern(json, where);
    if (from.is_regex) RefuseType(where, "Replace decoder pattern", "Regex", "String");
    replacements_.emplace_back(from.text, json.At("content", where).AsString(where));
  } else if (type == "ByteFallback") {
    byte_fallback_ = true;
  } else if (type == "Fuse") {
    fused_ = true;
  } else if (type == "ByteLevel") {
    byte_level_ = true;
  } else if (type == "Metaspace") {
    mark_ = StringField(json, "replacement", "\xE2\x96\x81", where);
    const bool prefix = BoolField(json, "add_prefix_space", true, where);
    mark_drops_first_ =
        StringField(json, "prepend_scheme", prefix ? "always" : "never", where) != "never";
  } else if (type == "Strip") {
    const std::string content = StringField(json, "content", " ", where);
    const int64_t start = json.At("start", where).AsInteger(where);
    if (!fused_ || content.size() != 1 || start < 0 || start > 1024 ||
        json.At("stop", where).AsInteger(where) != 0) {
      Fail(where,
           ": expected the decoder Strip after Fuse, with one ASCII character, \"start\" up to "
           "1024 and \"stop\" 0, found ",
           json.Dump(), "; try the model's GGUF file");
    }
    strip_byte_ = content[0];
    strip_count_ = static_cast<size_t>(start);
  } else {
    RefuseType(where, "decoder", type,
               "Sequence, Replace, ByteFallback, Fuse, Strip, ByteLevel, Metaspace");
  }
}

void TokenDecoder::Append(std::string_view piece, bool first, std::string* bytes) const {
  if (byte_level_) return AppendBytesOfByteLevel(piece, bytes);
  if (byte_fallback_) {
    if (const int byte = BytePieceValue(piece); byte >= 0) {
      *bytes += static_cast<char>(byte);
      return;
    }
  }
  if (replacements_.empty() && mark_.empty()) {
    bytes->append(piece);
    return;
  }
  std::string text(piece);
  for (const auto& [from, to] : replacements_) text = ReplaceAll(text, from, to);
  if (!mark_.empty()) text = ReplaceAll(text, mark_, first && mark_drops_first_ ? "" : " ");
  bytes->append(text);
}

std::string TextOfBytes(std::string_view bytes, bool replace_each_byte, size_t* keep) {
  if (keep != nullptr) *keep = 0;
  std::string out;
  size_t at = 0;
  while (at < bytes.size()) {
    const size_t valid = ValidUtf8Prefix(bytes.substr(at));
    out.append(bytes, at, valid);
    at += valid;
    if (at == bytes.size()) break;
    bool unfinished = false;
    const size_t broken = BrokenUtf8Length(bytes, at, &unfinished);
    if (unfinished && keep != nullptr) {
      *keep = bytes.size() - at;
      break;
    }
    for (size_t i = 0; i < (replace_each_byte ? broken : 1); ++i) out.append(kReplacement);
    at += broken;
  }
  return out;
}

}  // namespace lem
