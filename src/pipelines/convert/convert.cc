// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/convert/convert.h"

#include <algorithm>

#include "base/error.h"
#include "pipelines/loaded_model.h"
#include "pipelines/model_config_files.h"
#include "pipelines/model_files.h"

namespace lem {
namespace fs = std::filesystem;
namespace {

std::optional<Dtype> DtypeByName(std::string_view name) {
  if (name == "float16") return Dtype::kF16;
  if (name == "bfloat16") return Dtype::kBF16;
  if (name == "float32") return Dtype::kF32;
  return {};
}

// --dtype, else what the configuration says of the checkpoint, else the type of its weights.
Dtype ChooseDtype(const ConvertOptions& options, const Checkpoint& checkpoint,
                  const WeightMap& weights) {
  if (!options.dtype.empty()) {
    const auto dtype = DtypeByName(options.dtype);
    if (!dtype) {
      FailUsage("--dtype: expected float16, bfloat16 or float32, found ", options.dtype);
    }
    return *dtype;
  }
  if (checkpoint.layout() == Checkpoint::Layout::kFolder) {
    const Json& config = checkpoint.config();
    const Json* named = config.Find("torch_dtype");
    if (!named) {
      if (const Json* text = config.Find("text_config")) named = text->Find("dtype");
    }
    if (named && named->IsString()) {
      if (const auto dtype = DtypeByName(named->string())) return *dtype;
    }
  }
  return NaturalDtype(weights.blocks[0].projection[0]);
}

struct Mixed {
  std::string_view name;
  int low, high;
};
constexpr Mixed kMixed[] = {
    {"mixed_2_6", 2, 6}, {"mixed_3_4", 3, 4}, {"mixed_3_6", 3, 6}, {"mixed_4_6", 4, 6}};

// The layers at both ends and every third between keep more of v_proj and down_proj.
bool IsSensitive(const ModelTensor& tensor, int layers) {
  if (tensor.role == ModelTensor::Role::kHead) return true;
  if (tensor.role != ModelTensor::Role::kProjection) return false;
  if (tensor.projection != Projection::kV && tensor.projection != Projection::kDown) return false;
  const int i = tensor.layer, eighth = layers / 8;
  return i < eighth || i >= 7 * layers / 8 || (i - eighth) % 3 == 2;
}

using Quantise = std::function<std::optional<AffineFormat>(const ModelTensor&)>;

Quantise QuantiseAll(const ConvertOptions& options, int layers) {
  if (options.q_mode != "affine") {
    FailUsage("--q-mode: expected affine, found ", options.q_mode, "; mxfp4, nvfp4 and mxfp8 ",
              "cannot be written");
  }
  AffineFormat format;
  if (options.q_bits != 0) format.bits = options.q_bits;
  if (options.q_group_size != 0) format.group_size = options.q_group_size;
  if (format.bits < 2 || format.bits > 8 || format.bits == 7) {
    FailUsage("--q-bits: expected 2, 3, 4, 5, 6 or 8, found ", format.bits);
  }
  if (format.group_size != 32 && format.group_size != 64 && format.group_size != 128) {
    FailUsage("--q-group-size: expected 32, 64 or 128, found ", format.group_size);
  }
  const Mixed* mixed = nullptr;
  if (!options.quant_predicate.empty()) {
    mixed = std::ranges::find(kMixed, options.quant_predicate, &Mixed::name);
    if (mixed == std::end(kMixed)) {
      FailUsage("--quant-predicate: expected mixed_2_6, mixed_3_4, mixed_3_6 or mixed_4_6, found ",
                options.quant_predicate);
    }
  }
  return [format, mixed, layers](const ModelTensor& tensor) -> std::optional<AffineFormat> {
    if (tensor.cols % format.group_size != 0) return {};
    AffineFormat chosen = format;
    if (mixed) chosen.bits = IsSensitive(tensor, layers) ? mixed->high : mixed->low;
    return chosen;
  };
}

// What is quantised stays as it is.
std::optional<AffineFormat> KeepFormat(const ModelTensor& tensor) {
  if (tensor.source.kind != StoredMatrix::Kind::kAffine) return {};
  return tensor.source.affine;
}

uint64_t WeightBytes(const fs::path& output) {
  if (fs::is_regular_file(output)) return fs::file_size(output);
  uint64_t bytes = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(output)) {
    if (entry.path().extension() == ".safetensors") bytes += entry.file_size();
  }
  return bytes;
}

void CheckOptions(const ConvertOptions& options, const fs::path& output) {
  if (options.quantize && options.dequantize) {
    FailUsage("-q and -d: expected one of them, found both");
  }
  if (!options.gguf.empty() && options.quantize) {
    FailUsage("-q: it makes an MLX folder; for a quantised GGUF use --gguf-type q8_0 or q4_0");
  }
  if (fs::exists(output)) {
    Fail(output.string(), ": expected a name that is free, found ",
         fs::is_directory(output) ? "a folder" : "a file", "; remove it or choose another ",
         options.gguf.empty() ? "--mlx-path" : "--gguf");
  }
}

GgmlType GgufTypeByName(const std::string& name) {
  const auto type = GgmlTypeByName(name);
  const bool known =
      type && (*type == GgmlType::kF32 || *type == GgmlType::kF16 || *type == GgmlType::kBF16 ||
               *type == GgmlType::kQ8_0 || *type == GgmlType::kQ4_0);
  if (!known) FailUsage("--gguf-type: expected f32, f16, bf16, q8_0 or q4_0, found ", name);
  return *type;
}

}  // namespace

ConvertResult Convert(const ConvertOptions& options, Progress& progress) {
  ConvertResult result;
  result.output = options.gguf.empty() ? options.mlx_path : options.gguf;
  CheckOptions(options, result.output);
  const GgmlType gguf_type = GgufTypeByName(options.gguf_type);
  const fs::path path = ResolveModel(options.model);
  progress.Note("[INFO] Loading");
  const Checkpoint checkpoint = Checkpoint::Open(path);
  const Tokenizer tokenizer = Tokenizer::Load(path);
  const ModelConfig config = ReadModelConfig(checkpoint);
  const WeightMap weights = WeightMap::Locate(checkpoint, config);
  const std::vector<ModelTensor> tensors = ListTensors(config, weights);
  for (const ModelTensor& tensor : tensors) result.parameters += tensor.rows * tensor.cols;
  const ModelSource source{checkpoint, tokenizer, config};

  if (!options.gguf.empty()) {
    result.dtype = options.gguf_type;
    WriteModelGguf(result.output, source, tensors, gguf_type, path.stem().string(), progress);
  } else {
    FolderFormat format;
    format.dtype = ChooseDtype(options, checkpoint, weights);
    result.dtype = TorchName(format.dtype);
    progress.Note("[INFO] Using dtype: " + result.dtype);
    if (options.quantize) {
      progress.Note("[INFO] Quantizing");
      format.quantise = QuantiseAll(options, config.layers);
    } else if (options.dequantize) {
      progress.Note("[INFO] Dequantizing");
    } else {
      format.quantise = KeepFormat;
    }
    WriteModelFolder(result.output, source, tensors, format, progress);
  }
  result.bytes = WeightBytes(result.output);
  result.bits_per_weight =
      8 * static_cast<double>(result.bytes) / static_cast<double>(result.parameters);
  return result;
}

}  // namespace lem
