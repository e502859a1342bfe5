// SPDX-License-Identifier: EUPL-1.2
// One number per column, shared by all tokens: biases and DoRA's magnitudes, and their gradients.
#pragma once

#include "tensor/view.h"

namespace lem {

void AddToColumns(ConstVec bias, Mat y);  // y[t] += bias
// sums[c] += sum over t of x[t][c], in token order: the backward of AddToColumns.
void AddColumnSums(ConstMat x, Vec sums);
void ScaleColumns(ConstMat x, ConstVec s, Mat y);  // y[t] = x[t] * s
// sums[c] += s[c] * sum over t of x[t][c] * y[t][c].
void AddColumnDots(ConstMat x, ConstMat y, ConstVec s, Vec sums);

}  // namespace lem
