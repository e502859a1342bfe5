// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/score/python_text.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace lem {
namespace {

// The zeros of all runs of decimal digits in Unicode 14, that of Python 3.11.
constexpr char32_t kZeros[] = {
    0x30,    0x660,   0x6f0,   0x7c0,   0x966,   0x9e6,   0xa66,   0xae6,   0xb66,   0xbe6,
    0xc66,   0xce6,   0xd66,   0xde6,   0xe50,   0xed0,   0xf20,   0x1040,  0x1090,  0x17e0,
    0x1810,  0x1946,  0x19d0,  0x1a80,  0x1a90,  0x1b50,  0x1bb0,  0x1c40,  0x1c50,  0xa620,
    0xa8d0,  0xa900,  0xa9d0,  0xa9f0,  0xaa50,  0xabf0,  0xff10,  0x104a0, 0x10d30, 0x11066,
    0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0,
    0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2,
    0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0};

bool Continues(std::string_view text, size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
}

char32_t Bits(std::string_view text, size_t at) {
  return static_cast<unsigned char>(text[at]) & 0x3F;
}

std::string AsciiDigits(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const Character c = DecodeAt(text, at);
    const int digit = DecimalValue(c.value);
    if (digit >= 0)
      out.push_back(static_cast<char>('0' + digit));
    else
      out.append(text.substr(at, c.size));
    at += c.size;
  }
  return out;
}

// Underscores are allowed between two digits only.
bool DropUnderscores(std::string& text) {
  const auto digit = [&](size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '9'; };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '_' && (i == 0 || !digit(i - 1) || !digit(i + 1))) return false;
  }
  text.erase(std::remove(text.begin(), text.end(), '_'), text.end());
  return true;
}

}  // namespace

Character DecodeAt(std::string_view text, size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0x80) return {lead, 1};
  if (lead >= 0xC2 && lead < 0xE0 && Continues(text, at + 1)) {
    return {((lead & 0x1Fu) << 6) | Bits(text, at + 1), 2};
  }
  if (lead >= 0xE0 && lead < 0xF0 && Continues(text, at + 1) && Continues(text, at + 2)) {
    const char32_t c = ((lead & 0x0Fu) << 12) | (Bits(text, at + 1) << 6) | Bits(text, at + 2);
    if (c >= 0x800 && (c < 0xD800 || c > 0xDFFF)) return {c, 3};
  }
  if (lead >= 0xF0 && lead < 0xF5 && Continues(text, at + 1) && Continues(text, at + 2) &&
      Continues(text, at + 3)) {
    const char32_t c = ((lead & 0x07u) << 18) | (Bits(text, at + 1) << 12) |
                       (Bits(text, at + 2) << 6) | Bits(text, at + 3);
    if (c >= 0x10000 && c < 0x110000) return {c, 4};
  }
  return {0xFFFD, 1};
}

void AppendUtf8(char32_t c, std::string& out) {
  const auto byte = [&](char32_t value) { out.push_back(static_cast<char>(value)); };
  if (c < 0x80) return byte(c);
  if (c < 0x800) {
    byte(0xC0 | (c >> 6));
  } else if (c < 0x10000) {
    byte(0xE0 | (c >> 12));
    byte(0x80 | ((c >> 6) & 0x3F));
  } else {
    byte(0xF0 | (c >> 18));
    byte(0x80 | ((c >> 12) & 0x3F));
    byte(0x80 | ((c >> 6) & 0x3F));
  }
  byte(0x80 | (c & 0x3F));
}

bool IsPythonSpace(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

int DecimalValue(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9' ? static_cast<int>(c - '0') : -1;
  const auto after = std::upper_bound(std::begin(kZeros), std::end(kZeros), c);
  const char32_t zero = *(after - 1);
  return c - zero < 10 ? static_cast<int>(c - zero) : -1;
}

size_t CountCharacters(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); at += DecodeAt(text, at).size) ++count;
  return count;
}

std::string_view StripPython(std::string_view text) {
  size_t begin = 0, end = 0;
  bool seen = false;
  for (size_t at = 0; at < text.size();) {
    const Character c = DecodeAt(text, at);
    if (!IsPythonSpace(c.value)) {
      if (!seen) begin = at;
      seen = true;
      end = at + c.size;
    }
    at += c.size;
  }
  return seen ? text.substr(begin, end - begin) : std::string_view();
}

std::vector<std::string_view> SplitPythonWords(std::string_view text) {
  std::vector<std::string_view> words;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const Character c = DecodeAt(text, at);
    if (IsPythonSpace(c.value)) {
      if (at > begin) words.push_back(text.substr(begin, at - begin));
      begin = at + c.size;
    }
    at += c.size;
  }
  if (text.size() > begin) words.push_back(text.substr(begin));
  return words;
}

std::vector<std::string_view> SplitAt(std::string_view text, char mark) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find(mark);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string LowerForAscii(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Character c = DecodeAt(text, at);
    if (c.value >= 'A' && c.value <= 'Z')
      out.push_back(static_cast<char>(c.value + 32));
    else if (c.value == 0x212A)
      out.push_back('k');
    else if (c.value == 0x130)
      out.append("i\xCC\x87");
    else
      out.append(text.substr(at, c.size));
    at += c.size;
  }
  return out;
}

std::optional<double> PythonFloat(std::string_view text) {
  std::string digits = AsciiDigits(StripPython(text));
  if (!DropUnderscores(digits) || digits.empty()) return std::nullopt;
  std::string word;
  for (const char c : digits) word.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  const bool negative = word[0] == '-';
  if (word[0] == '-' || word[0] == '+') word.erase(0, 1);
  const double sign = negative ? -1 : 1;
  if (word == "inf" || word == "infinity") return sign * std::numeric_limits<double>::infinity();
  if (word == "nan") return std::numeric_limits<double>::quiet_NaN();
  // strtod would take hexadecimal too, which float does not.
  if (word.find_first_not_of("0123456789.e+-") != std::string::npos || word.empty()) {
    return std::nullopt;
  }
  if (word[0] == '+' || word[0] == '-') return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(word.c_str(), &end);
  if (end != word.c_str() + word.size()) return std::nullopt;
  return sign * value;
}

}  // namespace lem
