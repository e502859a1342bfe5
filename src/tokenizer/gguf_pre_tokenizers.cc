// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/gguf_pre_tokenizers.h"

#include "base/error.h"
#include "tokenizer/scanners.h"

namespace lem {
namespace {

struct Entry {
  const char* name;
  std::vector<const char*> patterns;  // each cuts what the one before left; empty: see `gpt2`
  bool gpt2 = false;                  // ByteLevel's own pattern comes last
  bool digits = false;                // digits are cut out first, one by one
  bool nfc = false;
  bool ignore_merges = false;
  bool adds_bos = false;
};

// Aliases stand after the name that is written. llama.cpp does not normalize Qwen's text; its
// tokenizer.json does, and the model was trained on that.
const std::vector<Entry>& Entries() {
  static const std::vector<Entry> entries = {
      {.name = "gpt-2", .patterns = {}, .gpt2 = true},
      {.name = "phi-2", .patterns = {}, .gpt2 = true},
      {.name = "mpt", .patterns = {}, .gpt2 = true},
      {.name = "olmo", .patterns = {}, .gpt2 = true},
      {.name = "jais", .patterns = {}, .gpt2 = true},
      {.name = "smollm", .patterns = {}, .gpt2 = true, .digits = true},
      {.name = "starcoder", .patterns = {}, .gpt2 = true, .digits = true},
      {.name = "refact", .patterns = {}, .gpt2 = true, .digits = true},
      {.name = "command-r", .patterns = {}, .gpt2 = true, .digits = true},
      {.name = "llama-bpe", .patterns = {kLlama3Pattern}, .ignore_merges = true, .adds_bos = true},
      {.name = "llama3", .patterns = {kLlama3Pattern}, .ignore_merges = true, .adds_bos = true},
      {.name = "llama-v3", .patterns = {kLlama3Pattern}, .ignore_merges = true, .adds_bos = true},
      {.name = "qwen2", .patterns = {kQwen2Pattern}, .nfc = true},
      {.name = "deepseek-r1-qwen", .patterns = {kQwen2Pattern}, .nfc = true},
      {.name = "stablelm2", .patterns = {kQwen2Pattern}},
      {.name = "tekken", .patterns = {kTekkenPattern}, .ignore_merges = true, .adds_bos = true},
      // llama.cpp's rule for files that name none.
      {.name = "default",
       .patterns = {R"([\p{P}\$\+<=>\^~\|]+)",
                    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))",
                    R"(\p{N}+)", "[0-9][0-9][0-9]"}},
  };
  return entries;
}

Json ByteLevelStep(bool use_regex) {
  Json step = Json::MakeObject();
  step.Set("type", "ByteLevel");
  step.Set("add_prefix_space", false);
  step.Set("trim_offsets", true);
  step.Set("use_regex", use_regex);
  return step;
}

Json DigitsStep() {
  Json step = Json::MakeObject();
  step.Set("type", "Digits");
  step.Set("individual_digits", true);
  return step;
}

Json SplitStep(const char* pattern) {
  Json regex = Json::MakeObject();
  regex.Set("Regex", pattern);
  Json step = Json::MakeObject();
  step.Set("type", "Split");
  step.Set("pattern", std::move(regex));
  step.Set("behavior", "Isolated");
  step.Set("invert", false);
  return step;
}

GgufPreTokenizer Make(const Entry& entry) {
  GgufPreTokenizer pre;
  if (entry.nfc) {
    pre.normalizer = Json::MakeObject();
    pre.normalizer.Set("type", "NFC");
  }
  Json steps = Json::MakeArray();
  if (entry.digits) steps.Append(DigitsStep());
  for (const char* pattern : entry.patterns) steps.Append(SplitStep(pattern));
  if (steps.size() == 0) {
    pre.pre_tokenizer = ByteLevelStep(true);
  } else {
    steps.Append(ByteLevelStep(entry.gpt2));
    pre.pre_tokenizer = Json::MakeObject();
    pre.pre_tokenizer.Set("type", "Sequence");
    pre.pre_tokenizer.Set("pretokenizers", std::move(steps));
  }
  pre.decoder = ByteLevelStep(true);
  pre.ignore_merges = entry.ignore_merges;
  pre.adds_bos = entry.adds_bos;
  return pre;
}

// The same without what changes no ids, and with defaults spelled out.
Json Canonical(const Json& json) {
  if (!json.IsObject()) return json;
  const Json* type = json.Find("type");
  const std::string name = type != nullptr && type->IsString() ? type->string() : "";
  Json out = json;
  if (name == "ByteLevel") {
    const auto flag = [&](const char* key) {
      const Json* value = json.Find(key);
      return value == nullptr || !value->IsBool() || value->boolean();
    };
    out = ByteLevelStep(flag("use_regex"));
    out.Set("add_prefix_space", flag("add_prefix_space"));
  } else if (name == "Sequence") {
    const Json* steps = json.Find("pretokenizers");
    if (steps == nullptr) steps = json.Find("normalizers");
    out = Json::MakeArray();
    if (steps != nullptr && steps->IsArray()) {
      for (const Json& step : steps->array()) out.Append(Canonical(step));
    }
    if (out.size() == 1) return out.array()[0];
  } else if (name == "Split") {
    const Json* pattern = json.Find("pattern");
    const Json* regex = pattern == nullptr ? nullptr : pattern->Find("Regex");
    const Json* behavior = json.Find("behavior");
    const Json* invert = json.Find("invert");
    // Patterns that match every character: matches isolated, or everything else removed.
    const bool inverted = invert != nullptr && invert->IsBool() && invert->boolean();
    const char* expected = inverted ? "Removed" : "Isolated";
    if (regex != nullptr && regex->IsString() && behavior != nullptr && behavior->IsString() &&
        behavior->string() == expected && ScannerFor(regex->string()) != nullptr) {
      out = SplitStep(regex->string().c_str());
    }
  }
  return out;
}

}  // namespace

GgufPreTokenizer GgufPreTokenizerNamed(std::string_view name, std::string_view where) {
  std::string known;
  for (const Entry& entry : Entries()) {
    if (entry.name == name) return Make(entry);
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  }
  Fail(where, ": expected tokenizer.ggml.pre to be one of ", known, ", found \"", name,
       "\"; try the model's Hugging Face folder");
}

std::string GgufNameOf(const Json& normalizer, const Json& pre_tokenizer, bool ignore_merges) {
  for (const Entry& entry : Entries()) {
    const GgufPreTokenizer pre = Make(entry);
    if (pre.ignore_merges == ignore_merges && Canonical(pre.normalizer) == Canonical(normalizer) &&
        Canonical(pre.pre_tokenizer) == Canonical(pre_tokenizer)) {
      return entry.name;
    }
  }
  return "";
}

}  // namespace lem
