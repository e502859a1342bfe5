// SPDX-License-Identifier: EUPL-1.2
// CSV as the data sets have it: newlines in quotes, a byte order mark, CRLF, no last line end.
#include "formats/csv.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/support/error_text.h"

namespace lem {
namespace {

using Fields = std::vector<std::string>;

TEST(Csv, ReadsQuotesNewlinesMarkAndCrlf) {
  const CsvTable table =
      ParseCsv("\xEF\xBB\xBFid,text\r\n1,\"two\nlines, \"\"quoted\"\"\"\r\n\r\n2,", "t");
  EXPECT_EQ(table.header, (Fields{"id", "text"}));
  ASSERT_EQ(table.records.size(), 2);
  EXPECT_EQ(table.records[0].fields, (Fields{"1", "two\nlines, \"quoted\""}));
  EXPECT_EQ(table.records[0].line, 2);
  EXPECT_EQ(table.records[1].fields, (Fields{"2", ""}));
  EXPECT_EQ(table.records[1].line, 5);
  EXPECT_EQ(table.Column("text"), 1);
  EXPECT_EQ(table.Column("none"), -1);
}

TEST(Csv, RefusesWhatIsBroken) {
  const auto refusal = [](const std::string& text) {
    return testing::ErrorText([&] { ParseCsv(text, "t"); });
  };
  EXPECT_EQ(refusal("a,b\n1,\"x\n"), "t:2: a quoted field begins here and is not closed");
  EXPECT_EQ(refusal("a,b\n1\n"), "t:2: expected 2 fields as in the header, found 1");
  EXPECT_EQ(refusal("a,b\n\"1\"x,2\n"),
            "t:2: expected a comma or the end of the line after a quoted field");
  EXPECT_EQ(refusal(""), "t: expected a header line, the file is empty");
}

RC_GTEST_PROP(Csv, ReadsBackWhatIsQuoted, (std::vector<std::pair<std::string, std::string>> rows)) {
  std::string text = "a,b\n";
  const auto quoted = [](const std::string& field) {
    std::string out = "\"";
    for (const char c : field) out += c == '"' ? std::string("\"\"") : std::string(1, c);
    return out + "\"";
  };
  for (const auto& [a, b] : rows) text += quoted(a) + "," + quoted(b) + "\n";
  const CsvTable table = ParseCsv(text, "t");
  RC_ASSERT(table.records.size() == rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    RC_ASSERT(table.records[i].fields == (Fields{rows[i].first, rows[i].second}));
  }
}

}  // namespace
}  // namespace lem
