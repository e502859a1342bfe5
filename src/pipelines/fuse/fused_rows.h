// SPDX-License-Identifier: EUPL-1.2
// The rows of fused weights: W' = W + scale up down, for DoRA scaled to the trained row norms, or
// the trained tensor itself (mlx-lm 3.1). In float32; rounding happens once, when they are stored.
#pragma once

#include <vector>

#include "model/adapter.h"
#include "pipelines/model_files.h"

namespace lem {

// Sets `replace` of every tensor that the adapter changes. The adapter must outlive the tensors.
void ReplaceFused(const Adapter& adapter, std::vector<ModelTensor>* tensors);

// row: W's row in, W' row out.
void FuseRow(const AdapterModule& module, float scale, int64_t row, Vec weight);

}  // namespace lem
