// SPDX-License-Identifier: EUPL-1.2
// Any bytes as a safetensors file: an Error or views that lie inside the bytes.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/error.h"
#include "formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  try {
    const auto parsed = lem::Safetensors::Parse(file, "fuzz");
    for (const auto& [name, view] : parsed.tensors()) {
      LEM_CHECK(view.bytes.size() <= size);
      LEM_CHECK(view.bytes.empty() ||
                (view.bytes.data() >= file.data() &&
                 view.bytes.data() + view.bytes.size() <= file.data() + size));
    }
    parsed.Get("no such tensor");
  } catch (const lem::Error&) {
  }
  return 0;
}
