// SPDX-License-Identifier: EUPL-1.2
// The writer: sizes are known before the first byte, so the header goes first and the data streams
// after it.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>

#include "base/atomic_file.h"
#include "base/check.h"
#include "base/error.h"
#include "formats/json.h"
#include "formats/model_folder.h"
#include "formats/safetensors.h"
#include "tensor/shape.h"

namespace lem {
namespace {

namespace fs = std::filesystem;
using Tensors = std::span<const TensorToWrite>;

uint64_t BytesOf(const TensorToWrite& tensor) {
  const auto count = CountElements(tensor.shape);
  LEM_CHECK(count);
  return static_cast<uint64_t>(*count) * SizeOf(tensor.dtype);
}

Json ShapeJson(const std::vector<int64_t>& shape) {
  Json json = Json::MakeArray();
  for (const int64_t size : shape) json.Append(size);
  return json;
}

std::string HeaderText(Tensors tensors, const std::map<std::string, std::string>& metadata) {
  Json::Object header;
  if (!metadata.empty()) {
    Json::Object members(metadata.begin(), metadata.end());
    header.emplace_back("__metadata__", Json(std::move(members)));
  }
  uint64_t offset = 0;
  for (const TensorToWrite& tensor : tensors) {
    const uint64_t end = offset + BytesOf(tensor);
    Json entry = Json::MakeObject();
    entry.Set("dtype", std::string(NameOf(tensor.dtype)));
    entry.Set("shape", ShapeJson(tensor.shape));
    entry.Set("data_offsets", Json::Array{Json(offset), Json(end)});
    header.emplace_back(tensor.name, std::move(entry));
    offset = end;
  }
  std::string text = Json(std::move(header)).Dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the data begins at a multiple of 8
  return text;
}

void RequireDistinctNames(const fs::path& path, Tensors tensors) {
  std::set<std::string_view> names;
  for (const TensorToWrite& tensor : tensors) {
    if (tensor.name == "__metadata__" || !names.insert(tensor.name).second) {
      Fail(path.string(), ": cannot write the tensor name ", tensor.name, " twice or as a tensor");
    }
  }
}

void WriteOne(const fs::path& path, Tensors tensors,
              const std::map<std::string, std::string>& metadata) {
  AtomicFile file(path);
  const std::string header = HeaderText(tensors, metadata);
  const uint64_t size = header.size();
  file.Write(std::as_bytes(std::span(&size, 1)));
  file.Write(header);
  for (const TensorToWrite& tensor : tensors) {
    const uint64_t end = file.size() + BytesOf(tensor);
    tensor.write([&](std::span<const std::byte> bytes) {
      LEM_CHECK(bytes.size() <= end - file.size());
      file.Write(bytes);
    });
    LEM_CHECK(file.size() == end);
  }
  file.Commit();
}

// A new shard starts when adding the next tensor would exceed the limit, as in mlx-lm.
std::vector<Tensors> Split(Tensors tensors, uint64_t limit) {
  std::vector<Tensors> shards;
  size_t begin = 0;
  uint64_t bytes = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const uint64_t own = BytesOf(tensors[i]);
    if (i > begin && bytes + own > limit) {
      shards.push_back(tensors.subspan(begin, i - begin));
      begin = i;
      bytes = 0;
    }
    bytes += own;
  }
  shards.push_back(tensors.subspan(begin));
  return shards;
}

std::string ShardName(size_t shard, size_t shards) {
  if (shards == 1) return "model.safetensors";
  char name[64];
  std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", shard + 1, shards);
  return name;
}

// MLX loads every model*.safetensors of a folder, so a leftover would become part of this model.
void RefuseLeftovers(const fs::path& folder, const std::set<std::string>& own) {
  if (!fs::exists(folder)) return;
  for (const std::string& name : FileNames(folder)) {
    if (name.starts_with("model") && name.ends_with(".safetensors") && !own.contains(name)) {
      Fail(
          folder.string(), ": already holds ", name,
          ", which would be loaded as a part of the new model; remove it or choose another folder");
    }
  }
}

}  // namespace

void WriteSafetensors(const fs::path& path, const std::vector<TensorToWrite>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  RequireDistinctNames(path, tensors);
  WriteOne(path, tensors, metadata);
}

void WriteShardedSafetensors(const fs::path& folder, const std::vector<TensorToWrite>& tensors,
                             const std::map<std::string, std::string>& metadata, int64_t parameters,
                             uint64_t shard_bytes) {
  RequireDistinctNames(folder, tensors);
  const std::vector<Tensors> shards = Split(tensors, shard_bytes);
  std::set<std::string> files;
  for (size_t i = 0; i < shards.size(); ++i) files.insert(ShardName(i, shards.size()));
  RefuseLeftovers(folder, files);
  Json::Object map;
  uint64_t total = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = ShardName(i, shards.size());
    WriteOne(folder / name, shards[i], metadata);
    for (const TensorToWrite& tensor : shards[i]) {
      map.emplace_back(tensor.name, name);
      total += BytesOf(tensor);
    }
  }
  Json index;
  index.Set("metadata",
            Json::Object{{"total_size", Json(total)}, {"total_parameters", Json(parameters)}});
  std::sort(map.begin(), map.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  index.Set("weight_map", std::move(map));
  WriteFileAtomically(folder / "model.safetensors.index.json",
                      index.Dump(Json::Format{.indent = 4, .python_style = true}));
}

}  // namespace lem
