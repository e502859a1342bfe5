// SPDX-License-Identifier: EUPL-1.2
// Adapters between the formats of MLX, PEFT and llama.cpp: what `lem adapter` does.
#pragma once

#include <filesystem>
#include <string>

#include "model/adapter.h"

namespace lem {

struct AdapterConvertOptions {
  std::string model;         // whose shapes the adapter must fit
  std::string adapter_path;  // a folder (MLX or PEFT) or a .gguf file
  std::string format;        // mlx, peft or gguf
  std::string output;        // a folder, or for gguf a file
};

struct AdapterConvertResult {
  std::filesystem::path output;
  AdapterShape shape;
  size_t modules = 0;
};

AdapterConvertResult ConvertAdapter(const AdapterConvertOptions& options);

}  // namespace lem
