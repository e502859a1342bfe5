// SPDX-License-Identifier: EUPL-1.2
// The files of kernel/ as they were when the program was built (src/lek/embed.cmake).
#pragma once

#include <string_view>

namespace lem {

std::string_view EmbeddedKernelText();  // lek-1-kernel.txt
std::string_view EmbeddedAxiomsText();  // axioms.json
std::string_view EmbeddedKernelSums();  // SHA256SUMS

}  // namespace lem
