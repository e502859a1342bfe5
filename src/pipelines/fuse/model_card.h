// SPDX-License-Identifier: EUPL-1.2
// README.md of a fused model: what it was made of, with hashes.
#pragma once

#include "formats/checkpoint.h"
#include "model/adapter.h"
#include "pipelines/fuse/fuse.h"

namespace lem {

void WriteModelCard(const FuseOptions& options, const Checkpoint& base, const Adapter& adapter,
                    const FuseResult& result);

// {{name}} becomes its value, or "not recorded". Throws Error on a {{ that is not closed.
std::string FillTemplate(std::string_view text, const std::map<std::string, std::string>& values,
                         std::string_view where);

}  // namespace lem
