// SPDX-License-Identifier: EUPL-1.2
// The flags that generate and chat share, with mlx-lm's names and defaults (mlx-lm 4.1, 4.2).
#pragma once

#include "cli/flags.h"
#include "pipelines/generate/generate.h"

namespace lem::cli {

struct GenerateFlags {
  GenerateOptions options;
  std::string template_config;  // JSON object for the template
  std::optional<uint64_t> seed;

  void AddTo(Flags& flags);
  void Apply();  // after Parse: checks ranges, reads template_config
};

}  // namespace lem::cli
