// SPDX-License-Identifier: EUPL-1.2
// Kept scores -> one page: every number with its interval, its missing items and the items behind
// it; and the check that recomputes a page's numbers from its runs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pipelines/comparison.h"
#include "pipelines/progress.h"

namespace lem {

struct ReportOptions {
  std::vector<std::string> runs;
  // Which comparisons: the first model against each other one, or "all" pairs.
  bool all_pairs = false;
  ComparisonOptions comparison;
  std::string title = "Evaluation report";
};

// One self-contained HTML page: no network, no external file. Run folders are remembered relative
// to `page`.
std::string HtmlReport(const ReportOptions& options, const std::filesystem::path& page,
                       Progress& progress);
// The tables of the same report for a text file.
std::string MarkdownReport(const ReportOptions& options, Progress& progress);

struct RecheckResult {
  int64_t numbers = 0;                   // found on the page
  std::vector<std::string> differences;  // one sentence each; empty: all as printed
};
// Reads a page written by HtmlReport, recomputes every printed number from its run folders. Throws
// Error when the page is no such page or a run is gone.
RecheckResult Recheck(const std::filesystem::path& page, Progress& progress);

}  // namespace lem
