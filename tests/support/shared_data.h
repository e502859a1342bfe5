// SPDX-License-Identifier: EUPL-1.2
// Where tests find other people's data, which is never committed: $LEM_TEST_DATA, else ../shared
// beside the repository. Tests skip, and say so, when it is absent.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace lem::testing {

inline std::filesystem::path SharedData() {
  if (const char* folder = std::getenv("LEM_TEST_DATA"); folder && *folder) return folder;
  return std::filesystem::path(LEM_SOURCE_DIR).parent_path() / "shared";
}

// The path when it exists, else empty.
inline std::filesystem::path FindSharedData(const std::filesystem::path& relative) {
  const auto path = SharedData() / relative;
  return std::filesystem::exists(path) ? path : std::filesystem::path();
}

}  // namespace lem::testing
