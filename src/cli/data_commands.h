// SPDX-License-Identifier: EUPL-1.2
// The parts of `lem data`, one function each.
#pragma once

#include "cli/commands.h"

namespace lem::cli {

int DataLint(const Arguments& arguments);
int DataOverlap(const Arguments& arguments);
int DataSplit(const Arguments& arguments);
int DataFetch(const Arguments& arguments);

}  // namespace lem::cli
