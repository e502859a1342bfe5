// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/report/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/version.h"
#include "pipelines/report/html_page.h"
#include "pipelines/report/report_data.h"

namespace lem {
namespace fs = std::filesystem;
namespace {

std::string Cell(std::string text) {
  for (size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2)
    text.replace(at, 1, "\\|");
  return text;
}

std::string OptionalText(const std::optional<double>& value, int decimals) {
  return value ? FormatNumber(*value, decimals) : "-";
}

void MarkdownComparison(const ComparisonSet& set, std::string* out) {
  *out += fmt::format(
      "\n### {} -> {}\n\nDifference = second - first, paired by item, {:.0f} % intervals. * marks "
      "the declared family ({}; Holm); the others are exploratory (Benjamini-Hochberg).\n\n",
      set.model_a, set.model_b, 100 * set.level, set.family);
  for (const std::string& warning : set.warnings) *out += "- note: " + warning + "\n";
  *out +=
      "| task | metric | n | missing | first | second | difference | interval | p | adjusted | "
      "gained/lost | visible |\n|---|---|--:|--:|--:|--:|--:|---|--:|--:|--:|--:|\n";
  for (const Comparison& c : set.comparisons) {
    *out += fmt::format(
        "| {}{}{} | {} | {} | {} | {} | {} | {} | [{}, {}] | {} | {} | {}/{} | {} |\n",
        c.in_family ? "* " : "", Cell(c.task),
        c.subset.empty() ? "" : " (subset: " + c.subset + ")", Cell(c.metric), c.n, c.missing,
        FormatNumber(c.a, 3), FormatNumber(c.b, 3), FormatNumber(c.difference, 3, true),
        FormatNumber(c.ci.low, 3, true), FormatNumber(c.ci.high, 3, true), OptionalText(c.p, 4),
        OptionalText(c.p_adjusted, 4), c.gained.size(), c.lost.size(),
        OptionalText(c.detectable, 3));
  }
}

void MarkdownScores(const ReportData& data, std::string* out) {
  *out +=
      "\n## Scores\n\n| task | metric | model | value | 95 % interval | n | missing "
      "|\n|---|---|---|--:|---|--:|--:|\n";
  for (const std::string& task : data.tasks) {
    for (const ReportSummary& row : data.summaries) {
      const Summary& s = row.summary;
      if (s.task != task) continue;
      *out += fmt::format(
          "| {}{} | {} | {} | {} | {} | {} | {} |\n", Cell(task),
          s.subset.empty() ? "" : " (subset: " + s.subset + ")", Cell(s.metric),
          Cell(data.models[row.model].label), s.value ? FormatNumber(*s.value, 3) : "not there",
          s.low && s.high ? "[" + FormatNumber(*s.low, 3) + ", " + FormatNumber(*s.high, 3) + "]"
                          : "-",
          s.n, s.missing);
    }
    for (const Baseline& b : data.baselines) {
      if (b.task == task)
        *out += fmt::format("| {} | {} | *{}* | {} | - | {} | |\n", Cell(task), b.metric, b.rule,
                            FormatNumber(b.value, 3), b.n);
    }
  }
}

// --- recheck
// -----------------------------------------------------------------------------------------------

std::string Unescape(std::string text) {
  const std::pair<const char*, const char*> kEntities[] = {
      {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&#39;", "'"}, {"&amp;", "&"}};
  for (const auto& [entity, character] : kEntities) {
    for (size_t at = 0; (at = text.find(entity, at)) != std::string::npos; ++at)
      text.replace(at, std::string_view(entity).size(), character);
  }
  return text;
}

// The text between `before` and `after`, from `at` on; moves `at` behind it. False when there is
// none.
bool Between(const std::string& page, std::string_view before, std::string_view after, size_t* at,
             std::string* out) {
  const size_t begin = page.find(before, *at);
  if (begin == std::string::npos) return false;
  const size_t end = page.find(after, begin + before.size());
  if (end == std::string::npos) return false;
  *out = page.substr(begin + before.size(), end - begin - before.size());
  *at = end + after.size();
  return true;
}

ReportOptions OptionsOfPage(const std::string& html, const fs::path& page) {
  ReportOptions options;
  size_t at = 0;
  std::string text;
  if (!Between(html, "<meta name=\"lem-options\" content=\"", "\">", &at, &text)) {
    Fail(page.string(), ": expected a page written by lem report, found none of its marks");
  }
  const Json json = Json::Parse(Unescape(text), page.string());
  const std::string where = page.string();
  options.title = json.At("title", where).AsString(where);
  options.all_pairs = json.At("all_pairs", where).AsBool(where);
  options.comparison.family = json.At("family", where).AsString(where);
  options.comparison.level = json.At("level", where).AsNumber(where);
  options.comparison.margin = json.At("margin", where).AsNumber(where);
  options.comparison.seed = static_cast<uint64_t>(json.At("seed", where).AsInteger(where));
  while (Between(html, "<meta name=\"lem-run\" content=\"", "\">", &at, &text)) {
    options.runs.push_back(
        (fs::absolute(page).parent_path() / Unescape(text)).lexically_normal().string());
  }
  return options;
}

void CheckNumber(const std::string& address, const NumberBook::Entry& printed,
                 const std::map<std::string, NumberBook::Entry>& expected, RecheckResult* result) {
  ++result->numbers;
  const auto found = expected.find(address);
  if (found == expected.end()) {
    result->differences.push_back(address + ": printed as " + printed.text +
                                  ", but the runs give no such number");
  } else if (found->second.value != printed.value || found->second.text != printed.text) {
    result->differences.push_back(address + ": printed as " + printed.text + " (" + printed.value +
                                  "), recomputed as " + found->second.text + " (" +
                                  found->second.value + ")");
  }
}

}  // namespace

std::string HtmlReport(const ReportOptions& options, const fs::path& page, Progress& progress) {
  const ReportData data = BuildReport(options, progress);
  NumberBook book;
  return WriteHtmlPage(data, options, page, &book);
}

std::string MarkdownReport(const ReportOptions& options, Progress& progress) {
  const ReportData data = BuildReport(options, progress);
  std::string out =
      "# " + options.title + "\n\nWritten by `lem report --markdown`, lem " + kVersion + ".\n";
  if (!data.comparisons.empty()) out += "\n## Comparisons\n";
  for (const ComparisonSet& set : data.comparisons) MarkdownComparison(set, &out);
  MarkdownScores(data, &out);
  return out;
}

RecheckResult Recheck(const fs::path& page, Progress& progress) {
  const std::string html = ReadTextFile(page);
  const ReportOptions options = OptionsOfPage(html, page);
  const ReportData data = BuildReport(options, progress);
  NumberBook book;
  WriteHtmlPage(data, options, page, &book);
  RecheckResult result;
  size_t at = 0;
  std::string value, address, text;
  while (Between(html, "<data value=\"", "\"", &at, &value) &&
         Between(html, " data-n=\"", "\">", &at, &address) &&
         Between(html, "", "</data>", &at, &text)) {
    CheckNumber(Unescape(address), {value, text}, book.entries(), &result);
  }
  if (result.numbers == 0) Fail(page.string(), ": expected numbers on this page, found none");
  return result;
}

}  // namespace lem
