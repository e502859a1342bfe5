// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/json_fields.h"

#include "base/error.h"

namespace lem {

std::string TypeOf(const Json& json, std::string_view where) {
  return json.At("type", where).AsString(where);
}

bool BoolField(const Json& json, std::string_view key, bool otherwise, std::string_view where) {
  const Json* value = json.Find(key);
  return value == nullptr || value->IsNull() ? otherwise : value->AsBool(where);
}

std::string StringField(const Json& json, std::string_view key, std::string_view otherwise,
                        std::string_view where) {
  const Json* value = json.Find(key);
  return value == nullptr || value->IsNull() ? std::string(otherwise) : value->AsString(where);
}

PatternField ReadPattern(const Json& json, std::string_view where) {
  const Json& pattern = json.At("pattern", where);
  PatternField field;
  if (const Json* text = pattern.Find("String")) {
    field.text = text->AsString(where);
  } else {
    field.is_regex = true;
    field.text = pattern.At("Regex", where).AsString(where);
  }
  if (field.text.empty()) {
    Fail(where, ": expected a pattern that is not empty, found \"\"; try another copy of the file");
  }
  return field;
}

void RefuseType(std::string_view where, std::string_view what, std::string_view found,
                std::string_view known) {
  Fail(where, ": expected a ", what, " of a supported type (", known, "), found \"", found,
       "\"; try another tokenizer file of the same model");
}

}  // namespace lem
