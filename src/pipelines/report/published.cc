// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/report/published.h"

#include <fmt/format.h>

#include <charconv>

#include "base/error.h"
#include "pipelines/report/markdown_page.h"
#include "pipelines/report/numbers.h"

namespace lem {
namespace {

struct Printed {
  double value = 0;
  int decimals = 0;
};

// "+34.6 %" -> 34.6 with one decimal.
Printed ReadPrinted(const std::string& text, const std::string& where) {
  const size_t begin = text.starts_with('+') ? 1 : 0;
  Printed printed;
  const auto [end, error] =
      std::from_chars(text.data() + begin, text.data() + text.size(), printed.value);
  if (error != std::errc()) Fail(where, ": expected a printed number, found \"", text, "\"");
  const std::string digits(text.data() + begin, end);
  const size_t point = digits.find('.');
  printed.decimals = point == std::string::npos ? 0 : static_cast<int>(digits.size() - point - 1);
  return printed;
}

std::optional<double> MeanOf(const ReportData& data, const Json& row, const std::string& model,
                             const std::string& where) {
  const std::string& task = row.At("task", where).AsString(where);
  const std::string& metric = row.At("metric", where).AsString(where);
  for (const ReportSummary& summary : data.summaries) {
    const Summary& s = summary.summary;
    if (data.models[summary.model].label == model && s.task == task && s.metric == metric)
      return s.value;
  }
  return std::nullopt;
}

bool IsTrue(const Json& row, const char* key, const std::string& where) {
  const Json* value = row.Find(key);
  return value != nullptr && value->AsBool(where);
}

std::optional<double> Recomputed(const ReportData& data, const Json& row,
                                 const std::string& where) {
  std::optional<double> value = MeanOf(data, row, row.At("model", where).AsString(where), where);
  if (!value) return value;
  if (const Json* minus = row.Find("minus")) {
    const std::optional<double> from = MeanOf(data, row, minus->AsString(where), where);
    if (!from) return std::nullopt;
    value = *value - *from;
    if (IsTrue(row, "relative", where)) value = 100 * *value / *from;
  }
  return IsTrue(row, "percent", where) ? 100 * *value : *value;
}

std::string PublishedRow(const ReportData& data, const Json& row, const std::string& where,
                         int64_t* same) {
  const std::string& text = row.At("printed", where).AsString(where);
  const Printed printed = ReadPrinted(text, where);
  const std::optional<double> value = Recomputed(data, row, where);
  const Json* minus = row.Find("minus");
  const Json* note = row.Find("note");
  std::string models = row.At("model", where).AsString(where);
  if (minus != nullptr) models += " - " + minus->AsString(where);
  const std::string found =
      value ? FormatNumber(*value, printed.decimals, minus != nullptr) : "no such records";
  const bool agrees = value && FormatNumber(*value, printed.decimals) ==
                                   FormatNumber(printed.value, printed.decimals);
  *same += agrees ? 1 : 0;
  return fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n",
                     MarkdownCell(row.At("source", where).AsString(where)),
                     MarkdownCell(row.At("task", where).AsString(where)),
                     MarkdownCell(row.At("metric", where).AsString(where)), MarkdownCell(models),
                     MarkdownCell(text), found,
                     (agrees  ? "yes"
                      : value ? "**no**"
                              : "-") +
                         (note == nullptr ? "" : ": " + MarkdownCell(note->AsString(where))));
}

}  // namespace

std::string PublishedMarkdown(const ReportData& data, const std::string& file) {
  std::string rows;
  int64_t count = 0, same = 0;
  for (const JsonLine& line : ReadJsonLines(file)) {
    rows += PublishedRow(data, line.value, file + ":" + std::to_string(line.line), &same);
    ++count;
  }
  return fmt::format(
             "\n## Published numbers, recomputed\n\nWhat was printed, and what the recorded "
             "answers "
             "and grades give, rounded as printed: {} of {} agree.\n\n| printed in | task | metric "
             "| model | printed | from the records | same |\n|---|---|---|---|--:|--:|---|\n",
             same, count) +
         rows;
}

}  // namespace lem
