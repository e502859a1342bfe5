// SPDX-License-Identifier: EUPL-1.2
// Runs another program without a shell.
#pragma once

#include <string>
#include <vector>

namespace lem {

struct ProcessResult {
  int exit_code = -1;  // 128 + n when signal n ended it
  std::string output;  // stdout and stderr together, the last 64 KiB
};

// Waits for it; StopRequested sends it SIGTERM. Throws Error only when the program cannot be
// started (not found).
ProcessResult RunProgram(const std::vector<std::string>& command);

}  // namespace lem
