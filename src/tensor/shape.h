// SPDX-License-Identifier: EUPL-1.2
// Arithmetic on shapes that a file claims: every product is checked, since the file may lie.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace lem {

// The product, 1 for an empty shape; null if a dimension is negative or the product exceeds int64.
// A shape with a zero is 0 only if the other dimensions' product fits too.
std::optional<int64_t> CountElements(std::span<const int64_t> shape);

std::string ShapeText(std::span<const int64_t> shape);  // "[2, 3]"

}  // namespace lem
