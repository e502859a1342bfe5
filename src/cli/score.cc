// SPDX-License-Identifier: EUPL-1.2
// lem score: grade kept answers.
#include "pipelines/score/score.h"

#include <fmt/format.h>

#include <optional>
#include <set>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/machine_flags.h"
#include "cli/terminal.h"
#include "cli/word_list.h"
#include "formats/json.h"
#include "pipelines/judge/judge_run.h"
#include "pipelines/summary.h"

namespace lem::cli {
namespace {

struct ScoreFlags {
  std::string run;
  std::vector<std::string> metrics;
  JudgeRunOptions judging;
};

std::string Number(const Summary& summary) {
  return summary.value ? fmt::format("{:.4f}", *summary.value) : "-";
}

std::string Range(const Summary& summary) {
  if (!summary.low) return "-";
  return fmt::format("[{:.4f}, {:.4f}]", *summary.low, *summary.high);
}

void PrintTable(const std::vector<Summary>& summaries) {
  std::string model, task;
  for (const Summary& summary : summaries) {
    if (summary.model != model || summary.task != task) {
      model = summary.model;
      task = summary.task;
      Print(fmt::format("\n{}  {}{}\n", model, task,
                        summary.subset.empty() ? "" : "  (subset: " + summary.subset + ")"));
      Print(fmt::format("  {:<32}{:>10}  {:<22}{:>7}{:>9}\n", "metric", "value", "95 % interval",
                        "n", "missing"));
    }
    Print(fmt::format("  {:<32}{:>10}  {:<22}{:>7}{:>9}\n", summary.metric, Number(summary),
                      Range(summary), summary.n, summary.missing));
  }
}

// The asked-for metrics alone, and of aggregates those asked for by name.
std::vector<Summary> Chosen(std::vector<Summary> summaries,
                            const std::vector<std::string>& metrics) {
  if (metrics.empty()) return summaries;
  const std::set<std::string> wanted(metrics.begin(), metrics.end());
  std::vector<Summary> chosen;
  for (Summary& summary : summaries) {
    const std::string name = summary.metric.substr(0, summary.metric.find('@'));
    if (wanted.count(name) != 0 || wanted.count(summary.metric) != 0) {
      chosen.push_back(std::move(summary));
    }
  }
  return chosen;
}

void JudgeFirst(RunFolder& run, const ScoreFlags& given, Progress& progress) {
  if (given.judging.judge.judge.empty()) return;
  const JudgeRunResult result = JudgeRun(run, given.judging, progress);
  progress.Note(fmt::format("{}: {} of {} answers judged now, {} before, {} without a verdict",
                            result.judge, result.judged, result.answers, result.kept,
                            result.failed));
}

}  // namespace

int Score(const Arguments& arguments) {
  ScoreFlags given;
  MachineFlags machine;
  std::optional<int> max_requests;
  JudgeOptions& judge = given.judging.judge;
  Flags flags("score RUN [--judge JUDGE] [--metric M,...] [flags]",
              "Grades the kept answers of a run folder; nothing is generated again. Judged metrics "
              "need a judge, and are shown as missing without one.");
  flags.Positional("RUN", given.run, "the run folder");
  flags.Add("--metric", given.metrics, "only these metrics; commas allowed");
  flags.Add("--judge", judge.judge, "local:MODEL, openai:URL#MODEL or gemini:MODEL");
  flags.Section("The judge");
  flags.Add("--concurrency", judge.concurrency, "of an endpoint: questions asked at once, at most");
  flags.Add("--max-requests", max_requests, "of an endpoint: stop asking after so many");
  flags.Add("--judge-timeout", judge.timeout_seconds, "of an endpoint: seconds for one exchange");
  flags.Add("--dtype", judge.model.dtype, "of a local judge")
      .OneOf({"bfloat16", "int8", "float32"});
  flags.Add("--device", judge.model.device, "of a local judge: auto, cpu or cuda");
  flags.Add("--seed", judge.seed, "of the order of what is shown to the judge");
  machine.AddTo(flags);
  if (!flags.Parse(arguments)) return 0;
  machine.Apply();
  judge.max_requests = max_requests.value_or(0);
  given.metrics = SplitAtCommas(given.metrics);
  given.judging.metrics = given.metrics;
  TerminalProgress progress;
  RunFolder run(given.run, RunFolder::Access::kWrite, progress);
  std::vector<std::string> further;  // aggregates are no metrics of an answer
  for (const std::string& name : given.metrics) {
    if (!IsAggregate(name)) further.push_back(name);
  }
  JudgeFirst(run, given, progress);
  ScoreRun(run, further, progress);
  const std::vector<Summary> summaries = Chosen(Summarise(run, run.scores()), given.metrics);
  if (machine.json) {
    Print(SummaryJson(summaries, run.manifest()).Dump() + "\n");
  } else {
    PrintTable(summaries);
  }
  return 0;
}

}  // namespace lem::cli
