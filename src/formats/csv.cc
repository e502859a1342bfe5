// SPDX-License-Identifier: EUPL-1.2
#include "formats/csv.h"

#include <algorithm>

#include "base/atomic_file.h"
#include "base/error.h"

namespace lem {
namespace {

class CsvReader {
 public:
  CsvReader(std::string_view text, std::string_view where) : text_(text), where_(where) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  }

  bool AtEnd() const { return at_ >= text_.size(); }

  CsvRecord NextRecord() {
    CsvRecord row;
    row.line = line_;
    do {
      row.fields.push_back(Peek() == '"' ? QuotedField() : PlainField());
    } while (Take(','));
    Take('\r');
    if (!AtEnd() && !Take('\n')) {
      Fail(where_, ":", line_, ": expected a comma or the end of the line after a quoted field");
    }
    ++line_;
    return row;
  }

 private:
  char Peek() const { return AtEnd() ? '\0' : text_[at_]; }
  bool Take(char c) {
    if (AtEnd() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::string PlainField() {
    const size_t end = std::min(text_.find_first_of(",\n", at_), text_.size());
    std::string_view field = text_.substr(at_, end - at_);
    at_ = end;
    if (field.ends_with('\r')) field.remove_suffix(1);
    return std::string(field);
  }

  std::string QuotedField() {
    const int64_t opened = line_;
    std::string field;
    ++at_;
    while (true) {
      if (AtEnd()) {
        Fail(where_, ":", opened, ": a quoted field begins here and is not closed");
      }
      const char c = text_[at_++];
      if (c == '"' && !Take('"')) return field;
      line_ += c == '\n';
      field += c;
    }
  }

  std::string_view text_, where_;
  size_t at_ = 0;
  int64_t line_ = 1;
};

bool IsBlank(const CsvRecord& row) { return row.fields.size() == 1 && row.fields[0].empty(); }

}  // namespace

int CsvTable::Column(std::string_view name) const {
  const auto found = std::ranges::find(header, name);
  return found == header.end() ? -1 : static_cast<int>(found - header.begin());
}

CsvTable ParseCsv(std::string_view text, std::string_view where) {
  CsvReader reader(text, where);
  CsvTable csv;
  while (!reader.AtEnd()) {
    CsvRecord row = reader.NextRecord();
    if (IsBlank(row)) continue;
    if (csv.header.empty()) {
      csv.header = std::move(row.fields);
      continue;
    }
    if (row.fields.size() != csv.header.size()) {
      Fail(where, ":", row.line, ": expected ", csv.header.size(),
           " fields as in the header, found ", row.fields.size());
    }
    csv.records.push_back(std::move(row));
  }
  if (csv.header.empty()) Fail(where, ": expected a header line, the file is empty");
  return csv;
}

CsvTable ReadCsvFile(const std::string& path) { return ParseCsv(ReadTextFile(path), path); }

}  // namespace lem
