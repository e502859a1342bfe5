// SPDX-License-Identifier: EUPL-1.2
// lem data fetch: benchmark files into the data folder.
#include <fmt/format.h>

#include "base/error.h"
#include "cli/data_commands.h"
#include "cli/flags.h"
#include "cli/terminal.h"
#include "formats/json.h"
#include "pipelines/data/fetch.h"
#include "pipelines/task.h"

namespace lem::cli {
namespace {

void PrintList(const std::filesystem::path& folder, bool json) {
  Json list = Json::MakeArray();
  for (const DataFile& file : DataCatalogue()) {
    const std::string_view state = NameOf(StateOf(file, folder));
    Json row = Json::MakeObject();
    row.Set("set", Json(file.set));
    row.Set("path", Json(file.path));
    row.Set("sha256", Json(file.sha256));
    row.Set("bytes", Json(file.bytes));
    row.Set("licence", Json(file.licence));
    row.Set("url", file.urls.empty() ? Json() : Json(file.urls[0]));
    row.Set("state", Json(state));
    list.Append(row);
    if (json) continue;
    Print(fmt::format("{:<46} {:>9}  {:<20} {}{}\n", file.path,
                      FormatBytes(static_cast<double>(file.bytes)), file.licence, state,
                      file.urls.empty() ? " (only with --from)" : ""));
  }
  Json out = Json::MakeObject();
  out.Set("folder", Json(folder.string()));
  out.Set("files", list);
  if (json) Print(out.Dump() + "\n");
}

int Report(const std::vector<FetchedFile>& fetched, const std::filesystem::path& folder,
           bool json) {
  Json list = Json::MakeArray();
  int missing = 0;
  for (const FetchedFile& file : fetched) {
    Json row = Json::MakeObject();
    row.Set("path", Json(file.path));
    row.Set("source", file.source.empty() ? Json() : Json(file.source));
    row.Set("problem", file.problem.empty() ? Json() : Json(file.problem));
    list.Append(row);
    if (!file.problem.empty()) {
      ++missing;
      PrintError("lem data fetch: " + file.path + ": " + file.problem + "\n");
    } else if (!json) {
      Print((folder / file.path).string() + ": " + file.source + "\n");
    }
  }
  Json out = Json::MakeObject();
  out.Set("folder", Json(folder.string()));
  out.Set("files", list);
  if (json) Print(out.Dump() + "\n");
  return missing > 0 ? 1 : 0;
}

}  // namespace

int DataFetch(const Arguments& arguments) {
  std::vector<std::string> names;
  std::string from, to;
  bool list = false, json = false;
  Flags flags("data fetch NAME... | --list [flags]",
              "Gets benchmark files, each checked by its SHA-256. They are other people's; --list "
              "shows their licences.");
  flags.Positional("NAME", names, "gsm8k, truthfulqa, do-not-answer, toxigen, a file, or all");
  flags.Add("--list", list, "show the files and whether they are there");
  flags.Add("--from", from, "copy from this folder instead of the network");
  flags.Add("--to", to, "the data folder (default $LEM_DATA, else $LEM_HOME/data)");
  flags.Add("--json", json, "print exactly one JSON object on stdout");
  if (!flags.Parse(arguments)) return 0;
  const std::filesystem::path folder = to.empty() ? DataFolder() : std::filesystem::path(to);
  if (list) {
    PrintList(folder, json);
    return 0;
  }
  if (names.empty()) FailUsage("expected the name of a data set, or --list; found neither");
  FetchOptions options;
  options.files = FindDataFiles(DataCatalogue(), names);
  options.from = from;
  options.to = folder;
  TerminalProgress progress;
  return Report(FetchData(options, progress), folder, json);
}

}  // namespace lem::cli
