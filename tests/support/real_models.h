// SPDX-License-Identifier: EUPL-1.2
// Where the two default models lie, when they are there: $LEM_TEST_MODELS, $LEM_HOME/models, or
// ~/.cache/lem/models.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace lem::testing {

inline constexpr const char* kSmolLm2File = "smollm2-135m-instruct.q4_1.gguf";
inline constexpr const char* kGemma3File = "gemma-3-270m.q4_k_m.gguf";

// Empty when the file is nowhere.
inline std::filesystem::path FindRealModel(const std::string& file) {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::filesystem::path(value ? value : "");
  };
  std::vector<std::filesystem::path> folders;
  if (const auto models = variable("LEM_TEST_MODELS"); !models.empty()) folders.push_back(models);
  if (const auto home = variable("LEM_HOME"); !home.empty()) folders.push_back(home / "models");
  if (const auto home = variable("HOME"); !home.empty()) {
    folders.push_back(home / ".cache" / "lem" / "models");
  }
  for (const auto& folder : folders) {
    if (std::filesystem::exists(folder / file)) return folder / file;
  }
  return {};
}

}  // namespace lem::testing
