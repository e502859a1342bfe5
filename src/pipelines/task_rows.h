// SPDX-License-Identifier: EUPL-1.2
// The data behind a task: files located, checked and read into rows of named values; and the small
// language in which a task file makes values and texts of a row.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"

namespace lem {

struct TaskRow {
  std::string where;  // "PATH:LINE" or "PATH: record N", for messages
  Json values;        // an object
};

// definition: the task file's keys `data`, `format` (jsonl, json, csv), `rows`, `derive`. Rows of
// all files in order, with the derived values added.
std::vector<TaskRow> ReadTaskRows(const Json& definition, std::string_view where);

// Replaces every {{name}} by that value (text or number) of the row. Throws Error for an unknown
// name or a value of another kind.
std::string FillTemplate(std::string_view text, const Json& row, std::string_view where);

// The value of a name. Throws Error naming the ones there are.
const Json& RowValue(const Json& row, const std::string& name, std::string_view where);

// The text of a Python bytes literal, b'...' or b"...", its escapes resolved and what is no UTF-8
// replaced; any other text as it is.
std::string DecodePythonBytes(std::string_view literal, std::string_view where);

}  // namespace lem
