// SPDX-License-Identifier: EUPL-1.2
// CSV as RFC 4180 has it: quoted fields may hold commas, doubled quotes and newlines. A UTF-8 byte
// order mark is dropped; lines end in LF or CRLF; the last may lack its end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lem {

struct CsvRecord {
  int64_t line = 0;  // where it begins, 1-based; a quoted field may span several lines
  std::vector<std::string> fields;
};

struct CsvTable {
  std::vector<std::string> header;
  std::vector<CsvRecord> records;  // each has as many fields as the header

  int Column(std::string_view name) const;  // -1: absent
};

// Throws Error with line on a quote that is not closed, text after a closing quote, and a row with
// another number of fields than the header. Blank lines are skipped.
CsvTable ParseCsv(std::string_view text, std::string_view where);
CsvTable ReadCsvFile(const std::string& path);

}  // namespace lem
