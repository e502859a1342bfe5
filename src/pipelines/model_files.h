// SPDX-License-Identifier: EUPL-1.2
// Writing a model: as a Hugging Face or MLX folder, or as one GGUF file. Tensor by tensor, so that
// a model larger than memory streams through. fuse and convert share it.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "model/config.h"
#include "model/weights.h"
#include "pipelines/progress.h"
#include "tokenizer/tokenizer.h"

namespace lem {

// One tensor to be written: where its numbers come from and what it is called.
struct ModelTensor {
  enum class Role : uint8_t { kEmbedding, kHead, kProjection, kBias, kNorm };
  Role role = Role::kProjection;
  int layer = -1;  // of projections, biases and block norms
  Projection projection = Projection::kQ;
  NormSlot norm = NormSlot::kAttentionIn;  // of block norms
  std::string hf_name, gguf_name;          // with ".weight" or ".bias"
  StoredMatrix source;                     // norms: gains
  int64_t rows = 0, cols = 0;              // a vector has one row
  // When set: row r in float32 instead of the source's (norms: gains).
  std::function<void(int64_t row, Vec out)> replace;
  // GGUF's llama: rows are written so that rotation pairs are adjacent, in this many heads.
  int pair_heads = 0;
  // Gemma's folders hold gain - 1.
  bool folder_minus_one = false;

  bool is_vector() const { return role == Role::kBias || role == Role::kNorm; }
  // MLX's module path: hf_name without ".weight".
  std::string module() const;
};

// Every tensor of the text model in the order of its modules: embedding, blocks, final norm, head.
std::vector<ModelTensor> ListTensors(const ModelConfig& config, const WeightMap& weights);

// Where a model that is written anew comes from.
struct ModelSource {
  const Checkpoint& checkpoint;
  const Tokenizer& tokenizer;
  const ModelConfig& config;
};

struct FolderFormat {
  Dtype dtype = Dtype::kBF16;  // F32, F16 or BF16; of affine modules: their scales and biases
  // Affine format of a matrix; nothing: plain. Not asked for vectors.
  std::function<std::optional<AffineFormat>(const ModelTensor&)> quantise;
  AffineRule rule = AffineRule::kMetal;
};

// Weights, config.json, generation_config.json and tokenizer. Weight files of an earlier model in
// the folder are removed first; config.json is written last, so that a folder cut short is no
// model. Throws Error if the folder is the source itself.
void WriteModelFolder(const std::filesystem::path& folder, const ModelSource& source,
                      const std::vector<ModelTensor>& tensors, const FolderFormat& format,
                      Progress& progress);

// The type a plain weight has in its file: F32, F16 or BF16; affine: that of its scales; GGUF
// blocks: BF16.
Dtype NaturalDtype(const StoredMatrix& matrix);

// One GGUF file. `type` is that of matrices; vectors are F32. Q4_0 keeps embedding and head in
// Q8_0; rows that are no multiple of a block are F16.
void WriteModelGguf(const std::filesystem::path& file, const ModelSource& source,
                    const std::vector<ModelTensor>& tensors, GgmlType type, std::string_view name,
                    Progress& progress);

}  // namespace lem
