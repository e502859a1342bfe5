// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/report/numbers.h"

#include <fmt/format.h>

#include <cmath>

namespace lem {

std::string EscapeHtml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        // Control characters other than white space are not allowed in HTML.
        out += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? ' ' : c;
    }
  }
  return out;
}

std::string AnchorOf(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.';
    out += plain ? std::string(1, c) : fmt::format("_{:02x}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string FormatNumber(double value, int decimals, bool sign) {
  if (std::abs(value) * std::pow(10, decimals) < 0.5) value = 0;  // no "-0.000"
  return sign ? fmt::format("{:+.{}f}", value, decimals) : fmt::format("{:.{}f}", value, decimals);
}

std::string NumberBook::Html(const std::string& address, double value, int decimals, bool sign) {
  const Entry entry{fmt::format("{}", value), FormatNumber(value, decimals, sign)};
  entries_[address] = entry;
  return "<data value=\"" + entry.value + "\" data-n=\"" + EscapeHtml(address) + "\">" +
         entry.text + "</data>";
}

}  // namespace lem
