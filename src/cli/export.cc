// SPDX-License-Identifier: EUPL-1.2
// lem export: a run folder in the layout of lm-evaluation-harness.
#include "pipelines/export/export.h"

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/machine_flags.h"
#include "cli/terminal.h"
#include "cli/word_list.h"
#include "formats/json.h"

namespace lem::cli {

int Export(const Arguments& arguments) {
  ExportOptions options;
  MachineFlags machine;
  std::string format = "lm-eval";
  Flags flags("export RUN --to DIR [flags]",
              "Writes the answers of a run as lm-evaluation-harness logs them, one folder per "
              "model: results_*.json and samples_*.jsonl.");
  flags.Positional("RUN", options.run, "the run folder");
  flags.Add("--to", options.to, "the folder to write to").Required();
  flags.Add("--format", format, "the layout").OneOf({"lm-eval"});
  flags.Add("--models", options.models, "only these models; commas allowed");
  machine.AddTo(flags);
  if (!flags.Parse(arguments)) return 0;
  machine.Apply();
  options.models = SplitAtCommas(options.models);
  TerminalProgress progress;
  const ExportResult result = ExportRun(options, progress);
  if (machine.json) {
    Json files = Json::MakeArray(), out = Json::MakeObject();
    for (const std::string& file : result.files) files.Append(Json(file));
    out.Set("files", std::move(files));
    out.Set("rows", Json(result.rows));
    Print(out.Dump() + "\n");
    return 0;
  }
  for (const std::string& file : result.files) Print(file + "\n");
  Print(fmt::format("{} rows\n", result.rows));
  return 0;
}

}  // namespace lem::cli
