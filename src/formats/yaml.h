// SPDX-License-Identifier: EUPL-1.2
// YAML configuration files as Json values, with mlx-lm's rule that 1e-5 (no dot) is a number.
#pragma once

#include <string>

#include "formats/json.h"

namespace lem {

// Bounded in size, depth and aliases; cycles are refused. Throws Error with the line.
Json ParseYaml(std::string_view text, std::string_view where);
Json ReadYamlFile(const std::string& path);

}  // namespace lem
