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

// Models that one recipe gave with several seeds, compared together with the model `base`; or, when
// `bases` holds as many models, each with its own, and `base` is what those are called.
struct ReportSeeds {
  std::string base, name;
  std::vector<std::string> models;
  std::vector<std::string> bases{};
};

struct ReportOptions {
  std::vector<std::string> runs;
  // Which comparisons: the first model against each other one, or "all" pairs; or, when any pairs
  // or seeds are named, exactly those. Each inner list of pairs is one family for Holm's
  // correction.
  bool all_pairs = false;
  std::vector<std::vector<std::pair<std::string, std::string>>> pairs;
  std::vector<ReportSeeds> seeds;
  // Files of `lem judge calibrate`, for judges whose run does not hold their calibration.
  std::vector<std::string> calibrations;
  ComparisonOptions comparison;
  std::string title = "Evaluation report";
  // Of the Markdown file only: a text below the title; a file of numbers that were published, to be
  // shown beside those of the runs (published.h); comparisons and seeds alone.
  std::string preface, published;
  bool brief = false;
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
