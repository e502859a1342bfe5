// SPDX-License-Identifier: EUPL-1.2
// The small files of a model folder: config.json, generation_config.json and the tokenizer's.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pipelines/model_files.h"

namespace lem {

struct QuantisedModule {
  std::string module;
  AffineFormat format;
};

// The originals are copied when the source is a folder; from a GGUF they are made.
void WriteTokenizerFiles(const std::filesystem::path& folder, const ModelSource& source);
void WriteGenerationConfig(const std::filesystem::path& folder, const ModelSource& source);

// Our own description of the text model, with every key of the source's configuration that it does
// not speak of. `quantised`: written as MLX writes it, with an entry for every module that differs
// from the most common format.
void WriteConfigFile(const std::filesystem::path& folder, const ModelSource& source, Dtype dtype,
                     const std::vector<QuantisedModule>& quantised);

std::string_view TorchName(Dtype dtype);  // "bfloat16"

}  // namespace lem
