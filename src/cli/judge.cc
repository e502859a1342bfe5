// SPDX-License-Identifier: EUPL-1.2
// lem judge calibrate: how far a judge can be trusted.
#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/machine_flags.h"
#include "cli/terminal.h"
#include "formats/json.h"
#include "pipelines/judge/calibrate.h"

namespace lem::cli {
namespace {

std::string Number(const Json& row, const char* key) {
  const Json* value = row.Find(key);
  const bool known = value != nullptr && value->IsNumber() && std::isfinite(value->number());
  return known ? fmt::format("{:.3f}", value->number()) : "-";
}

std::string WithRange(const Json& row, const std::string& key) {
  const Json* range = row.Find(key + "_ci95");
  std::string value = Number(row, key.c_str());
  if (value == "-" || range == nullptr || range->size() != 2) return value;
  const Json::Array& ends = range->array();
  if (!ends[0].IsNumber() || !ends[1].IsNumber()) return value;
  return fmt::format("{} [{:.3f}, {:.3f}]", value, ends[0].number(), ends[1].number());
}

void PrintMetric(const std::string& name, const Json& row) {
  Print(fmt::format("{} ({} answers)\n", name, row.Find("n")->integer()));
  const std::pair<const char*, const char*> lines[] = {
      {"kappa", "Cohen's kappa"},        {"ac1", "Gwet's AC1"},
      {"alpha", "Krippendorff's alpha"}, {"sensitivity", "sensitivity"},
      {"specificity", "specificity"},
  };
  Print(fmt::format("  {:<22}{}\n", "same label", Number(row, "observed")));
  for (const auto& [key, label] : lines) {
    if (row.Has(key)) Print(fmt::format("  {:<22}{}\n", label, WithRange(row, key)));
  }
  if (row.Has("human_rate")) {
    Print(fmt::format("  {:<22}{} by people, {} by the judge\n", "rate", Number(row, "human_rate"),
                      Number(row, "judged_rate")));
  }
}

void PrintCalibration(const Json& result) {
  Print(fmt::format("{} on {}: {} labelled answers\n", result.Find("judge")->string(),
                    result.Find("dataset")->string(), result.Find("rows")->integer()));
  for (const auto& [state, n] : result.Find("missing")->object()) {
    Print(fmt::format("  without a verdict, {}: {}\n", state, n.integer()));
  }
  for (const auto& [metric, row] : result.Find("metrics")->object()) PrintMetric(metric, row);
}

int Calibrate(const Arguments& arguments) {
  CalibrateOptions options;
  MachineFlags machine;
  std::optional<int> limit, max_requests;
  JudgeOptions& judge = options.judge;
  Flags flags("judge calibrate --judge JUDGE --on DATA [flags]",
              "Lets a judge grade answers that people have labelled, and says how far it agrees. "
              "The result is kept, and reports of runs with this judge show it.");
  flags.Add("--judge", judge.judge, "local:MODEL, openai:URL#MODEL or gemini:MODEL").Required();
  flags.Add("--on", options.dataset, "whose labels").Required();
  flags.OneOf({"do-not-answer", "truthfulqa", "toxigen"});
  flags.Add("--limit", limit, "only so many answers, drawn by --seed");
  flags.Add("--out", options.out, "a further copy of the result, as JSON");
  flags.Section("The judge");
  flags.Add("--concurrency", judge.concurrency, "of an endpoint: questions asked at once, at most");
  flags.Add("--max-requests", max_requests, "of an endpoint: stop asking after so many");
  flags.Add("--judge-timeout", judge.timeout_seconds, "of an endpoint: seconds for one exchange");
  flags.Add("--dtype", judge.model.dtype, "of a local judge")
      .OneOf({"bfloat16", "int8", "float32"});
  flags.Add("--device", judge.model.device, "of a local judge").OneOf({"auto", "cpu", "cuda"});
  flags.Add("--seed", judge.seed, "of drawn answers and of the order of what is shown");
  machine.AddTo(flags);
  if (!flags.Parse(arguments)) return 0;
  machine.Apply();
  if (limit && *limit < 1) FailUsage("--limit: expected 1 or more, found ", *limit);
  if (judge.concurrency < 1) FailUsage("--concurrency: expected 1 or more");
  options.limit = limit.value_or(0);
  judge.max_requests = max_requests.value_or(0);
  TerminalProgress progress;
  const Json result = CalibrateJudge(options, progress);
  if (machine.json) {
    Print(result.Dump() + "\n");
  } else {
    PrintCalibration(result);
  }
  return 0;
}

}  // namespace

int JudgeCommand(const Arguments& arguments) {
  const std::string what = arguments.empty() ? "" : arguments[0];
  if (what == "calibrate") return Calibrate(Arguments(arguments.begin() + 1, arguments.end()));
  if (what == "--help" || what == "-h") {
    Print(
        "usage: lem judge calibrate --judge JUDGE --on DATA [flags]\n\n"
        "`lem score RUN --judge JUDGE` judges the answers of a run.\n");
    return 0;
  }
  FailUsage("expected `lem judge calibrate`, found ", what.empty() ? "nothing" : what);
}

}  // namespace lem::cli
