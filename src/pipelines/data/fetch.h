// SPDX-License-Identifier: EUPL-1.2
// Benchmark files that are other people's: where they are, what their SHA-256 is, and bringing
// them into the data folder. None of them is part of the program.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/progress.h"

namespace lem {

struct DataFile {
  std::string set;   // gsm8k, truthfulqa, do-not-answer, toxigen
  std::string path;  // in the data folder
  std::string sha256;
  int64_t bytes = 0;
  std::vector<std::string> urls;  // tried in order; empty: only --from has it
  std::string licence;
};

std::span<const DataFile> DataCatalogue();

// Files that a name stands for: a set, a path, or "all". Throws UsageError with the known names.
std::vector<DataFile> FindDataFiles(std::span<const DataFile> catalogue,
                                    const std::vector<std::string>& names);

struct FetchOptions {
  std::vector<DataFile> files;
  std::filesystem::path from;  // a folder to copy from instead; empty: the network
  std::filesystem::path to;    // the data folder
};

struct FetchedFile {
  std::string path, source;  // source: a URL, a path, or "already there"
  std::string problem;       // why it could not be had; then source is empty
};

// Every file is there with the right hash afterwards, or has its problem said. A file of another
// hash that is in the way is refused, not replaced. Continues partial downloads. Throws
// Interrupted.
std::vector<FetchedFile> FetchData(const FetchOptions& options, Progress& progress);

enum class DataState : uint8_t { kAbsent, kVerified, kDifferent };
std::string_view NameOf(DataState state);
DataState StateOf(const DataFile& file, const std::filesystem::path& folder);

}  // namespace lem
