// SPDX-License-Identifier: EUPL-1.2
// lem chat: a conversation in the terminal.
#include <iostream>
#include <string>

#include "base/error.h"
#include "base/stop.h"
#include "cli/commands.h"
#include "cli/generate_flags.h"
#include "cli/machine_flags.h"
#include "cli/terminal.h"
#include "pipelines/generate/generate.h"

namespace lem::cli {
namespace {

constexpr char kHelp[] =
    "The command list:\n- 'q' to exit\n- 'r' to reset the conversation\n- 'h' to display these "
    "commands\n";

void Talk(Conversation& conversation) {
  for (std::string line;;) {
    Print(">> ");
    Flush();
    if (!std::getline(std::cin, line) || line == "q") return;
    if (line == "r") {
      conversation.Reset();
    } else if (line == "h") {
      Print(kHelp);
    } else if (!line.empty()) {
      conversation.Say(line, [](std::string_view piece) {
        Print(piece);
        Flush();
      });
      Print("\n");
    }
    if (StopRequested()) throw Interrupted("interrupted");
  }
}

}  // namespace

int Chat(const Arguments& arguments) {
  ModelOptions model_options;
  MachineFlags machine;
  GenerateFlags generate;
  generate.options.max_tokens = 256;
  Flags flags("chat --model MODEL [flags]",
              "Talks with a model. q leaves, r starts a new conversation, h lists the commands.");
  AddModelFlags(flags, model_options);
  generate.AddTo(flags);
  machine.AddTo(flags);
  if (!flags.Parse(arguments)) return 0;
  machine.Apply();
  generate.Apply();
  TerminalProgress progress;
  const auto model = LoadedModel::Open(model_options, progress);
  Conversation conversation(*model, generate.options);
  Print("[INFO] Starting chat session with " + model_options.model + ".\n" + kHelp);
  Talk(conversation);
  return 0;
}

}  // namespace lem::cli
