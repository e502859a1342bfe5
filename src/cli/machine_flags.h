// SPDX-License-Identifier: EUPL-1.2
// Flags that all commands which compute have in common.
#pragma once

#include <string>

#include "cli/flags.h"
#include "pipelines/loaded_model.h"

namespace lem::cli {

struct MachineFlags {
  int threads = 0;
  bool json = false;

  void AddTo(Flags& flags);
  void Apply() const;  // after Parse
};

// --model, --adapter-path, --dtype, --chat-template, --device.
void AddModelFlags(Flags& flags, ModelOptions& options, bool adapter = true);

}  // namespace lem::cli
