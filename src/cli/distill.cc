// SPDX-License-Identifier: EUPL-1.2
// lem distill: training data from a teacher.
#include "base/error.h"
#include "cli/commands.h"

namespace lem::cli {
int Distill(const Arguments&) { FailUsage("not built yet"); }
}  // namespace lem::cli
