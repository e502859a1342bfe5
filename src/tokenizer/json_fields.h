// SPDX-License-Identifier: EUPL-1.2
// Reading the typed records of tokenizer.json: {"type": "Split", ...}.
#pragma once

#include <string>
#include <string_view>

#include "formats/json.h"

namespace lem {

std::string TypeOf(const Json& json, std::string_view where);
bool BoolField(const Json& json, std::string_view key, bool otherwise, std::string_view where);
std::string StringField(const Json& json, std::string_view key, std::string_view otherwise,
                        std::string_view where);

struct PatternField {
  bool is_regex = false;
  std::string text;
};
// "pattern": {"String": "..."} or {"Regex": "..."}.
PatternField ReadPattern(const Json& json, std::string_view where);

[[noreturn]] void RefuseType(std::string_view where, std::string_view what, std::string_view found,
                             std::string_view known);

}  // namespace lem
