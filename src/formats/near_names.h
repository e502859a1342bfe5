// SPDX-License-Identifier: EUPL-1.2
// For messages about a name that does not exist: what was probably meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lem {

// "; the nearest names are a, b, c", or "; the file has no tensors" and the like when there is
// nothing near.
std::string NearNames(std::string_view wanted, const std::vector<std::string_view>& names);

}  // namespace lem
