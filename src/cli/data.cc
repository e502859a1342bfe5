// SPDX-License-Identifier: EUPL-1.2
// lem data: lint, overlap, split and fetch.
#include "base/error.h"
#include "cli/data_commands.h"
#include "cli/terminal.h"

namespace lem::cli {
namespace {

struct Action {
  const char* name;
  const char* about;
  int (*run)(const Arguments& arguments);
};

constexpr Action kActions[] = {
    {"lint", "look for what no training file should hold", DataLint},
    {"overlap", "look for words that a training file shares with evaluation sets", DataOverlap},
    {"split", "divide a file into train.jsonl and valid.jsonl", DataSplit},
    {"fetch", "get benchmark files by address and SHA-256", DataFetch},
};

void PrintUsage() {
  std::string text = "usage: lem data <action> [flags]        lem data <action> --help\n\n";
  for (const Action& action : kActions) {
    std::string name = std::string("  ") + action.name;
    name.resize(14, ' ');
    text += name + action.about + "\n";
  }
  Print(text);
}

}  // namespace

int Data(const Arguments& arguments) {
  const std::string name = arguments.empty() ? "" : arguments[0];
  if (name == "--help" || name == "-h") {
    PrintUsage();
    return 0;
  }
  for (const Action& action : kActions) {
    if (name == action.name) return action.run({arguments.begin() + 1, arguments.end()});
  }
  FailUsage("expected lint, overlap, split or fetch, found ", name.empty() ? "nothing" : name);
}

}  // namespace lem::cli
