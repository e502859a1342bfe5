// SPDX-License-Identifier: EUPL-1.2
// lem compare: two models on the same items, paired, with what this sample could have shown.
#include <fmt/format.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/terminal.h"
#include "pipelines/comparison.h"

namespace lem::cli {
namespace {

std::vector<std::string> SplitList(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= text.size() && !text.empty();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    if (comma > at) parts.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return parts;
}

std::string OnlyModel(const RunFolder& run) {
  const auto models = run.manifest().model_names();
  if (models.size() == 1) return models[0];
  std::string names;
  for (const std::string& name : models) names += (names.empty() ? "" : ", ") + name;
  FailUsage(run.path().string(), ": expected a run of one model, found ", models.size(), " (",
            names, "); choose two with --models A,B");
}

std::string FormatP(const std::optional<double>& p) {
  if (!p) return "-";
  return *p < 0.001 ? "<0.001" : fmt::format("{:.3f}", *p);
}

void PrintTable(const ComparisonSet& set) {
  Print(fmt::format("{} -> {}   difference = {} - {}, {:.0f} % intervals, paired by item\n",
                    set.model_a, set.model_b, set.model_b, set.model_a, 100 * set.level));
  Print(fmt::format("family: {} (Holm); the others are exploratory (Benjamini-Hochberg)\n\n",
                    set.family));
  if (TerminalWidth() >= 110) {
    Print(fmt::format("{:<1} {:<34} {:>5} {:>4} {:>8} {:>8} {:>9} {:>20} {:>7} {:>7} {:>6} {:>9}\n",
                      "", "task metric", "n", "miss", "a", "b", "diff", "interval", "p", "p adj",
                      "+/-", "visible"));
  }
  for (const Comparison& c : set.comparisons) {
    const std::string name = c.task + " " + c.metric.substr(c.metric.find('.') + 1);
    const std::string interval =
        c.ci ? fmt::format("[{:+.3f}, {:+.3f}]", c.ci->low, c.ci->high) : "-";
    const std::string visible = c.detectable ? fmt::format("{:.3f}", *c.detectable) : "-";
    const std::string moved = fmt::format("{}/{}", c.gained.size(), c.lost.size());
    if (TerminalWidth() >= 110) {
      Print(fmt::format(
          "{:<1} {:<34} {:>5} {:>4} {:>8.3f} {:>8.3f} {:>+9.3f} {:>20} {:>7} {:>7} {:>6} {:>9}\n",
          c.in_family ? "*" : "", name, c.n, c.missing, c.a, c.b, c.difference, interval,
          FormatP(c.p), FormatP(c.p_adjusted), moved, visible));
    } else {
      Print(
          fmt::format("{}{}\n    n {} (missing {}), {:.3f} -> {:.3f}, {:+.3f} {}\n    p {} "
                      "adjusted {}, gained/lost {}, visible {}\n",
                      c.in_family ? "* " : "  ", name, c.n, c.missing, c.a, c.b, c.difference,
                      interval, FormatP(c.p), FormatP(c.p_adjusted), moved, visible));
    }
  }
  Print(
      "\n* in the declared family. +/-: items gained and lost. visible: the smallest difference "
      "that this sample would\n"
      "show with 80 % power; a difference that is not significant is not \"the same\".\n");
}

}  // namespace

int Compare(const Arguments& arguments) {
  std::vector<std::string> runs;
  std::string models, tasks, metrics;
  ComparisonOptions options;
  bool json = false;
  Flags flags("compare RUN_A RUN_B [flags]   (or: compare RUN --models A,B)",
              "Compares two models on the items both answered: paired differences with intervals, "
              "tests corrected "
              "for their number, gained and lost items, and the smallest difference this sample "
              "could show.");
  flags.Positional("run", runs, "one or two run folders").Required();
  flags.Add("--models", models, "two model names, A,B");
  flags.Add("--task", tasks, "only these tasks, with commas");
  flags.Add("--metric", metrics, "only these metrics, with commas");
  flags.Add("--family", options.family,
            "what Holm's correction covers: primary, all, or metric names with commas");
  flags.Add("--margin", options.margin, "also test that B is not worse than A by more than this");
  flags.Add("--level", options.level, "level of the intervals");
  flags.Add("--seed", options.seed, "seed of permutations and bootstraps");
  flags.Add("--json", json, "print exactly one JSON object on stdout");
  if (!flags.Parse(arguments)) return 0;
  if (!(options.level > 0 && options.level < 1))
    FailUsage("--level: expected a number between 0 and 1");
  if (runs.size() > 2) FailUsage("expected one or two runs, found ", runs.size());
  options.tasks = SplitList(tasks);
  options.metrics = SplitList(metrics);
  TerminalProgress progress;
  const RunFolder first(runs[0], RunFolder::Access::kRead, progress);
  std::optional<RunFolder> second;
  if (runs.size() == 2) second.emplace(runs[1], RunFolder::Access::kRead, progress);
  RunSide a{&first, ""}, b{second ? &*second : &first, ""};
  if (const auto names = SplitList(models); names.size() == 2) {
    a.model = names[0], b.model = names[1];
  } else if (!names.empty() || !second) {
    FailUsage("--models: expected two names with a comma, found ", names.size());
  } else {
    a.model = OnlyModel(first), b.model = OnlyModel(*second);
  }
  const ComparisonSet set = CompareSides(a, b, options);
  for (const std::string& warning : set.warnings) progress.Warn(warning);
  if (json) {
    Print(ToJson(set).Dump() + "\n");
  } else {
    PrintTable(set);
  }
  return 0;
}

}  // namespace lem::cli
