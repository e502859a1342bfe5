// SPDX-License-Identifier: EUPL-1.2
// lem bench: answer the items of tasks, and keep the answers.
#include "pipelines/bench/bench.h"

#include <fmt/format.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/machine_flags.h"
#include "cli/terminal.h"
#include "cli/word_list.h"
#include "formats/json.h"

namespace lem::cli {
namespace {

Json Share(const std::optional<double>& share) { return share ? Json(*share) : Json(); }

Json ToJson(const BenchOptions& options, const BenchResult& result) {
  Json tasks = Json::MakeObject();
  for (const BenchTaskResult& task : result.tasks) {
    Json row = Json::MakeObject();
    row.Set("answers", Json(task.answers));
    row.Set("kept", Json(task.kept));
    row.Set("failed", Json(task.failed));
    row.Set("truncated", Json(task.truncated));
    row.Set("mean_tokens", task.mean_tokens ? Json(*task.mean_tokens) : Json());
    row.Set("subset", task.subset.empty() ? Json() : Json(task.subset));
    tasks.Set(task.task, std::move(row));
  }
  Json out = Json::MakeObject();
  out.Set("run", Json(options.out));
  out.Set("model", Json(result.model));
  out.Set("tasks", std::move(tasks));
  out.Set("prompt_tokens", Json(result.prompt_tokens));
  out.Set("generation_tokens", Json(result.generation_tokens));
  out.Set("prompt_tps", Json(result.prompt_tps));
  out.Set("generation_tps", Json(result.generation_tps));
  out.Set("seconds", Json(result.seconds));
  out.Set("peak_memory_bytes", Json(result.peak_memory_bytes));
  if (result.ceilings) {
    out.Set("gemm_flops", Json(result.ceilings->gemm_flops));
    out.Set("read_bytes_per_second", Json(result.ceilings->read_bytes_per_second));
    out.Set("prompt_gemm_share", Share(result.ceilings->prompts));
    out.Set("generation_memory_share", Share(result.ceilings->generation));
  }
  return out;
}

// A line each, none for what was not computed.
void PrintCeilings(const CeilingShares& shares) {
  if (shares.prompts) {
    Print(fmt::format("prompts reach {:.0f} % of the {:.0f} GFLOP/s of one large product here\n",
                      100 * *shares.prompts, shares.gemm_flops / 1e9));
  }
  if (shares.generation) {
    Print(fmt::format("answers read at {:.0f} % of the {:.1f} GB/s of this memory\n",
                      100 * *shares.generation, shares.read_bytes_per_second / 1e9));
  }
}

void PrintTable(const BenchOptions& options, const BenchResult& result) {
  Print(fmt::format("{:<24}{:>8}{:>8}{:>8}{:>10}{:>12}  {}\n", "task", "answers", "kept", "failed",
                    "cut off", "tokens each", "subset"));
  for (const BenchTaskResult& task : result.tasks) {
    const std::string tokens = task.mean_tokens ? fmt::format("{:.1f}", *task.mean_tokens) : "-";
    Print(fmt::format("{:<24}{:>8}{:>8}{:>8}{:>10}{:>12}  {}\n", task.task, task.answers, task.kept,
                      task.failed, task.truncated, tokens,
                      task.subset.empty() ? "all items" : task.subset));
  }
  Print(
      fmt::format("{} in {}; prompts {} tokens ({:.0f}/s), answers {} tokens ({:.0f}/s), peak {}\n",
                  result.model, FormatSeconds(result.seconds), result.prompt_tokens,
                  result.prompt_tps, result.generation_tokens, result.generation_tps,
                  FormatBytes(static_cast<double>(result.peak_memory_bytes))));
  if (result.ceilings) PrintCeilings(*result.ceilings);
  Print(
      fmt::format("the answers are in {}; `lem score {}` grades them\n", options.out, options.out));
}

void CheckRanges(const BenchOptions& options) {
  if (options.repeats < 1) FailUsage("--repeat: expected 1 or more, found ", options.repeats);
  if (options.max_batch < 1) FailUsage("--batch-size: expected 1 or more");
  if (options.temperature && !(*options.temperature >= 0)) {
    FailUsage("--temp: expected 0 or more, found ", *options.temperature);
  }
  if (options.max_tokens && *options.max_tokens < 1) {
    FailUsage("--max-tokens: expected 1 or more, found ", *options.max_tokens);
  }
}

}  // namespace

int Bench(const Arguments& arguments) {
  BenchOptions options;
  MachineFlags machine;
  std::optional<int> limit, sample;
  Flags flags(
      "bench --model MODEL --task T[,T...] | --suite NAME --out RUN [flags]",
      "Answers the items of tasks and keeps every answer in the run folder. The same command "
      "run again computes only what is missing or has failed.");
  flags.Add("--task", options.tasks, "tasks by name, or task files (.yaml, .json); commas allowed");
  flags.Add("--suite", options.suite, "small (ships, no download), standard, or upstream");
  flags.Add("--out", options.out, "the run folder; several models may share one").Required();
  flags.Add("--name", options.name, "the model's name in reports (default: its file name)");
  AddModelFlags(flags, options.model);
  flags.Section("Which items, and how");
  flags.Add("--limit", limit, "only the first so many items of each task");
  flags.Add("--sample", sample, "only so many items of each task, drawn by --seed");
  flags.Add("--repeat", options.repeats, "answers per item; needs --temp above 0 to differ");
  flags.Add("--temp", options.temperature, "temperature instead of the tasks' own (mostly 0)");
  flags.Add("--max-tokens", options.max_tokens, "length limit instead of the tasks' own");
  flags.Add("--batch-size", options.max_batch, "answers generated together; changes no result");
  flags.Add("--seed", options.seed, "of drawn items and drawn tokens");
  flags.Add("--ceilings", options.ceilings,
            "measure this machine's matrix products and memory, and say the share of them");
  machine.AddTo(flags);
  if (!flags.Parse(arguments)) return 0;
  machine.Apply();
  options.tasks = SplitAtCommas(options.tasks);
  if (limit && *limit < 1) FailUsage("--limit: expected 1 or more, found ", *limit);
  if (sample && *sample < 1) FailUsage("--sample: expected 1 or more, found ", *sample);
  options.limit = limit.value_or(0);
  options.sample = sample.value_or(0);
  CheckRanges(options);
  TerminalProgress progress;
  const BenchResult result = RunBench(options, progress);
  if (machine.json) {
    Print(ToJson(options, result).Dump() + "\n");
  } else {
    PrintTable(options, result);
  }
  return 0;
}

}  // namespace lem::cli
