// SPDX-License-Identifier: EUPL-1.2
// The flags of `lem train`: every one of mlx_lm.lora's (mlx-lm 1.1) under its name, and ours.
#pragma once

#include "cli/flags.h"
#include "formats/json.h"

namespace lem::cli {

// Given flags land in `settings` under their YAML keys. Defaults shown are TrainOptions' own.
void AddTrainFlags(Flags& flags, Json& settings);

}  // namespace lem::cli
