// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/distill/prompts.h"

#include <filesystem>
#include <set>

#include "base/error.h"
#include "formats/json.h"

namespace lem {
namespace {

bool Says(const Json& row, std::string_view key, std::string_view value) {
  const Json* found = row.Find(key);
  return found && found->IsString() && found->string() == value;
}

std::optional<bool> ReadBenign(const Json& row) {
  const Json* benign = row.Find("benign");
  if (benign && benign->IsBool()) return benign->boolean();
  if (Says(row, "expect", "refuse") || Says(row, "kind", "refusal")) return false;
  if (Says(row, "expect", "answer") || Says(row, "kind", "safe-sounding")) return true;
  return std::nullopt;
}

DistillPrompt ReadPrompt(const Json& row, const std::string& where, const std::string& name) {
  DistillPrompt prompt;
  prompt.text = row.At("prompt", where).AsString(where + ": prompt");
  if (prompt.text.find_first_not_of(" \t\r\n") == std::string::npos) {
    Fail(where, ": expected a prompt, found an empty one");
  }
  const Json* id = row.Find("id");
  prompt.id = !id ? name : id->IsString() ? id->string() : id->Dump();
  prompt.benign = ReadBenign(row);
  return prompt;
}

void ReadList(const std::string& path, DistillPrompts* out) {
  const Json document = Json::ParseFile(path);
  const Json* list = document.IsArray() ? &document : document.Find("prompts");
  if (!list) Fail(path, ": expected a list of prompts, or an object with \"prompts\"");
  for (const Json& row : list->AsArray(path + ": prompts")) {
    const std::string number = std::to_string(out->prompts.size() + 1);
    out->prompts.push_back(ReadPrompt(row, path + ": prompt " + number, number));
    out->from_seeds |= row.Has("must") && row.Has("must_not");
  }
}

void ReadLines(const std::string& path, DistillPrompts* out) {
  for (const JsonLine& row : ReadJsonLines(path)) {
    const std::string line = std::to_string(row.line);
    out->prompts.push_back(ReadPrompt(row.value, path + ":" + line, "line " + line));
  }
}

}  // namespace

DistillPrompts ReadDistillPrompts(const std::vector<std::string>& files) {
  DistillPrompts out;
  for (const std::string& file : files) {
    if (std::filesystem::path(file).extension() == ".json") {
      ReadList(file, &out);
    } else {
      ReadLines(file, &out);
    }
  }
  std::set<std::string> ids;
  for (const DistillPrompt& prompt : out.prompts) {
    if (!ids.insert(prompt.id).second) {
      Fail(files.back(), ": expected distinct ids, found ", prompt.id, " twice");
    }
  }
  if (out.prompts.empty()) Fail(files.back(), ": expected at least one prompt, found none");
  return out;
}

}  // namespace lem
