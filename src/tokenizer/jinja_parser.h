// SPDX-License-Identifier: EUPL-1.2
// Tokens to a tree, by Jinja's grammar.
#pragma once

#include <string_view>

#include "tokenizer/jinja_ast.h"

namespace lem::jinja {

constexpr size_t kMaxTemplateBytes = size_t{1} << 20;
constexpr uint32_t kMaxTreeDepth = 200;

// Throws Error with line and column on anything it does not know, filters and tests included.
Ast Parse(std::string_view source, std::string_view where);

}  // namespace lem::jinja
