// SPDX-License-Identifier: EUPL-1.2
// Any bytes as a GGUF file: an Error or tensors that can be dequantised from the bytes they are
// given.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "formats/gguf.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto parsed = lem::Gguf::Parse(std::as_bytes(std::span(data, size)), "fuzz");
    for (const lem::GgufTensor& tensor : parsed.tensors()) {
      if (!tensor.readable || tensor.bytes.empty()) continue;
      const auto& info = lem::InfoOf(tensor.type);
      std::vector<float> values(tensor.bytes.size() / info.block_bytes * info.block_elements);
      lem::DequantizeGgml(tensor.type, tensor.bytes.data(), values);
    }
    for (const auto& [key, value] : parsed.values()) {
      try {
        parsed.Numbers(key);
        parsed.Integers(key);
      } catch (const lem::Error&) {
      }
    }
  } catch (const lem::Error&) {
  }
  return 0;
}
