// SPDX-License-Identifier: EUPL-1.2
// An adapter into its base model: what `lem fuse` does. The flags of mlx_lm.fuse (mlx-lm 3.1); and
// it measures, in the file it wrote, how much of the adapter's change is still there.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipelines/progress.h"

namespace lem {

struct FuseOptions {
  std::string model;
  std::string adapter_path = "adapters";
  std::string save_path = "fused_model";
  bool dequantize = false;
  std::string dtype;  // float16, bfloat16, float32; empty: the base's own
  bool export_gguf = false;
  std::string gguf_path = "ggml-model-f16.gguf";  // relative to save_path
  std::string gguf_type = "f16";                  // f32, f16, bf16, q8_0, q4_0
  // README.md: a template with {{placeholders}}, empty: a short one; values for placeholders that
  // only the caller knows.
  std::string card_template;
  std::map<std::string, std::string> card_values;
};

struct FusedModule {
  std::string name;   // "model.layers.3.self_attn.q_proj"
  double change = 0;  // |delta| / |W|, Frobenius
  // <W'stored - W, delta> / <delta, delta>, absent when the adapter changes nothing here.
  std::optional<double> survival;
};

struct FuseResult {
  std::filesystem::path folder, gguf_file;  // gguf_file empty unless exported
  std::string format;                       // "bfloat16", "4 bit, groups of 64"
  std::vector<FusedModule> modules;
  std::optional<double> lowest_survival, mean_survival;
};

// Warns through `progress` when a module keeps less than half of its change, and when a GGUF base
// is written as a bfloat16 folder.
FuseResult Fuse(const FuseOptions& options, Progress& progress);

}  // namespace lem
