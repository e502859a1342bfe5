// SPDX-License-Identifier: EUPL-1.2
// lem import: answers that others recorded, as a run folder.
#include "pipelines/import/import.h"

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/machine_flags.h"
#include "cli/terminal.h"
#include "formats/json.h"

namespace lem::cli {
namespace {

Json Names(const std::vector<std::string>& names) {
  Json list = Json::MakeArray();
  for (const std::string& name : names) list.Append(Json(name));
  return list;
}

Json ToJson(const ImportOptions& options, const ImportResult& result) {
  Json out = Json::MakeObject();
  out.Set("run", Json(options.to));
  out.Set("models", Names(result.models));
  out.Set("tasks", Names(result.tasks));
  out.Set("answers", Json(result.answers));
  out.Set("kept", Json(result.kept));
  out.Set("unanswered", Json(result.unanswered));
  out.Set("judgements", Json(result.judgements));
  return out;
}

}  // namespace

int Import(const Arguments& arguments) {
  ImportOptions options;
  MachineFlags machine;
  Flags flags("import --format lem|lm-eval|answers --from PATH --to RUN",
              "Reads answers that others recorded into a run folder, so that they can be scored, "
              "compared and reported like any other. Importing the same again changes nothing.");
  flags.Add("--format", options.format,
            "lem: the original project's benchmarks folder; lm-eval: samples_*.jsonl, a file or a "
            "folder; answers: JSON lines {task, item, model, question, reference, response}");
  flags.OneOf({"lem", "lm-eval", "answers"}).Required();
  flags.Add("--from", options.from, "what to read").Required();
  flags.Add("--to", options.to, "the run folder").Required();
  machine.AddTo(flags);
  if (!flags.Parse(arguments)) return 0;
  machine.Apply();
  TerminalProgress progress;
  const ImportResult result = ImportRun(options, progress);
  if (machine.json) {
    Print(ToJson(options, result).Dump() + "\n");
    return 0;
  }
  Print(fmt::format("{} rows ({} without an answer), {} recorded grades; tasks {}; models {}\n",
                    result.answers + result.kept, result.unanswered, result.judgements,
                    fmt::join(result.tasks, ", "), fmt::join(result.models, ", ")));
  Print(fmt::format("`lem score {}` grades them\n", options.to));
  return 0;
}

}  // namespace lem::cli
