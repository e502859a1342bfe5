// SPDX-License-Identifier: EUPL-1.2
// What one block of a quantised ggml type holds (model-formats 7.1, 7.2).
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/stored_matrix.h"

namespace lem::cpu {

// The codes of one block, in order of k.
void BlockCodes(GgmlType type, const std::byte* block, uint8_t* codes);

// Of the two-level types: a float16 pair, then one integer (two with minima) per group.
struct SuperScales {
  uint16_t d = 0, dmin = 0;
  int8_t scale[16] = {}, min[16] = {};
};
SuperScales ReadSuperScales(GgmlType type, const std::byte* block);

}  // namespace lem::cpu
