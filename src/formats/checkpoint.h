// SPDX-License-Identifier: EUPL-1.2
// A model as it lies on disk: a Hugging Face or MLX folder (one safetensors file or shards), or a
// GGUF file. It knows containers, not architectures: names and meanings are model/weights.h's
// business.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf.h"
#include "formats/json.h"
#include "formats/safetensors.h"
#include "tensor/stored_matrix.h"

namespace lem {

class Checkpoint {
 public:
  enum class Layout : uint8_t { kFolder, kGguf };

  // `path`: a folder with config.json and *.safetensors, or a .gguf file (or the first of a split
  // GGUF). Throws Error that says what is missing and, for a folder, what it found instead. Cheap:
  // maps, reads headers.
  static Checkpoint Open(const std::filesystem::path& path);
  Checkpoint(Checkpoint&&) noexcept;
  Checkpoint& operator=(Checkpoint&&) noexcept;
  ~Checkpoint();

  Layout layout() const;
  const std::filesystem::path& path() const;

  // kFolder: config.json, and generation_config.json when present (null otherwise).
  const Json& config() const;
  const Json& generation_config() const;
  // kGguf: the parsed file (of a split GGUF, the first shard: the one with all metadata).
  const Gguf& gguf() const;

  // A matrix or vector by the name the container uses. For a folder, an MLX-quantised module
  // ("X.weight" with "X.scales") arrives as one kAffine matrix named "X.weight". Null when absent.
  std::optional<StoredMatrix> Find(std::string_view name) const;
  StoredMatrix Get(std::string_view name) const;  // throws Error, naming near misses
  std::vector<std::string> names() const;  // sorted; without .scales and .biases of affine modules

  uint64_t weight_bytes() const;  // bytes of all tensors
  // The files stay mapped, and what was read of them so far no longer takes memory.
  void ReleasePages() const;

  // SHA-256 over the weight files' contents (in name order) and config: what run records carry.
  std::string ContentHash() const;

 private:
  Checkpoint();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lem
