// SPDX-License-Identifier: EUPL-1.2
// One conversation as token ids, and which of its tokens are learnt.
#pragma once

#include <string_view>

#include "pipelines/train/dataset.h"

namespace lem {

// messages: at least one. tools: null or the record's list. The spans are found by rendering
// prefixes of the conversation: what the template writes for the first n messages must begin what
// it writes for all of them. A template that rewrites earlier turns is refused with advice, unless
// encoding.mlx_compat, where the prompt's length is taken on trust.
Example EncodeTurns(const Json& messages, const Json* tools, std::string_view where,
                    const Encoding& encoding);

}  // namespace lem
