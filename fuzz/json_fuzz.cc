// SPDX-License-Identifier: EUPL-1.2
// Any bytes as JSON: an Error, or a value that survives being written and read again.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/error.h"
#include "formats/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto value = lem::Json::Parse({reinterpret_cast<const char*>(data), size}, "fuzz");
    const std::string text = value.Dump();
    LEM_CHECK(lem::Json::Parse(text, "again") == value);
    const std::string python = value.Dump({.indent = 2, .python_style = true});
    LEM_CHECK(lem::Json::Parse(python, "again") == value);
  } catch (const lem::Error&) {
  }
  return 0;
}
