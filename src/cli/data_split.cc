// SPDX-License-Identifier: EUPL-1.2
// lem data split: one file into a training and a validation side.
#include <fmt/format.h>

#include "base/error.h"
#include "cli/data_commands.h"
#include "cli/flags.h"
#include "cli/terminal.h"
#include "formats/json.h"
#include "pipelines/data/split.h"

namespace lem::cli {
namespace {

void PrintResult(const SplitResult& result, bool json) {
  if (json) {
    Json out = Json::MakeObject();
    out.Set("train", Json(result.train.string()));
    out.Set("valid", Json(result.valid.string()));
    out.Set("train_rows", Json(result.train_rows));
    out.Set("valid_rows", Json(result.valid_rows));
    out.Set("groups", Json(result.groups));
    Print(out.Dump() + "\n");
    return;
  }
  Print(fmt::format("{}: {} rows\n{}: {} rows\n", result.train.string(), result.train_rows,
                    result.valid.string(), result.valid_rows));
}

}  // namespace

int DataSplit(const Arguments& arguments) {
  SplitOptions options;
  std::optional<int> valid;
  std::string to;
  bool json = false;
  Flags flags("data split FILE (--valid N | --ratio R) [flags]",
              "Divides conversations into train.jsonl and valid.jsonl by a seed; near-duplicates "
              "stay on one side.");
  flags.Positional("FILE", options.file, "JSONL conversations");
  flags.Add("--valid", valid, "rows of the validation side");
  flags.Add("--ratio", options.ratio, "or its share of the rows");
  flags.Add("--seed", options.seed, "which rows are drawn");
  flags.Add("--near", options.near,
            "share of common word triples from which two texts are near-duplicates");
  flags.Add("--to", to, "folder for the two files (default: the file's own)");
  flags.Add("--overwrite", options.overwrite, "replace files that are there");
  flags.Add("--json", json, "print exactly one JSON object on stdout");
  if (!flags.Parse(arguments)) return 0;
  if (valid && flags.Seen("--ratio")) FailUsage("expected --valid or --ratio, found both");
  if (valid && *valid < 1) FailUsage("--valid: expected 1 or more, found ", *valid);
  if (!(options.ratio > 0 && options.ratio < 1)) {
    FailUsage("--ratio: expected a share between 0 and 1, found ", options.ratio);
  }
  if (!(options.near > 0 && options.near <= 1)) {
    FailUsage("--near: expected a share above 0 and at most 1, found ", options.near);
  }
  options.valid = valid.value_or(0);
  options.to = to;
  const SplitResult result = Split(options);
  if (result.valid_rows != result.wanted) {
    TerminalProgress progress;
    progress.Warn(
        fmt::format("{} validation rows instead of {}: groups of near-duplicates stay "
                    "on one side",
                    result.valid_rows, result.wanted));
  }
  PrintResult(result, json);
  return 0;
}

}  // namespace lem::cli
