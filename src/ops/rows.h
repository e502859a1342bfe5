// SPDX-License-Identifier: EUPL-1.2
// Moving whole rows: the loss looks only at the tokens that count.
#pragma once

#include <cstdint>
#include <span>

#include "tensor/view.h"

namespace lem {

// y[i] = x[rows[i]].  x: (tokens, n), y: (rows.size(), n).
void GatherRows(ConstMat x, std::span<const int32_t> rows, Mat y);
// x[rows[i]] += y[i]; rows must be distinct.
void AddScatteredRows(ConstMat y, std::span<const int32_t> rows, Mat x);

}  // namespace lem
