// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/normalizer.h"

#include "base/error.h"
#include "tokenizer/json_fields.h"

namespace lem {
namespace {

constexpr int kMaxDepth = 8;
constexpr size_t kMaxSteps = 64;

bool IsSpaceAt(std::string_view text, size_t at) {
  return ClassOf(DecodeUtf8(text, at).value) & kWhiteSpace;
}

void StripText(bool left, bool right, std::string* text) {
  size_t begin = 0, end = text->size();
  while (left && begin < end && IsSpaceAt(*text, begin)) begin += DecodeUtf8(*text, begin).length;
  while (right && end > begin) {
    size_t last = end - 1;
    while (last > begin && (static_cast<uint8_t>((*text)[last]) & 0xC0) == 0x80) --last;
    if (!IsSpaceAt(*text, last)) break;
    end = last;
  }
  *text = text->substr(begin, end - begin);
}

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

}  // namespace

std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to) {
  if (from.empty()) return std::string(text);
  std::string out;
  out.reserve(text.size() + text.size() / 4);
  size_t done = 0;
  for (size_t at = text.find(from); at != text.npos; at = text.find(from, done)) {
    out.append(text, done, at - done).append(to);
    done = at + from.size();
  }
  return out.append(text, done);
}

Normalizer Normalizer::FromJson(const Json& json, std::string_view where) {
  Normalizer normalizer;
  if (json.IsNull()) return normalizer;
  normalizer.AddStep(json, where, 0);
  normalizer.json_ = json;
  return normalizer;
}

void Normalizer::AddStep(const Json& json, std::string_view where, int depth) {
  const std::string type = TypeOf(json, where);
  if (depth > kMaxDepth || steps_.size() > kMaxSteps) {
    Fail(where, ": expected a normalizer of at most ", kMaxSteps,
         " steps, found more; try the model's GGUF file");
  }
  if (type == "Sequence") {
    for (const Json& step : json.At("normalizers", where).AsArray(where)) {
      AddStep(step, where, depth + 1);
    }
  } else if (type == "Replace") {
    const PatternField from = ReadPattern(json, where);
    const std::string& to = json.At("content", where).AsString(where);
    if (from.is_regex) {
      steps_.push_back(ReplacePattern{Pattern(from.text, where), to});
    } else {
      steps_.push_back(ReplaceText{from.text, to});
    }
  } else if (type == "Prepend") {
    steps_.push_back(Prepend{json.At("prepend", where).AsString(where)});
  } else if (type == "NFC") {
    steps_.push_back(NormalForm::kNfc);
  } else if (type == "NFD") {
    steps_.push_back(NormalForm::kNfd);
  } else if (type == "NFKC") {
    steps_.push_back(NormalForm::kNfkc);
  } else if (type == "NFKD") {
    steps_.push_back(NormalForm::kNfkd);
  } else if (type == "Lowercase") {
    steps_.push_back(Lowercase{});
  } else if (type == "Strip") {
    steps_.push_back(Strip{BoolField(json, "strip_left", true, where),
                           BoolField(json, "strip_right", true, where)});
  } else {
    RefuseType(where, "normalizer", type,
               "Sequence, Replace, Prepend, NFC, NFD, NFKC, NFKD, Lowercase, Strip");
  }
}

void Normalizer::ApplyStep(const Step& step, std::string* text) {
  std::visit(Overloaded{[&](const ReplaceText& s) { *text = ReplaceAll(*text, s.from, s.to); },
                        [&](const ReplacePattern& s) {
                          std::string out;
                          size_t done = 0;
                          s.from.FindAll(*text, [&](TextSpan match) {
                            out.append(*text, done, match.begin - done).append(s.to);
                            done = match.end;
                          });
                          *text = out.append(*text, done);
                        },
                        [&](const Prepend& s) {
                          if (!text->empty()) text->insert(0, s.text);
                        },
                        [&](NormalForm form) { *text = NormalizeUnicode(*text, form); },
                        [&](const Lowercase&) { *text = LowercaseUnicode(*text); },
                        [&](const Strip& s) { StripText(s.left, s.right, text); }},
             step);
}

std::string Normalizer::Apply(std::string_view text) const {
  std::string out(text);
  for (const Step& step : steps_) ApplyStep(step, &out);
  return out;
}

}  // namespace lem
