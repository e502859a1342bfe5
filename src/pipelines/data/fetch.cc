// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/data/fetch.h"

#include <algorithm>
#include <set>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/http.h"
#include "base/stop.h"

namespace lem {
namespace fs = std::filesystem;

namespace {

bool Stands(const DataFile& file, const std::string& name) {
  return name == "all" || name == file.set || name == file.path;
}

std::string KnownNames(std::span<const DataFile> catalogue) {
  std::string names = "all";
  std::set<std::string> sets;
  for (const DataFile& file : catalogue) {
    if (sets.insert(file.set).second) names += ", " + file.set;
  }
  return names;
}

// Copies after checking, so that a wrong file never stands under a right name.
std::string CopyFrom(const fs::path& source, const DataFile& file, const fs::path& target) {
  const std::string text = ReadTextFile(source);
  if (const std::string found = Sha256Hex(text); found != file.sha256) {
    Fail(source.string(), ": expected SHA-256 ", file.sha256, ", found ", found);
  }
  WriteFileAtomically(target, text);
  return source.string();
}

std::string DownloadFrom(const DataFile& file, const fs::path& target, Progress& progress) {
  if (file.urls.empty()) {
    Fail(file.path,
         ": this file is at no public address; get it from somebody who has it and give "
         "its folder with --from");
  }
  std::string problems;
  for (const std::string& url : file.urls) {
    try {
      progress.Begin(file.path, file.bytes, "B");
      HttpRequest request;
      request.url = url;
      Download(request, target, file.sha256,
               [&](uint64_t done, uint64_t) { progress.Update(static_cast<int64_t>(done)); });
      progress.End();
      return url;
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& e) {
      progress.End();
      problems += (problems.empty() ? "" : "; ") + std::string(e.what());
    }
  }
  throw Error(problems);
}

FetchedFile FetchOne(const DataFile& file, const FetchOptions& options, Progress& progress) {
  const fs::path target = options.to / file.path;
  try {
    switch (StateOf(file, options.to)) {
      case DataState::kVerified:
        return {file.path, "already there", ""};
      case DataState::kDifferent:
        Fail(target.string(), ": expected SHA-256 ", file.sha256,
             ", found another file of that name; move it away and run again");
      case DataState::kAbsent:
        break;
    }
    const std::string source = options.from.empty()
                                   ? DownloadFrom(file, target, progress)
                                   : CopyFrom(options.from / file.path, file, target);
    return {file.path, source, ""};
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& e) {
    return {file.path, "", e.what()};
  }
}

}  // namespace

std::string_view NameOf(DataState state) {
  switch (state) {
    case DataState::kAbsent:
      return "absent";
    case DataState::kVerified:
      return "verified";
    case DataState::kDifferent:
      return "different";
  }
  return "";
}

DataState StateOf(const DataFile& file, const fs::path& folder) {
  const fs::path path = folder / file.path;
  if (!fs::exists(path)) return DataState::kAbsent;
  return Sha256File(path) == file.sha256 ? DataState::kVerified : DataState::kDifferent;
}

std::vector<DataFile> FindDataFiles(std::span<const DataFile> catalogue,
                                    const std::vector<std::string>& names) {
  std::vector<DataFile> files;
  for (const std::string& name : names) {
    const size_t before = files.size();
    bool known = false;
    for (const DataFile& file : catalogue) {
      if (!Stands(file, name)) continue;
      known = true;
      const bool listed = std::ranges::any_of(
          files, [&](const DataFile& other) { return other.path == file.path; });
      if (!listed) files.push_back(file);
    }
    if (!known && files.size() == before) {
      FailUsage(name, ": expected the name of a data set or of one of its files, one of ",
                KnownNames(catalogue), "; `lem data fetch --list` shows them");
    }
  }
  return files;
}

std::vector<FetchedFile> FetchData(const FetchOptions& options, Progress& progress) {
  std::vector<FetchedFile> fetched;
  for (const DataFile& file : options.files) {
    if (StopRequested()) {
      throw Interrupted("interrupted; what was fetched is kept, run again to continue");
    }
    fetched.push_back(FetchOne(file, options, progress));
  }
  return fetched;
}

}  // namespace lem
