// SPDX-License-Identifier: EUPL-1.2
// index.sqlite of a run folder: tables samples, choices, judgements, scores, for queries. Derived
// from the .jsonl files alone, and written again at will.
#pragma once

#include "pipelines/run_folder.h"

namespace lem {

// Builds the file beside its place and renames it there. Throws Error.
void RebuildIndex(const RunFolder& run);

}  // namespace lem
