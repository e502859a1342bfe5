// SPDX-License-Identifier: EUPL-1.2
// lem report: kept scores as one page.
#include "pipelines/report/report.h"

#include <fmt/format.h>

#include <algorithm>

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

std::vector<std::string> SplitAt(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(separator, at), text.size());
    if (end > at) parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

// "A:B,A:C"
void ReadPairs(const std::vector<std::string>& texts, ReportOptions* options) {
  for (const std::string& text : texts) {
    auto& family = options->pairs.emplace_back();
    for (const std::string& pair : SplitAt(text, ',')) {
      const size_t colon = pair.find(':');
      if (colon == std::string::npos || colon == 0 || colon + 1 == pair.size())
        FailUsage("--pairs: expected A:B with names of models, found ", pair);
      family.emplace_back(pair.substr(0, colon), pair.substr(colon + 1));
    }
  }
}

// "NAME=M,M,M", or "NAME" without models.
std::pair<std::string, std::vector<std::string>> NameAndModels(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return {text, {}};
  return {text.substr(0, equals), SplitAt(text.substr(equals + 1), ',')};
}

// "BASE:NAME=M,M,M", or "BASE=B,B,B:NAME=M,M,M"
void ReadSeeds(const std::vector<std::string>& texts, ReportOptions* options) {
  for (const std::string& text : texts) {
    const size_t colon = text.find(':');
    if (colon == std::string::npos || text.find('=', colon) == std::string::npos)
      FailUsage("--seeds: expected BASE:NAME=MODEL,MODEL,..., found ", text);
    const auto [base, bases] = NameAndModels(text.substr(0, colon));
    const auto [name, models] = NameAndModels(text.substr(colon + 1));
    if (models.empty())
      FailUsage("--seeds: expected at least one model behind =, found none in ", text);
    options->seeds.push_back({base, name, models, bases});
  }
}

}  // namespace

int Report(const Arguments& arguments) {
  ReportOptions options;
  std::string html, markdown, recheck, preface;
  std::vector<std::string> pairs, seeds;
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
  flags.Add("--pairs", pairs,
            "compare just these models, A:B,A:C; each time it is given is one family for Holm's "
            "correction");
  flags.Add("--seeds", seeds,
            "models of one recipe and several seeds: BASE:NAME=MODEL,MODEL,..., or, where it went "
            "on from "
            "another's models, BASE=MODEL,MODEL,...:NAME=MODEL,MODEL,...");
  flags.Add("--calibration", options.calibrations,
            "files of lem judge calibrate, of judges whose run does not hold them");
  flags.Add("--family", options.comparison.family,
            "what Holm's correction covers: primary, all, or metric names with commas");
  flags.Section("The Markdown file");
  flags.Add("--preface", preface, "a text file to stand below the title");
  flags.Add("--published", options.published,
            "JSON lines of numbers that were printed elsewhere, to be recomputed beside them");
  flags.Add("--brief", options.brief, "comparisons alone, without the tables of scores");
  flags.Section("Further");
  flags.Add("--seed", options.comparison.seed, "seed of permutations and bootstraps");
  flags.Add("--json", json, "print exactly one JSON object on stdout");
  if (!flags.Parse(arguments)) return 0;
  if (!recheck.empty()) return RunRecheck(recheck, json);
  if (html.empty() && markdown.empty())
    FailUsage("expected --html FILE, --markdown FILE or --recheck FILE, found none of them");
  ReadPairs(pairs, &options);
  ReadSeeds(seeds, &options);
  if (!preface.empty()) options.preface = ReadTextFile(preface);
  while (options.preface.ends_with('\n')) options.preface.pop_back();
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
