// SPDX-License-Identifier: EUPL-1.2
// Text as Python's str sees it: code points, Unicode white space and decimal digits. The metrics
// that must equal those of Python programs stand on this.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lem {

// The code point at `at` and its length in bytes. A byte that begins no well-formed UTF-8 sequence
// is a code point of its own, U+FFFD. at < text.size().
struct Character {
  char32_t value = 0;
  size_t size = 1;
};
Character DecodeAt(std::string_view text, size_t at);
void AppendUtf8(char32_t value, std::string& out);

bool IsPythonSpace(char32_t c);  // str.isspace(), and \s of re
int DecimalValue(char32_t c);    // 0..9 for category Nd (\d of re), else -1

size_t CountCharacters(std::string_view text);
std::string_view StripPython(std::string_view text);                      // str.strip()
std::vector<std::string_view> SplitPythonWords(std::string_view text);    // str.split()
std::vector<std::string_view> SplitAt(std::string_view text, char mark);  // str.split(mark)

// str.lower() as far as ASCII patterns can tell: ASCII letters, and the two letters beyond ASCII
// whose lower case begins in ASCII (U+0130, U+212A).
std::string LowerForAscii(std::string_view text);

// float(text), or nothing where it raises ValueError. Takes white space around, a sign,
// underscores between digits, an exponent, inf and nan, and digits of any script.
std::optional<double> PythonFloat(std::string_view text);

}  // namespace lem
