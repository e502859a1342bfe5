// SPDX-License-Identifier: EUPL-1.2
// The orthogonalisation inside Muon (kellerjordan.github.io/posts/muon).
#pragma once

#include "tensor/view.h"

namespace lem {

// x becomes approximately the nearest semi-orthogonal matrix, by `steps` quintic Newton-Schulz
// iterations X <- a X + (b A + c A^2) X with A = X X^T, after division by the Frobenius norm +
// 1e-7. A tall matrix is worked on transposed. x must be contiguous.
void Orthogonalise(Mat x, int steps);

}  // namespace lem
