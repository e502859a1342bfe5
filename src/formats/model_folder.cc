// SPDX-License-Identifier: EUPL-1.2
#include "formats/model_folder.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <system_error>

#include "base/error.h"
#include "formats/json.h"

namespace lem {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostNames = 4096;

bool IsOneOf(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<std::string> Ending(const std::vector<std::string>& names, std::string_view end) {
  std::vector<std::string> found;
  for (const std::string& name : names) {
    if (name.ends_with(end)) found.push_back(name);
  }
  return found;
}

std::string Listed(const std::vector<std::string>& names) {
  if (names.empty()) return "no files";
  std::string text;
  for (size_t i = 0; i < names.size() && i < 8; ++i) text += (i ? ", " : "") + names[i];
  return names.size() > 8 ? text + " and " + std::to_string(names.size() - 8) + " more" : text;
}

// What the user probably meant to name.
std::string Advice(const fs::path& folder, const std::vector<std::string>& names) {
  if (const auto gguf = Ending(names, ".gguf"); !gguf.empty()) {
    return "; name the GGUF file itself, for example " + (folder / gguf[0]).string();
  }
  if (IsOneOf(names, "adapters.safetensors") || IsOneOf(names, "adapter_config.json")) {
    return "; this is an adapter: give it with --adapter-path and its base model with --model";
  }
  if (IsOneOf(names, "snapshots")) {
    return "; this is a Hugging Face cache entry: name the folder inside snapshots/ that holds "
           "config.json";
  }
  if (!Ending(names, ".bin").empty() || !Ending(names, ".pt").empty() ||
      !Ending(names, ".pth").empty()) {
    return "; PyTorch's pickle files are not read, save the model as safetensors";
  }
  return "; name a folder with config.json and model.safetensors, or a .gguf file";
}

std::vector<std::string> IndexedFiles(const fs::path& index, WeightFiles* weights) {
  const Json json = Json::ParseFile(index.string());
  std::set<std::string> files;
  for (const auto& [tensor, file] :
       json.At("weight_map", index.string()).AsObject(index.string())) {
    const std::string& name = file.AsString(index.string() + ": " + tensor);
    // Only files of this folder: an index must not be able to point elsewhere.
    if (name.empty() || name.find('/') != name.npos || name == "." || name == "..") {
      Fail(index.string(), ": tensor ", tensor,
           ": expected the name of a file in this folder, found \"", name, "\"");
    }
    files.insert(name);
    weights->expected_file[tensor] = name;
  }
  if (files.empty()) Fail(index.string(), ": weight_map names no files");
  return {files.begin(), files.end()};
}

// "model-00002-of-00005.safetensors" -> 2 and 5.
std::optional<std::pair<int, int>> PartOf(std::string_view name) {
  constexpr std::string_view kFirst = "model-", kOf = "-of-", kLast = ".safetensors";
  if (!name.starts_with(kFirst) || !name.ends_with(kLast)) return std::nullopt;
  const size_t of = name.find(kOf, kFirst.size());
  if (of == name.npos) return std::nullopt;
  const auto number = [&](size_t begin, size_t end) {
    int value = 0;
    const char* last = name.data() + end;
    const auto [stop, error] = std::from_chars(name.data() + begin, last, value);
    return error == std::errc() && stop == last && begin < end ? value : -1;
  };
  const int part = number(kFirst.size(), of),
            parts = number(of + kOf.size(), name.size() - kLast.size());
  if (part < 0 || parts < 0) return std::nullopt;
  return std::pair(part, parts);
}

}  // namespace

std::vector<std::string> FileNames(const fs::path& folder) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (names.size() < kMostNames) names.push_back(it->path().filename().string());
  }
  if (error) Fail(folder.string(), ": cannot list this folder (", error.message(), ")");
  std::sort(names.begin(), names.end());
  return names;
}

void RequireModelFolder(const fs::path& folder) {
  const std::vector<std::string> names = FileNames(folder);
  if (IsOneOf(names, "config.json")) return;
  Fail(folder.string(), ": expected a model folder, but it has no config.json; it contains ",
       Listed(names), Advice(folder, names));
}

void RequireAllParts(const fs::path& folder, const std::vector<std::string>& names) {
  std::map<int, std::set<int>> found;  // number of parts -> parts
  for (const std::string& name : names) {
    if (const auto part = PartOf(name)) found[part->second].insert(part->first);
  }
  if (found.size() > 1) {
    Fail(folder.string(), ": its model-*-of-*.safetensors files are parts of ", found.size(),
         " different models; keep those of one");
  }
  for (const auto& [parts, present] : found) {
    if (static_cast<int>(present.size()) != parts) {
      Fail(folder.string(), ": expected ", parts, " parts model-*-of-*.safetensors, found ",
           present.size(), "; the download is incomplete, get the missing ones");
    }
  }
}

WeightFiles FindWeightFiles(const fs::path& folder) {
  constexpr std::string_view kSingle = "model.safetensors", kIndex = "model.safetensors.index.json";
  const std::vector<std::string> names = FileNames(folder);
  WeightFiles weights;
  std::vector<std::string> chosen;
  if (IsOneOf(names, kIndex)) chosen = IndexedFiles(folder / kIndex, &weights);
  if (IsOneOf(names, kSingle)) {
    // An index of other files is left over from before they were joined into this one.
    if (chosen != std::vector<std::string>{std::string(kSingle)}) weights.expected_file.clear();
    chosen = {std::string(kSingle)};
  }
  for (const std::string& name : chosen) {
    if (IsOneOf(names, name)) continue;
    Fail((folder / kIndex).string(), ": names ", name,
         ", which is not in the folder; the download is incomplete, get the missing files");
  }
  if (chosen.empty()) {
    for (const std::string& name : Ending(names, ".safetensors")) {
      if (name.starts_with("model")) chosen.push_back(name);
    }
    RequireAllParts(folder, chosen);
  }
  if (chosen.empty()) {
    Fail(folder.string(), ": expected weights in model.safetensors or model*.safetensors, found ",
         Listed(names), Advice(folder, names));
  }
  for (const std::string& name : chosen) weights.files.push_back(folder / name);
  return weights;
}

}  // namespace lem
