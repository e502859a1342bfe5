// SPDX-License-Identifier: EUPL-1.2
// What an unquoted YAML word means: the rules of PyYAML's SafeLoader (YAML 1.1: yes and no are
// booleans, 0x10 and 010 are integers), with mlx-lm's wider rule for floating numbers.
#pragma once

#include <string_view>

#include "formats/json.h"

namespace lem {

// A boolean, a number or the text itself. Dates and base-60 numbers stay text.
Json ResolveYamlScalar(std::string_view text);

}  // namespace lem
