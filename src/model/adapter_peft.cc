// SPDX-License-Identifier: EUPL-1.2
// PEFT's adapters (mlx-lm 5): a scale and a rank per module, alpha instead of scale.
#include <algorithm>
#include <cmath>
#include <map>

#include "base/atomic_file.h"
#include "base/error.h"
#include "formats/mapped_file.h"
#include "model/adapter_files.h"

namespace lem {
namespace {

constexpr std::string_view kPrefix = "base_model.model.";

// PEFT matches a pattern's key, a regular expression, as "(.*\.)?(key)$". Files in the wild hold
// names with literal or escaped dots and perhaps a leading ^; anything else is refused.
bool MatchesPattern(std::string_view key, std::string_view module, const std::string& where) {
  const std::string_view whole = key;
  const bool anchored = key.starts_with('^');
  if (anchored) key.remove_prefix(1);
  if (key.ends_with('$')) key.remove_suffix(1);
  std::string literal;  // '\0' stands for any character
  for (size_t i = 0; i < key.size(); ++i) {
    if (key[i] == '\\' && i + 1 < key.size() && key[i + 1] == '.') {
      literal += key[++i];
    } else if (std::string_view("\\^$*+?()[]{}|").find(key[i]) != std::string_view::npos) {
      Fail(where, ": the pattern \"", whole,
           "\" is a regular expression, which is not supported; "
           "write the module's name");
    } else {
      literal += key[i] == '.' ? '\0' : key[i];
    }
  }
  if (literal.size() > module.size()) return false;
  const size_t start = module.size() - literal.size();
  if (start > 0 && (anchored || module[start - 1] != '.')) return false;
  for (size_t i = 0; i < literal.size(); ++i) {
    if (literal[i] != '\0' && literal[i] != module[start + i]) return false;
  }
  return true;
}

double PatternOr(const Json* pattern, std::string_view module, double otherwise,
                 const std::string& where) {
  if (pattern == nullptr || !pattern->IsObject()) return otherwise;
  for (const auto& [key, value] : pattern->object()) {
    if (MatchesPattern(key, module, where)) return value.AsNumber(where);
  }
  return otherwise;
}

bool IsSet(const Json* value) {
  if (value == nullptr || value->IsNull()) return false;
  if (value->IsBool()) return value->boolean();
  return !(value->IsArray() || value->IsObject()) || value->size() > 0;
}

void RefuseUnsupported(const Json& keys, const std::string& where) {
  const auto refuse = [&](const char* key) {
    Fail(where, ": adapters with ", key, " are not supported; merge it with PEFT first");
  };
  const Json* type = keys.Find("peft_type");
  if (type && (!type->IsString() || type->string() != "LORA")) {
    Fail(where, ": peft_type should be LORA, found ", type->Dump());
  }
  for (const char* key :
       {"modules_to_save", "lora_bias", "fan_in_fan_out", "trainable_token_indices",
        "layer_replication", "target_parameters", "use_qalora", "alora_invocation_tokens"}) {
    if (IsSet(keys.Find(key))) refuse(key);
  }
  const Json* bias = keys.Find("bias");
  if (bias && bias->IsString() && bias->string() != "none") refuse("bias");
  // These start from a changed base model, which the adapter alone does not say.
  const Json* init = keys.Find("init_lora_weights");
  if (init && init->IsString()) {
    for (const char* name : {"pissa", "olora", "corda", "loftq", "lora_ga"}) {
      if (init->string().starts_with(name)) refuse("init_lora_weights");
    }
  }
}

struct Scales {
  double alpha = 8;
  bool root = false;  // use_rslora
  const Json* alpha_pattern = nullptr;
};

Scales ReadScales(const Json& keys, const std::string& where) {
  Scales scales;
  if (const Json* alpha = keys.Find("lora_alpha")) scales.alpha = alpha->AsNumber(where);
  scales.root = IsSet(keys.Find("use_rslora"));
  scales.alpha_pattern = keys.Find("alpha_pattern");
  return scales;
}

// A module's tensors while the file is read.
struct Parts {
  std::string path;  // without "base_model.model."
  const TensorView *a = nullptr, *b = nullptr, *magnitude = nullptr;
};

std::map<std::pair<int, Projection>, Parts> FindParts(const Safetensors& file,
                                                      const ModelConfig& config,
                                                      Offenders* offenders) {
  std::map<std::pair<int, Projection>, Parts> modules;
  for (const auto& [name, tensor] : file.tensors()) {
    std::string_view path = name;
    if (path.starts_with(kPrefix)) path.remove_prefix(kPrefix.size());
    const TensorView* Parts::*part = nullptr;
    for (const auto& [suffix, member] : {std::pair{std::string_view(".lora_A.weight"), &Parts::a},
                                         {".lora_B.weight", &Parts::b},
                                         {".lora_magnitude_vector", &Parts::magnitude},
                                         {".lora_magnitude_vector.weight", &Parts::magnitude}}) {
      if (!path.ends_with(suffix)) continue;
      path.remove_suffix(suffix.size());
      part = member;
      break;
    }
    const std::optional<LayerPath> layer = ParseLayerPath(path);
    const std::optional<Projection> projection =
        layer ? ProjectionByPath(layer->rest) : std::nullopt;
    if (part == nullptr || !projection || layer->layer < 0 || layer->layer >= config.layers) {
      offenders->Add(name, "the model has nothing of this name that can be adapted");
      continue;
    }
    Parts& parts = modules[{layer->layer, *projection}];
    parts.path = path;
    parts.*part = &tensor;
  }
  return modules;
}

bool FitsShapes(const Parts& parts, const TensorShape& shape, bool dora, Offenders* offenders) {
  if (parts.a == nullptr) return offenders->Add(parts.path + ".lora_A.weight", "missing"), false;
  if (parts.b == nullptr) return offenders->Add(parts.path + ".lora_B.weight", "missing"), false;
  if (dora && parts.magnitude == nullptr) {
    return offenders->Add(parts.path + ".lora_magnitude_vector", "missing"), false;
  }
  const int64_t rank = parts.a->shape.empty() ? 0 : parts.a->shape[0];
  const std::vector<int64_t> a = {rank, shape.in}, b = {shape.out, rank}, m = {shape.out};
  if (parts.a->shape != a || rank < 1) {
    return offenders->AddShape(parts.path + ".lora_A.weight", parts.a->shape, a), false;
  }
  if (parts.b->shape != b) {
    return offenders->AddShape(parts.path + ".lora_B.weight", parts.b->shape, b), false;
  }
  if (dora && parts.magnitude->shape != m) {
    return offenders->AddShape(parts.path + ".lora_magnitude_vector", parts.magnitude->shape, m),
           false;
  }
  return true;
}

Json PeftConfig(const AdapterShape& shape, const ModelConfig& config, int lowest_layer,
                std::string_view base_model) {
  Json targets = Json::MakeArray(), layers = Json::MakeArray();
  for (int p = 0; p < kProjections; ++p) {
    const std::string_view path = ProjectionPath(static_cast<Projection>(p));
    if (shape.keys.empty() ||
        std::find(shape.keys.begin(), shape.keys.end(), path) != shape.keys.end()) {
      targets.Append(path.substr(path.rfind('.') + 1));
    }
  }
  for (int i = lowest_layer; i < config.layers; ++i) layers.Append(i);
  Json json = Json::MakeObject();
  json.Set("alpha_pattern", Json::MakeObject());
  json.Set("base_model_name_or_path", base_model);
  json.Set("bias", "none");
  json.Set("fan_in_fan_out", false);
  json.Set("inference_mode", true);
  json.Set("init_lora_weights", true);
  json.Set("layers_pattern", "layers");
  json.Set("layers_to_transform", layers);
  json.Set("lora_alpha", double{shape.scale} * shape.rank);
  json.Set("lora_dropout", double{shape.dropout});
  json.Set("modules_to_save", nullptr);
  json.Set("peft_type", "LORA");
  json.Set("r", shape.rank);
  json.Set("rank_pattern", Json::MakeObject());
  json.Set("target_modules", targets);
  json.Set("task_type", "CAUSAL_LM");
  json.Set("use_dora", shape.type == TuneType::kDora);
  json.Set("use_rslora", false);
  return json;
}

}  // namespace

Adapter LoadPeftAdapter(const std::filesystem::path& folder, const Json& keys,
                        const ModelConfig& config) {
  const std::string where = (folder / "adapter_config.json").string();
  RefuseUnsupported(keys, where);
  const Scales scales = ReadScales(keys, where);
  const bool dora = IsSet(keys.Find("use_dora"));
  const MappedFile mapped(folder / "adapter_model.safetensors");
  const Safetensors file = Safetensors::Parse(mapped.bytes(), mapped.path());

  Offenders offenders;
  std::vector<ForeignModule> modules;
  for (const auto& [key, parts] : FindParts(file, config, &offenders)) {
    if (!FitsShapes(parts, ShapeOf(config, key.second), dora, &offenders)) continue;
    ForeignModule m{.layer = key.first,
                    .projection = key.second,
                    .scale = 1,
                    .rank = parts.a->shape[0],
                    .down = {},
                    .up = {},
                    .magnitude = {}};
    const double alpha = PatternOr(scales.alpha_pattern, parts.path, scales.alpha, where);
    const auto rank = static_cast<double>(m.rank);
    m.scale = static_cast<float>(alpha / (scales.root ? std::sqrt(rank) : rank));
    m.down = ReadFloats(*parts.a, parts.path);
    m.up = ReadFloats(*parts.b, parts.path);
    if (dora) m.magnitude = ReadFloats(*parts.magnitude, parts.path);
    modules.push_back(std::move(m));
  }
  offenders.Throw(mapped.path());
  const Json* dropout = keys.Find("lora_dropout");
  return FromModules(config, dora ? TuneType::kDora : TuneType::kLora,
                     dropout ? static_cast<float>(dropout->AsNumber(where)) : 0.0f,
                     std::move(modules), mapped.path());
}

void Adapter::SavePeft(const std::filesystem::path& folder, const ModelConfig& config,
                       std::string_view base_model) const {
  if (shape_.type == TuneType::kFull) {
    Fail(folder.string(), ": a full fine-tune is no PEFT adapter; fuse it instead");
  }
  // Multimodal models: where transformers 4.52 and newer keep the text model.
  const std::string prefix =
      std::string(kPrefix) + (config.mlx_prefix == "model." ? "model." : "model.language_model.");
  std::vector<TensorToWrite> tensors;
  const auto matrix = [&](const std::string& name, ConstMat m) {
    tensors.push_back(
        FloatTensor(name, {static_cast<int64_t>(m.rows), static_cast<int64_t>(m.cols)},
                    [m] { return std::vector<float>(m.data, m.data + m.rows * m.cols); }));
  };
  for (const AdapterModule& m : modules_) {
    const std::string name =
        prefix + HfName(m.projection, m.layer).substr(std::string_view("model.").size());
    matrix(name + ".lora_A.weight", m.down);
    matrix(name + ".lora_B.weight", m.up);
    if (m.magnitude.empty()) continue;
    const ConstVec magnitude = m.magnitude;
    tensors.push_back(
        FloatTensor(name + ".lora_magnitude_vector", {static_cast<int64_t>(magnitude.size())},
                    [=] { return std::vector<float>(magnitude.begin(), magnitude.end()); }));
  }
  WriteSafetensors(folder / "adapter_model.safetensors", tensors, {{"format", "pt"}});
  WriteFileAtomically(folder / "adapter_config.json",
                      PeftConfig(shape_, config, lowest_layer_, base_model)
                              .Dump({.indent = 2, .sort_keys = true, .python_style = true}) +
                          "\n");
}

}  // namespace lem
