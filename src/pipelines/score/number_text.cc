// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/score/number_text.h"

#include <algorithm>

#include "pipelines/score/python_text.h"

namespace lem {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// A character as ASCII, or 0 to keep it, or -1 to drop it.
int AsAscii(char32_t c) {
  if (c < 0x80) return static_cast<int>(c);
  if (const int digit = DecimalValue(c); digit >= 0) return '0' + digit;
  if (c >= 0xFF01 && c <= 0xFF5E) return static_cast<int>(c - 0xFEE0);  // full-width forms
  switch (c) {
    case 0x2010:
    case 0x2011:
    case 0x2012:
    case 0x2013:
    case 0x2212:
    case 0xFE63:
      return '-';
    case 0xA2:
    case 0xA3:
    case 0xA5:
    case 0x20AC:
    case 0x20B9:
      return '$';
    case 0xD7:
      return '*';
    case 0xF7:
    case 0x2044:
      return '/';
    case 0x200B:
    case 0x200C:
    case 0x200D:
    case 0x2060:
    case 0xFEFF:
    case 0xAD:
      return -1;
    default:
      return IsPythonSpace(c) ? ' ' : 0;
  }
}

std::string_view CommandAt(std::string_view text, size_t at) {
  size_t end = at + 1;
  while (end < text.size() && IsLetter(text[end])) ++end;
  return text.substr(at + 1, end - at - 1);
}

size_t DigitsEnd(std::string_view text, size_t at) {
  while (at < text.size() && IsDigit(text[at])) ++at;
  return at;
}

// The length of a thousands separator at `at`: "," or LaTeX's "{,}" and "\,"; 0 for none.
size_t Separator(std::string_view text, size_t at) {
  if (text.substr(at, 1) == ",") return 1;
  if (text.substr(at, 3) == "{,}") return 3;
  if (text.substr(at, 2) == "\\,") return 2;
  return 0;
}

// Digits, grouped in threes or not, appended to `value`. Returns where they end.
size_t TakeWhole(std::string_view text, size_t at, std::string& value) {
  size_t end = DigitsEnd(text, at);
  value.append(text.substr(at, end - at));
  if (end - at > 3 || end == at) return end;
  for (;;) {
    const size_t separator = Separator(text, end);
    const size_t group = end + separator;
    if (separator == 0 || DigitsEnd(text, group) - group != 3) return end;
    value.append(text.substr(group, 3));
    end = group + 3;
  }
}

// "/36" directly behind a number, or nothing.
size_t TakeDenominator(std::string_view text, size_t at, std::string& value) {
  if (at >= text.size() || text[at] != '/') return at;
  const size_t end = DigitsEnd(text, at + 1);
  const std::string_view digits = text.substr(at + 1, end - at - 1);
  const bool zero = digits.find_first_not_of('0') == std::string_view::npos;  // or empty
  const bool goes_on = end < text.size() && text[end] == '/';                 // a date
  if (zero || goes_on) return at;
  value.push_back('/');
  value.append(digits);
  return end;
}

// "2 1/2": the value becomes 5/2.
size_t TakeMixedPart(std::string_view text, size_t at, std::string& value) {
  if (text.substr(at, 1) != " " || value.size() > 9) return at;
  const size_t slash = DigitsEnd(text, at + 1);
  const std::string_view top = text.substr(at + 1, slash - at - 1);
  if (top.empty() || top.size() > 2 || text.substr(slash, 1) != "/") return at;
  const size_t end = DigitsEnd(text, slash + 1);
  const std::string_view bottom = text.substr(slash + 1, end - slash - 1);
  if (bottom.empty() || bottom.size() > 2) return at;
  const int a = std::stoi(std::string(top)), b = std::stoi(std::string(bottom));
  if (a < 1 || a >= b) return at;
  const bool negative = value[0] == '-';
  const long long whole = std::stoll(value.substr(negative));
  value = (negative ? "-" : "") + std::to_string(whole * b + a) + "/" + std::to_string(b);
  return end;
}

// \frac{a}{b} from its backslash.
std::optional<NumberText> FractionAt(std::string_view text, size_t at) {
  const std::string_view command = CommandAt(text, at);
  if (command != "frac" && command != "dfrac" && command != "tfrac") return std::nullopt;
  const size_t open = at + 1 + command.size();
  const size_t top_end = text.substr(open, 1) == "{" ? DigitsEnd(text, open + 1) : open;
  if (top_end <= open + 1 || text.substr(top_end, 2) != "}{") return std::nullopt;
  const size_t end = DigitsEnd(text, top_end + 2);
  const std::string_view bottom = text.substr(top_end + 2, end - top_end - 2);
  if (bottom.find_first_not_of('0') == std::string_view::npos || text.substr(end, 1) != "}") {
    return std::nullopt;
  }
  NumberText number;
  number.span = {at, end + 1};
  number.value = std::string(text.substr(open + 1, top_end - open - 1)) + "/" + std::string(bottom);
  return number;
}

// A rational number whose parts fit 18 digits each.
struct Rational {
  __int128 top = 0, bottom = 1;
  bool fits = false;
};

Rational Parse(std::string_view value) {
  Rational r;
  const bool negative = value.starts_with('-');
  if (negative) value.remove_prefix(1);
  const size_t slash = value.find('/');
  std::string_view decimal = value.substr(0, slash);
  const size_t point = decimal.find('.');
  std::string digits(decimal.substr(0, point));
  if (point != std::string_view::npos) {
    std::string_view places = decimal.substr(point + 1);
    while (places.ends_with('0')) places.remove_suffix(1);
    digits.append(places);
    if (places.size() > 18) return r;
    for (size_t i = 0; i < places.size(); ++i) r.bottom *= 10;
  }
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  if (digits.size() > 18) return r;
  for (const char c : digits) r.top = r.top * 10 + (c - '0');
  if (slash != std::string_view::npos) {
    const std::string_view bottom = value.substr(slash + 1);
    if (bottom.size() > 9 || r.bottom > 1'000'000'000) return r;
    __int128 denominator = 0;
    for (const char c : bottom) denominator = denominator * 10 + (c - '0');
    r.bottom *= denominator;
  }
  if (negative) r.top = -r.top;
  r.fits = r.bottom != 0;
  return r;
}

// Leading zeros and trailing places that say nothing removed, for numbers too long for Rational.
std::string Shortest(std::string_view value) {
  const bool negative = value.starts_with('-');
  if (negative) value.remove_prefix(1);
  while (value.size() > 1 && value[0] == '0' && IsDigit(value[1])) value.remove_prefix(1);
  if (value.find('.') != std::string_view::npos && value.find('/') == std::string_view::npos) {
    while (value.ends_with('0')) value.remove_suffix(1);
    if (value.ends_with('.')) value.remove_suffix(1);
  }
  return (negative ? "-" : "") + std::string(value);
}

}  // namespace

PlainText PlainText::Of(std::string_view original, size_t begin, size_t end) {
  PlainText plain;
  const auto push = [&](std::string_view bytes, size_t from) {
    plain.text.append(bytes);
    plain.origin.insert(plain.origin.end(), bytes.size(), from);
  };
  for (size_t at = begin; at < end;) {
    const Character c = DecodeAt(original, at);
    const int ascii = AsAscii(c.value);
    if (ascii > 0) {
      const char byte = static_cast<char>(ascii);
      push({&byte, 1}, at);
    } else if (ascii == 0) {
      push(original.substr(at, c.size), at);
    }
    at += c.size;
  }
  plain.origin.push_back(end);
  return plain;
}

size_t SkipDecoration(std::string_view text, size_t at) {
  constexpr std::string_view kCommands[] = {"boxed",  "text",         "textbf", "mathbf",
                                            "mathrm", "displaystyle", "left"};
  while (at < text.size()) {
    const char c = text[at];
    if (c == '\\' && at + 1 < text.size() && IsLetter(text[at + 1])) {
      const std::string_view command = CommandAt(text, at);
      const auto end = std::end(kCommands);
      if (std::find(std::begin(kCommands), end, command) == end) return at;
      at += 1 + command.size();
      continue;
    }
    if (std::string_view(" \t\r\n*_`$\\([{~\"").find(c) == std::string_view::npos) return at;
    ++at;
  }
  return at;
}

std::optional<NumberText> NumberAt(std::string_view text, size_t at) {
  if (at < text.size() && text[at] == '\\') return FractionAt(text, at);
  NumberText number;
  size_t begin = at;
  if (begin < text.size() && (text[begin] == '-' || text[begin] == '+')) {
    if (text[begin] == '-') number.value = "-";
    ++begin;
    if (text.substr(begin, 2) == "\\$")
      begin += 2;
    else if (text.substr(begin, 1) == "$")
      ++begin;
  }
  const size_t before = number.value.size();
  size_t end = TakeWhole(text, begin, number.value);
  const bool has_whole = end > begin;
  if (!has_whole) number.value.push_back('0');
  number.integer = has_whole;
  const size_t places = DigitsEnd(text, end + 1);
  if (text.substr(end, 1) == "." && places > end + 1) {
    number.value.append(text.substr(end, places - end));
    number.integer = false;
    end = places;
  } else if (!has_whole) {
    return std::nullopt;
  }
  if (number.value.size() == before) return std::nullopt;
  if (number.integer) {
    const size_t mixed = TakeMixedPart(text, end, number.value);
    if (mixed != end) number.integer = false;
    end = mixed;
  }
  if (number.value.find('/') == std::string::npos) end = TakeDenominator(text, end, number.value);
  number.span = {at, end};
  return number;
}

bool SameNumber(std::string_view a, std::string_view b) {
  const Rational x = Parse(a), y = Parse(b);
  if (x.fits && y.fits) return x.top * y.bottom == y.top * x.bottom;
  return Shortest(a) == Shortest(b);
}

std::optional<std::string> WholeNumber(std::string_view text) {
  const PlainText plain = PlainText::Of(text, 0, text.size());
  const auto number = NumberAt(plain.text, SkipDecoration(plain.text, 0));
  if (!number) return std::nullopt;
  const std::string_view rest = std::string_view(plain.text).substr(number->span.end);
  if (rest.find_first_not_of(" .%*_`$)]}\\\r\n\t") != std::string_view::npos) return std::nullopt;
  return number->value;
}

}  // namespace lem
