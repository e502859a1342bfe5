// SPDX-License-Identifier: EUPL-1.2
// Between model formats: what `lem convert` does. The flags and rules of mlx_lm.convert (mlx-lm
// 3.2) for folders, and GGUF in and out.
#pragma once

#include <filesystem>
#include <string>

#include "pipelines/progress.h"

namespace lem {

struct ConvertOptions {
  std::string model;                   // --hf-path, --model: folder, .gguf or catalogue name
  std::string mlx_path = "mlx_model";  // the folder to make; must not exist
  bool quantize = false, dequantize = false;
  int q_bits = 0;        // 0: 4, the default of the affine mode
  int q_group_size = 0;  // 0: 64
  std::string q_mode = "affine";
  std::string quant_predicate;  // mixed_2_6, mixed_3_4, mixed_3_6, mixed_4_6; empty: uniform
  std::string dtype;            // float16, bfloat16, float32; empty: by config.json, else as stored
  std::string gguf;             // a .gguf file to write instead of a folder
  std::string gguf_type = "f16";  // f32, f16, bf16, q8_0, q4_0
};

struct ConvertResult {
  std::filesystem::path output;
  std::string dtype;  // of plain weights
  double bits_per_weight = 0;
  uint64_t bytes = 0;
  int64_t parameters = 0;
};

ConvertResult Convert(const ConvertOptions& options, Progress& progress);

}  // namespace lem
