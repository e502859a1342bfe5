// SPDX-License-Identifier: EUPL-1.2
// Reads and writes the safetensors format: 8 bytes of header length (little-endian), a JSON header,
// data (model-formats 8; MLX's dialect, mlx-lm 3.4: no header padding, __metadata__ may be null).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/dtype.h"

namespace lem {

struct TensorView {
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;  // into the file; may be unaligned
};

class Safetensors {
 public:
  // Views point into `file`, which the caller keeps alive. `name` is for messages. Throws Error if
  // any byte of the format's promises is broken: lengths, holes, overlaps, duplicate keys, sizes
  // against shapes.
  static Safetensors Parse(std::span<const std::byte> file, std::string name);

  const TensorView& Get(std::string_view tensor) const;   // throws Error, naming near misses
  const TensorView* Find(std::string_view tensor) const;  // null if absent
  const std::map<std::string, TensorView, std::less<>>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::map<std::string, TensorView, std::less<>> tensors_;
  std::map<std::string, std::string> metadata_;
};

// A tensor to be written: its bytes are produced when the file gets to it, so that a model larger
// than memory streams through. `write` is called once with a sink that takes exactly the bytes
// dtype and shape need.
struct TensorToWrite {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;
  std::function<void(const std::function<void(std::span<const std::byte>)>& sink)> write;
};

// One file, atomically. Tensors keep the order given. metadata may be empty.
void WriteSafetensors(const std::filesystem::path& path, const std::vector<TensorToWrite>& tensors,
                      const std::map<std::string, std::string>& metadata);

// model.safetensors, or shards of at most shard_bytes (5 * 2^30 as mlx-lm does), and always
// model.safetensors.index.json. `parameters` is written as metadata.total_parameters.
void WriteShardedSafetensors(const std::filesystem::path& folder,
                             const std::vector<TensorToWrite>& tensors,
                             const std::map<std::string, std::string>& metadata, int64_t parameters,
                             uint64_t shard_bytes = uint64_t{5} << 30);

}  // namespace lem
