// SPDX-License-Identifier: EUPL-1.2
// Inverted dropout whose mask is a function of a key, so that the backward pass makes it again
// instead of keeping it.
#pragma once

#include <cstdint>

#include "tensor/view.h"

namespace lem {

struct DropoutKey {
  uint64_t seed = 0, step = 0;
  uint32_t module = 0;
};

// y = x * mask / (1 - p); the mask keeps an element with probability 1 - p. x may be y.
void Dropout(const DropoutKey& key, float p, ConstOperand x, Operand y);
// y += x * mask / (1 - p): the backward of Dropout.
void AddDropout(const DropoutKey& key, float p, ConstMat x, Mat y);

}  // namespace lem
