// SPDX-License-Identifier: EUPL-1.2
// How much of an adapter's change is in the file that was written.
#pragma once

#include <filesystem>
#include <vector>

#include "pipelines/fuse/fuse.h"
#include "pipelines/model_files.h"

namespace lem {

// Reads the folder back. For every replaced matrix, with delta = W' - W in float32:
// survival = <stored - W, delta> / <delta, delta>. 1: all of it; 0: rounded away.
std::vector<FusedModule> MeasureSurvival(const std::filesystem::path& folder,
                                         const ModelConfig& config,
                                         const std::vector<ModelTensor>& tensors,
                                         Progress& progress);

}  // namespace lem
