// SPDX-License-Identifier: EUPL-1.2
// lem report: kept scores as one page.
#include "pipelines/report/report.h"

#include <fmt/format.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/terminal.h"
#include "formats/json.h"

namespace lem::cli {
namespace {

int RunRecheck(const std::string& page, bool json) {
  TerminalProgress progress;
  const RecheckResult result = Recheck(page, progress);
  if (json) {
    Json out = Json::MakeObject(), differences = Json::MakeArray();
    for (const std::string& difference : result.differences) differences.Append(Json(difference));
    out.Set("numbers", Json(result.numbers));
    out.Set("differences", differences);
    Print(out.Dump() + "\n");
  } else {
    for (const std::string& difference : result.differences) Print(difference + "\n");
    Print(fmt::format("{} numbers recomputed, {} differ\n", result.numbers,
                      result.differences.size()));
  }
  return result.differences.empty() ? 0 : 1;
}

}  // namespace

int Report(const Arguments& arguments) {
  ReportOptions options;
  std::string html, markdown, recheck;
  bool json = false;
  Flags flags("report RUN... --html FILE | --markdown FILE | --recheck FILE",
              "Writes the scores of one or more runs as one self-contained page: comparisons "
              "first, every number with "
              "its interval, what is missing, and the items behind it. --recheck recomputes a "
              "page's numbers from its runs.");
  flags.Positional("run", options.runs, "run folders");
  flags.Add("--html", html, "write this HTML page");
  flags.Add("--markdown", markdown, "write this Markdown file");
  flags.Add("--recheck", recheck, "recompute every number printed on this page");
  flags.Add("--title", options.title, "the page's title");
  flags.Add("--all-pairs", options.all_pairs,
            "compare all models with each other, not only with the first");
  flags.Add("--family", options.comparison.family,
            "what Holm's correction covers: primary, all, or metric names with commas");
  flags.Add("--seed", options.comparison.seed, "seed of permutations and bootstraps");
  flags.Add("--json", json, "print exactly one JSON object on stdout");
  if (!flags.Parse(arguments)) return 0;
  if (!recheck.empty()) return RunRecheck(recheck, json);
  if (html.empty() && markdown.empty())
    FailUsage("expected --html FILE, --markdown FILE or --recheck FILE, found none of them");
  TerminalProgress progress;
  Json written = Json::MakeArray();
  if (!html.empty()) {
    WriteFileAtomically(html, HtmlReport(options, html, progress));
    written.Append(Json(html));
  }
  if (!markdown.empty()) {
    WriteFileAtomically(markdown, MarkdownReport(options, progress));
    written.Append(Json(markdown));
  }
  if (json) {
    Json out = Json::MakeObject();
    out.Set("written", written);
    Print(out.Dump() + "\n");
  } else {
    for (const Json& file : written.array()) Print("wrote " + file.string() + "\n");
  }
  return 0;
}

}  // namespace lem::cli
