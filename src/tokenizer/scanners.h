// SPDX-License-Identifier: EUPL-1.2
// The pre-tokenizer patterns of the common models, written out by hand (model-formats 4.4): several
// times faster than a regular expression, and tested against it.
#pragma once

#include <cstddef>
#include <string_view>

namespace lem {

// Returns the end of the pre-token that starts at `at` (< text.size()); sees nothing outside
// `text`.
using Scanner = size_t (*)(std::string_view text, size_t at);

size_t ScanGpt2(std::string_view text, size_t at);
size_t ScanLlama3(std::string_view text, size_t at);  // numbers of up to three digits
size_t ScanQwen2(std::string_view text, size_t at);   // digits one by one

extern const char kGpt2Pattern[], kLlama3Pattern[], kQwen2Pattern[], kTekkenPattern[];

// The scanner that does what this pattern says; null when there is none.
Scanner ScannerFor(std::string_view pattern);

}  // namespace lem
