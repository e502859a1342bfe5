// SPDX-License-Identifier: EUPL-1.2
// Any bytes as YAML: an Error, or a value small and shallow enough to be written as JSON.
#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "formats/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    lem::ParseYaml({reinterpret_cast<const char*>(data), size}, "fuzz").Dump();
  } catch (const lem::Error&) {
  }
  return 0;
}
