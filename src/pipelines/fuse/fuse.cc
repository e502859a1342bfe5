// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/fuse/fuse.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "pipelines/fuse/fused_rows.h"
#include "pipelines/fuse/model_card.h"
#include "pipelines/fuse/survival.h"
#include "pipelines/loaded_model.h"
#include "pipelines/model_config_files.h"
#include "pipelines/model_files.h"

namespace lem {
namespace fs = std::filesystem;
namespace {

constexpr double kWarnBelow = 0.5;

Dtype FusedDtype(const FuseOptions& options, const WeightMap& weights) {
  if (options.dtype.empty()) return NaturalDtype(weights.blocks[0].projection[0]);
  if (options.dtype == "float16") return Dtype::kF16;
  if (options.dtype == "bfloat16") return Dtype::kBF16;
  if (options.dtype == "float32") return Dtype::kF32;
  FailUsage("--dtype: expected float16, bfloat16 or float32, found ", options.dtype);
}

std::optional<AffineFormat> BaseFormat(const ModelTensor& tensor) {
  if (tensor.source.kind != StoredMatrix::Kind::kAffine) return {};
  return tensor.source.affine;
}

// "4 bit, groups of 64" when modules are quantised, else the plain type.
std::string Describe(const std::vector<ModelTensor>& tensors, bool quantised, Dtype dtype) {
  const auto affine = std::ranges::find_if(tensors, [](const ModelTensor& t) {
    return t.source.kind == StoredMatrix::Kind::kAffine && t.role == ModelTensor::Role::kProjection;
  });
  if (!quantised || affine == tensors.end()) return std::string(TorchName(dtype));
  return fmt::format("{} bit, groups of {}", affine->source.affine.bits,
                     affine->source.affine.group_size);
}

GgmlType ExportType(const std::string& name) {
  const auto type = GgmlTypeByName(name);
  if (!type) FailUsage("--gguf-type: expected f32, f16, bf16, q8_0 or q4_0, found ", name);
  return *type;
}

void WarnAboutLosses(const FuseResult& result, bool quantised, Progress& progress) {
  size_t below = 0;
  const FusedModule* worst = nullptr;
  for (const FusedModule& module : result.modules) {
    if (!module.survival || *module.survival >= kWarnBelow) continue;
    below += 1;
    if (!worst || *module.survival < *worst->survival) worst = &module;
  }
  if (!worst) return;
  progress.Warn(fmt::format(
      "{} of {} modules keep less than half of the adapter's change after rounding to {} (lowest: "
      "{} with {:.0f} %); {}",
      below, result.modules.size(), result.format, worst->name, 100 * *worst->survival,
      quantised ? "use --dequantize, or leave the adapter unfused (--adapter-path)"
                : "use --dtype float32, or leave the adapter unfused (--adapter-path)"));
}

void Summarise(FuseResult* result) {
  double sum = 0;
  int64_t count = 0;
  for (const FusedModule& module : result->modules) {
    if (!module.survival) continue;
    sum += *module.survival;
    count += 1;
    result->lowest_survival = std::min(result->lowest_survival.value_or(1e300), *module.survival);
  }
  if (count > 0) result->mean_survival = sum / static_cast<double>(count);
}

}  // namespace

FuseResult Fuse(const FuseOptions& options, Progress& progress) {
  const fs::path path = ResolveModel(options.model);
  const Checkpoint checkpoint = Checkpoint::Open(path);
  const Tokenizer tokenizer = Tokenizer::Load(path);
  const ModelConfig config = ReadModelConfig(checkpoint);
  const WeightMap weights = WeightMap::Locate(checkpoint, config);
  const Adapter adapter = Adapter::Load(options.adapter_path, config);
  std::vector<ModelTensor> tensors = ListTensors(config, weights);
  ReplaceFused(adapter, &tensors);
  const ModelSource source{checkpoint, tokenizer, config};

  FolderFormat format;
  format.dtype = FusedDtype(options, weights);
  const bool quantised = !options.dequantize;
  if (quantised) format.quantise = BaseFormat;
  FuseResult result;
  result.folder = options.save_path;
  result.format = Describe(tensors, quantised, format.dtype);
  if (checkpoint.layout() == Checkpoint::Layout::kGguf) {
    progress.Note("the base is a GGUF file; the fused model is a folder in " + result.format +
                  " (--export-gguf writes a GGUF as well)");
  }
  WriteModelFolder(options.save_path, source, tensors, format, progress);
  result.modules = MeasureSurvival(options.save_path, config, tensors, progress);
  Summarise(&result);
  WarnAboutLosses(result, result.format.find("bit") != std::string::npos, progress);
  if (options.export_gguf) {
    result.gguf_file = fs::path(options.save_path) / options.gguf_path;
    WriteModelGguf(result.gguf_file, source, tensors, ExportType(options.gguf_type),
                   fs::path(options.save_path).filename().string(), progress);
  }
  WriteModelCard(options, checkpoint, adapter, result);
  return result;
}

}  // namespace lem
