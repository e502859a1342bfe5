// SPDX-License-Identifier: EUPL-1.2
// lem pull: get a model.
#include "pipelines/pull/pull.h"

#include "base/error.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/terminal.h"
#include "formats/json.h"
#include "pipelines/pull/catalogue.h"

namespace lem::cli {
namespace {

void PrintList(bool json) {
  Json list = Json::MakeArray();
  for (const CatalogueEntry& entry : Catalogue()) {
    std::string name = "  " + entry.name;
    name.resize(26, ' ');
    if (!json) Print(name + entry.about + "; " + entry.licence + "\n");
    Json row = Json::MakeObject();
    row.Set("name", Json(entry.name));
    row.Set("about", Json(entry.about));
    row.Set("licence", Json(entry.licence));
    list.Append(row);
  }
  Json out = Json::MakeObject();
  out.Set("models", list);
  if (json) Print(out.Dump() + "\n");
}

}  // namespace

int Pull(const Arguments& arguments) {
  PullOptions options;
  std::string to;
  bool json = false, list = false;
  Flags flags(
      "pull NAME [flags]",
      "Gets a model into the store ($LEM_HOME, else ~/.cache/lem), resumes what was begun and "
      "checks "
      "its SHA-256. NAME is a catalogue name, hf:ORG/NAME[@REVISION], or the URL of a .gguf file. "
      "A token in HF_TOKEN is used for models that ask for one.");
  flags.Positional("name", options.name, "what to get", false);
  flags.Add("--to", to, "a folder other than the store");
  flags.Add("--list", list, "print the catalogue and get nothing");
  flags.Add("--json", json, "print exactly one JSON object on stdout");
  if (!flags.Parse(arguments)) return 0;
  if (list) {
    PrintList(json);
    return 0;
  }
  if (options.name.empty()) {
    FailUsage("expected a name: one of ", CatalogueNames(), ", hf:ORG/NAME or a URL");
  }
  options.to = to;
  TerminalProgress progress;
  const PullResult result = lem::Pull(options, progress);
  if (json) {
    Json out = Json::MakeObject();
    out.Set("path", Json(result.path.string()));
    out.Set("source", Json(result.source));
    out.Set("sha256", result.sha256.empty() ? Json() : Json(result.sha256));
    out.Set("bytes", Json(static_cast<int64_t>(result.bytes)));
    out.Set("licence", Json(result.licence));
    Print(out.Dump() + "\n");
    return 0;
  }
  Print(options.name + ": " + FormatBytes(static_cast<double>(result.bytes)) + " at " +
        result.path.string() + " (" + result.source + ")\n");
  if (!result.licence.empty()) Print("licence: " + result.licence + "\n");
  return 0;
}

}  // namespace lem::cli
