// SPDX-License-Identifier: EUPL-1.2
// Any bytes as JSON Lines: an Error, or one value for every line that is not blank.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/error.h"
#include "formats/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    int64_t last = 0;
    for (const auto& row :
         lem::ParseJsonLines({reinterpret_cast<const char*>(data), size}, "fuzz")) {
      LEM_CHECK(row.line > last);
      last = row.line;
    }
  } catch (const lem::Error&) {
  }
  return 0;
}
