// SPDX-License-Identifier: EUPL-1.2
// Which files of a folder are its model's weights, and what to say when none are.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace lem {

struct WeightFiles {
  std::vector<std::filesystem::path> files;          // in name order
  std::map<std::string, std::string> expected_file;  // tensor -> file name, where an index says so
};

// Throws Error that says what a model folder holds and what this one holds instead.
void RequireModelFolder(const std::filesystem::path& folder);

// model.safetensors; else the shards of model.safetensors.index.json; else every
// model*.safetensors, as mlx-lm loads them. Throws Error if a shard is missing.
WeightFiles FindWeightFiles(const std::filesystem::path& folder);

// Throws Error unless all parts of model-0000k-of-0000n.safetensors are there.
void RequireAllParts(const std::filesystem::path& folder, const std::vector<std::string>& names);

// File names in the folder, sorted; at most a few thousand.
std::vector<std::string> FileNames(const std::filesystem::path& folder);

}  // namespace lem
