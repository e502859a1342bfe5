// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/model_config_files.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "base/atomic_file.h"

namespace lem {
namespace fs = std::filesystem;
namespace {

constexpr const char* kTokenizerFiles[] = {
    "tokenizer.json",    "tokenizer.model",   "tokenizer_config.json",   "vocab.json",
    "merges.txt",        "added_tokens.json", "special_tokens_map.json", "chat_template.jinja",
    "chat_template.json"};

// What describes the container or the parts that are left out, not the text model.
constexpr std::string_view kDropped[] = {"_name_or_path",
                                         "vision_config",
                                         "text_config",
                                         "quantization",
                                         "quantization_config",
                                         "architectures",
                                         "model_type",
                                         "auto_map",
                                         "dtype",
                                         "torch_dtype",
                                         "rope_parameters",
                                         "mm_tokens_per_image",
                                         "image_token_index",
                                         "boi_token_index",
                                         "eoi_token_index",
                                         "_sliding_window_pattern",
                                         "transformers_version"};

void WriteJson(const fs::path& file, const Json& json, bool sorted) {
  Json::Format format;
  format.indent = sorted ? 4 : 2;
  format.sort_keys = sorted;
  format.python_style = true;
  WriteFileAtomically(file, json.Dump(format) + "\n");
}

bool IsGguf(const ModelSource& source) {
  return source.checkpoint.layout() == Checkpoint::Layout::kGguf;
}

Json EndIds(const Tokenizer& tokenizer) {
  const std::vector<int32_t>& ids = tokenizer.end_ids();
  if (ids.size() == 1) return Json(int64_t{ids[0]});
  Json list = Json::MakeArray();
  for (const int32_t id : ids) list.Append(int64_t{id});
  return list;
}

// bos, eos and pad as generation_config.json and config.json have them.
void SetIds(const Tokenizer& tokenizer, Json* json) {
  if (tokenizer.bos()) json->Set("bos_token_id", int64_t{*tokenizer.bos()});
  if (!tokenizer.end_ids().empty()) json->Set("eos_token_id", EndIds(tokenizer));
  if (tokenizer.pad()) json->Set("pad_token_id", int64_t{*tokenizer.pad()});
}

void AddUnknownKeys(const Json& from, Json* to) {
  if (!from.IsObject()) return;
  for (const auto& [key, value] : from.object()) {
    const bool dropped = std::ranges::find(kDropped, key) != std::end(kDropped);
    if (!dropped && !to->Has(key)) to->Set(key, value);
  }
}

Json FormatJson(const AffineFormat& format) {
  return Json(
      Json::Object{{"group_size", format.group_size}, {"bits", format.bits}, {"mode", "affine"}});
}

Json QuantizationJson(const std::vector<QuantisedModule>& modules) {
  std::map<std::pair<int, int>, int> counts;
  for (const QuantisedModule& m : modules) counts[{m.format.bits, m.format.group_size}] += 1;
  const auto most = std::ranges::max_element(counts, {}, [](const auto& c) { return c.second; });
  const AffineFormat common{most->first.first, most->first.second};
  Json json = FormatJson(common);
  for (const QuantisedModule& m : modules) {
    if (m.format.bits != common.bits || m.format.group_size != common.group_size) {
      json.Set(m.module, FormatJson(m.format));
    }
  }
  return json;
}

// llama3's rule (model-formats 2.4) for one frequency.
double Llama3Divisor(double wavelength, double factor, double original) {
  constexpr double kLow = 1, kHigh = 4;
  if (wavelength < original / kHigh) return 1;
  if (wavelength > original / kLow) return factor;
  const double s = (original / wavelength - kLow) / (kHigh - kLow);
  return 1 / ((1 - s) / factor + s);
}

// A GGUF of a Llama 3 holds the divisors and not the rule that made them. The rule has one shape
// and two numbers: the factor is the largest divisor, the original length a power of two.
Json FindLlama3Rule(const LayerConfig& layer, int head_dim) {
  const std::vector<float>& divisors = layer.rope_divisors;
  const double factor = std::ranges::max(divisors);
  for (int original = 16; original <= (1 << 20); original *= 2) {
    bool fits = true;
    for (size_t j = 0; j < divisors.size() && fits; ++j) {
      const double power = 2.0 * static_cast<double>(j) / head_dim;
      const double wavelength = 2 * std::numbers::pi * std::pow(layer.rope_theta, power);
      const double wanted = Llama3Divisor(wavelength, factor, original);
      fits = std::abs(divisors[j] - wanted) < 1e-4 * wanted;
    }
    if (!fits) continue;
    return Json(Json::Object{{"rope_type", "llama3"},
                             {"factor", factor},
                             {"low_freq_factor", 1.0},
                             {"high_freq_factor", 4.0},
                             {"original_max_position_embeddings", original}});
  }
  return Json();
}

Json OurConfig(const ModelConfig& given, Dtype dtype) {
  ModelConfig config = given;
  if (config.rope_scaling.IsNull() && !config.layer[0].rope_divisors.empty()) {
    config.rope_scaling = FindLlama3Rule(config.layer[0], config.head_dim);
  }
  return ToHuggingFaceConfig(config, TorchName(dtype));
}

}  // namespace

std::string_view TorchName(Dtype dtype) {
  if (dtype == Dtype::kF32) return "float32";
  return dtype == Dtype::kF16 ? "float16" : "bfloat16";
}

void WriteTokenizerFiles(const fs::path& folder, const ModelSource& source) {
  if (!IsGguf(source)) {
    for (const char* name : kTokenizerFiles) {
      const fs::path from = source.checkpoint.path() / name;
      if (fs::exists(from)) WriteFileAtomically(folder / name, ReadTextFile(from));
    }
    return;
  }
  const Tokenizer& tokenizer = source.tokenizer;
  WriteJson(folder / "tokenizer.json", tokenizer.ToTokenizerJson(), false);
  Json config = tokenizer.ToTokenizerConfig();
  if (tokenizer.chat_template()) {
    if (!config.Has("chat_template")) config.Set("chat_template", *tokenizer.chat_template());
    WriteFileAtomically(folder / "chat_template.jinja", *tokenizer.chat_template());
  }
  WriteJson(folder / "tokenizer_config.json", config, false);
}

void WriteGenerationConfig(const fs::path& folder, const ModelSource& source) {
  const fs::path file = folder / "generation_config.json";
  if (!IsGguf(source)) {
    const Json& original = source.checkpoint.generation_config();
    if (!original.IsNull()) WriteJson(file, original, false);
    return;
  }
  Json json = Json::MakeObject();
  SetIds(source.tokenizer, &json);
  WriteJson(file, json, false);
}

void WriteConfigFile(const fs::path& folder, const ModelSource& source, Dtype dtype,
                     const std::vector<QuantisedModule>& quantised) {
  Json config = OurConfig(source.config, dtype);
  if (IsGguf(source)) {
    SetIds(source.tokenizer, &config);
  } else {
    const Json& original = source.checkpoint.config();
    AddUnknownKeys(original, &config);
    if (const Json* text = original.Find("text_config")) AddUnknownKeys(*text, &config);
    const Json& generation = source.checkpoint.generation_config();
    if (const Json* eos = generation.Find("eos_token_id"); eos && !eos->IsNull()) {
      config.Set("eos_token_id", *eos);
    }
  }
  if (!quantised.empty()) {
    const Json quantization = QuantizationJson(quantised);
    config.Set("quantization", quantization);
    config.Set("quantization_config", quantization);
  }
  WriteJson(folder / "config.json", config, true);
}

}  // namespace lem
