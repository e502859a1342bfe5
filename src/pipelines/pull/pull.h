// SPDX-License-Identifier: EUPL-1.2
// Gets a model: from the catalogue, a hub repository or a URL; resumes and verifies.
#pragma once

#include <filesystem>
#include <string>

#include "pipelines/progress.h"

namespace lem {

struct PullOptions {
  std::string name;          // catalogue name | hf:org/name[@revision] | http(s) URL of a .gguf
  std::filesystem::path to;  // empty: the store
};

struct PullResult {
  std::filesystem::path path;
  std::string sha256;  // of a single file; empty for folders
  std::string source;  // where it came from, or "already there"
  std::string licence;
  uint64_t bytes = 0;
};

// Tries the sources in order; one that cannot be reached gives way to the next, with a warning.
// Throws Error when none works.
PullResult Pull(const PullOptions& options, Progress& progress);

}  // namespace lem
