// SPDX-License-Identifier: EUPL-1.2
// Every string of a JSONL, JSON or CSV file.
#include <filesystem>

#include "base/error.h"
#include "formats/csv.h"
#include "formats/json.h"
#include "pipelines/data/overlap.h"

namespace lem {
namespace {

void CollectStrings(const Json& value, const std::string& at, std::vector<TextAt>* texts) {
  if (value.IsString()) {
    texts->push_back({at, value.string()});
  } else if (value.IsArray()) {
    for (const Json& entry : value.array()) CollectStrings(entry, at, texts);
  } else if (value.IsObject()) {
    for (const auto& [key, entry] : value.object()) {
      texts->push_back({at, key});  // the choices of mc_task.json are keys
      CollectStrings(entry, at, texts);
    }
  }
}

// An item's own id where it has one, so that a reader finds it again.
std::string ItemName(const Json& item, size_t index) {
  const Json* id = item.Find("id");
  if (id && id->IsString()) return id->string();
  return "item " + std::to_string(index + 1);
}

std::vector<TextAt> ReadJsonTexts(const std::string& path) {
  const Json document = Json::ParseFile(path);
  std::vector<TextAt> texts;
  const Json* items = document.IsArray() ? &document : document.Find("prompts");
  if (!items || !items->IsArray()) {
    CollectStrings(document, path, &texts);
    return texts;
  }
  for (size_t i = 0; i < items->array().size(); ++i) {
    const Json& item = items->array()[i];
    CollectStrings(item, path + ":" + ItemName(item, i), &texts);
  }
  return texts;
}

// Some data sets print their text as Python writes bytes; "\n" in them is a break, not an n.
std::string WithoutEscapes(std::string text) {
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] != '\\') continue;
    const char next = text[i + 1];
    text[i] = ' ';
    if (next == 'n' || next == 'r' || next == 't') text[i + 1] = ' ';
  }
  return text;
}

std::vector<TextAt> ReadCsvTexts(const std::string& path) {
  std::vector<TextAt> texts;
  for (const CsvRecord& row : ReadCsvFile(path).records) {
    for (const std::string& field : row.fields) {
      texts.push_back({path + ":" + std::to_string(row.line), WithoutEscapes(field)});
    }
  }
  return texts;
}

}  // namespace

std::vector<TextAt> ReadTexts(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension();
  if (extension == ".csv") return ReadCsvTexts(path);
  if (extension == ".json") return ReadJsonTexts(path);
  if (extension != ".jsonl") {
    Fail(path, ": expected a .jsonl, .json or .csv file");
  }
  std::vector<TextAt> texts;
  for (const JsonLine& row : ReadJsonLines(path)) {
    CollectStrings(row.value, path + ":" + std::to_string(row.line), &texts);
  }
  return texts;
}

}  // namespace lem
