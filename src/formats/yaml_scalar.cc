// SPDX-License-Identifier: EUPL-1.2
#include "formats/yaml_scalar.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <system_error>

namespace lem {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Exactly the three spellings that YAML 1.1 lists: word, Word, WORD.
bool IsWord(std::string_view text, std::string_view word) {
  if (text.size() != word.size()) return false;
  const auto upper = [](char c) { return static_cast<char>(c - 'a' + 'A'); };
  bool lower = true, title = true, capital = true;
  for (size_t i = 0; i < word.size(); ++i) {
    lower = lower && text[i] == word[i];
    title = title && text[i] == (i == 0 ? upper(word[i]) : word[i]);
    capital = capital && text[i] == upper(word[i]);
  }
  return lower || title || capital;
}

bool IsAnyWord(std::string_view text, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words) {
    if (IsWord(text, word)) return true;
  }
  return false;
}

std::string WithoutUnderscores(std::string_view text) {
  std::string plain;
  for (const char c : text) {
    if (c != '_') plain.push_back(c);
  }
  return plain;
}

// [0-9][0-9_]* for base 10, 0[0-7_]* for octal, 0x and 0b with their digits.
std::optional<Json> Integer(bool negative, std::string_view digits) {
  int base = 10;
  if (digits.starts_with("0x") || digits.starts_with("0b")) {
    base = digits[1] == 'x' ? 16 : 2;
    digits.remove_prefix(2);
  } else if (digits.size() > 1 && digits[0] == '0') {
    base = 8;
    digits.remove_prefix(1);
  } else if (digits.empty() || !IsDigit(digits[0])) {
    return std::nullopt;
  }
  if (digits.empty() || digits[0] == '-')
    return std::nullopt;  // from_chars would take a second sign
  const std::string plain = (negative ? "-" : "") + WithoutUnderscores(digits);
  int64_t value = 0;
  const auto [stop, error] =
      std::from_chars(plain.data(), plain.data() + plain.size(), value, base);
  if (stop != plain.data() + plain.size() || error == std::errc::invalid_argument)
    return std::nullopt;
  if (error == std::errc()) return Json(value);
  double wide = 0;  // beyond 63 bits, as JSON numbers of that size become
  if (base != 10) return std::nullopt;
  std::from_chars(plain.data(), plain.data() + plain.size(), wide);
  return Json(wide);
}

// Digits with a point, an exponent, or both; 1e-5 needs no point. A value out of range stays text.
std::optional<Json> Float(bool negative, std::string_view text) {
  size_t at = 0, digits = 0;
  bool point = false;
  for (; at < text.size() && (IsDigit(text[at]) || text[at] == '_' || text[at] == '.'); ++at) {
    if (text[at] == '.' && point) return std::nullopt;
    point = point || text[at] == '.';
    digits += IsDigit(text[at]);
  }
  if (digits == 0 || text[0] == '_' || (at == text.size() && !point)) return std::nullopt;
  const std::string plain = (negative ? "-" : "") + WithoutUnderscores(text);
  std::string_view rest = text.substr(at);
  if (!rest.empty()) {
    if (rest[0] != 'e' && rest[0] != 'E') return std::nullopt;
    rest.remove_prefix(rest.size() > 1 && (rest[1] == '+' || rest[1] == '-') ? 2 : 1);
    if (rest.empty() || !std::all_of(rest.begin(), rest.end(), IsDigit)) return std::nullopt;
  }
  double value = 0;
  const auto [stop, error] = std::from_chars(plain.data(), plain.data() + plain.size(), value);
  if (error != std::errc() || stop != plain.data() + plain.size()) return std::nullopt;
  return Json(value);
}

}  // namespace

Json ResolveYamlScalar(std::string_view text) {
  if (IsAnyWord(text, {"true", "yes", "on"})) return Json(true);
  if (IsAnyWord(text, {"false", "no", "off"})) return Json(false);
  const bool sign = !text.empty() && (text[0] == '-' || text[0] == '+');
  const bool negative = sign && text[0] == '-';
  const std::string_view number = text.substr(sign ? 1 : 0);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (number == ".inf" || number == ".Inf" || number == ".INF")
    return Json(negative ? -kInfinity : kInfinity);
  if (text == ".nan" || text == ".NaN" || text == ".NAN") return Json(std::nan(""));
  if (auto integer = Integer(negative, number)) return *integer;
  if (auto real = Float(negative, number)) return *real;
  return Json(std::string(text));
}

}  // namespace lem
