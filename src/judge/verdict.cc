// SPDX-License-Identifier: EUPL-1.2
#include "judge/verdict.h"

#include <optional>

#include "base/error.h"

namespace lem {
namespace {

constexpr size_t kMostObjects = 16;  // of a reply that are tried

// The end of the object that begins at `begin`, or npos; texts with their escapes are skipped.
size_t ObjectEnd(std::string_view text, size_t begin) {
  int depth = 0;
  bool in_text = false;
  for (size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (in_text) {
      if (c == '\\') ++i;
      if (c == '"') in_text = false;
    } else if (c == '"') {
      in_text = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

std::optional<Json> ParseObject(std::string_view text) {
  JsonLimits limits;
  limits.max_depth = 16;
  try {
    Json value = Json::Parse(text, "the reply", limits);
    if (value.IsObject()) return value;
  } catch (const Error&) {
  }
  return std::nullopt;
}

// The last object in the reply that parses: what comes after a draft is what is meant.
std::optional<Json> FindObject(std::string_view reply) {
  std::optional<Json> found;
  size_t at = 0;
  for (size_t tries = 0; tries < kMostObjects; ++tries) {
    const size_t begin = reply.find('{', at);
    if (begin == std::string_view::npos) break;
    const size_t end = ObjectEnd(reply, begin);
    if (end == std::string_view::npos) break;
    if (auto value = ParseObject(reply.substr(begin, end - begin))) found = std::move(value);
    at = end;
  }
  return found;
}

std::string AsLabel(const Json& value) {
  if (value.IsString()) return value.string();
  if (value.IsBool()) return value.boolean() ? "yes" : "no";
  if (value.IsNumber() &&
      value.number() == static_cast<double>(static_cast<int64_t>(value.number())) &&
      value.number() > -1e6 && value.number() < 1e6) {
    return std::to_string(static_cast<int64_t>(value.number()));
  }
  return value.Dump();
}

std::string Labels(const Dimension& dimension) {
  std::string labels;
  for (const Grade& g : dimension.grades) labels += (labels.empty() ? "" : ", ") + g.label;
  return labels;
}

}  // namespace

Verdict ReadVerdict(const Rubric& rubric, std::string_view reply) {
  Verdict verdict;
  const std::optional<Json> object = FindObject(reply);
  if (!object) {
    verdict.problem = "the reply holds no complete JSON object";
    return verdict;
  }
  if (const Json* reasoning = object->Find("reasoning"); reasoning && reasoning->IsString()) {
    verdict.reasoning = reasoning->string();
  }
  for (const Dimension& dimension : rubric.dimensions) {
    const Json* value = object->Find(dimension.key);
    if (value == nullptr || value->IsNull()) {
      verdict.problem = "the key \"" + dimension.key + "\" is missing";
      return verdict;
    }
    const std::string label = AsLabel(*value);
    const Grade* found = nullptr;
    for (const Grade& g : dimension.grades) {
      if (g.label == label) found = &g;
    }
    if (found == nullptr) {
      verdict.state = VerdictState::kOutOfRange;
      verdict.problem = "\"" + dimension.key + "\" is " + label.substr(0, 60) + ", not one of " +
                        Labels(dimension);
      verdict.grades.clear();
      return verdict;
    }
    verdict.grades.push_back(found->value);
  }
  verdict.state = VerdictState::kOk;
  return verdict;
}

std::string RepairText(const Verdict& verdict) {
  return "This could not be used: " + verdict.problem +
         ". Reply again with the whole JSON object, every key with one of its allowed values, and "
         "nothing else.";
}

}  // namespace lem
