// SPDX-License-Identifier: EUPL-1.2
// Printed numbers that can be found again: each carries its address, its exact value and its text.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace lem {

std::string EscapeHtml(std::string_view text);
// An id usable in HTML from any text.
std::string AnchorOf(std::string_view text);

// "0.251", "+0.013", "12": by the number of decimals; a sign for differences.
std::string FormatNumber(double value, int decimals, bool sign = false);

class NumberBook {
 public:
  // The number as HTML: <data value="0.2512..." data-n="address">0.251</data>. Each address is
  // printed any number of times with one value.
  std::string Html(const std::string& address, double value, int decimals, bool sign = false);

  struct Entry {
    std::string value, text;  // as written on the page
  };
  const std::map<std::string, Entry>& entries() const { return entries_; }

 private:
  std::map<std::string, Entry> entries_;
};

}  // namespace lem
