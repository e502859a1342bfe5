// SPDX-License-Identifier: EUPL-1.2
// lem: teach a local language model an ethical kernel, and measure what that changed. The table of
// commands; the only place that catches errors and turns them into exit codes.
#include <csignal>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>

#include "base/error.h"
#include "base/stop.h"
#include "base/version.h"
#include "cli/commands.h"
#include "cli/terminal.h"

namespace {

using namespace lem::cli;

struct Command {
  const char* name;
  const char* summary;
  int (*run)(const Arguments& arguments);
};

constexpr Command kCommands[] = {
    {"pull", "get a model, and check its hash", Pull},
    {"tokenize", "turn text into token ids", Tokenize},
    {"perplexity", "measure how well a model predicts a text", Perplexity},
    {"generate", "answer prompts", Generate},
    {"chat", "talk with a model", Chat},
    {"convert", "change a model's format or number type", Convert},
    {"train", "fine-tune a model on conversations (lem lora is the same)", Train},
    {"fuse", "fold an adapter into its base model", Fuse},
    {"adapter", "change an adapter's format", Adapter},
    {"kernel", "show, check or render the kernel", Kernel},
    {"distill", "let a teacher write training data under the kernel", Distill},
    {"data", "check, compare, split and fetch data", Data},
    {"bench", "answer benchmark tasks, and keep the answers", Bench},
    {"score", "grade kept answers", Score},
    {"judge", "measure a judge against human labels", JudgeCommand},
    {"compare", "compare two models on the same items, paired", Compare},
    {"report", "write the scores as one page, or recheck a page", Report},
    {"import", "read answers that others recorded", Import},
    {"export", "write a run as lm-evaluation-harness does", Export},
    {"doctor", "what this machine can do", Doctor},
};

// A second Ctrl-C ends the program at once, for when saving itself hangs.
void OnInterrupt(int signal) {
  if (lem::StopRequested()) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  lem::RequestStop();
}

void InstallSignalHandlers() {
  struct sigaction action = {};
  action.sa_handler = OnInterrupt;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

void PrintUsage() {
  std::string text =
      "lem - teach a local language model an ethical kernel, and measure what that changed\n\n"
      "usage: lem <command> [flags]        lem <command> --help\n\n";
  for (const Command& command : kCommands) {
    std::string name = std::string("  ") + command.name;
    name.resize(14, ' ');
    text += name + Wrap(command.summary, TerminalWidth(), 14).substr(14) + "\n";
  }
  Print(text);
}

int Run(const Command& command, const Arguments& arguments) {
  const std::string prefix = std::string("lem ") + command.name + ": ";
  try {
    const int code = command.run(arguments);
    Flush();
    return code;
  } catch (const lem::UsageError& e) {
    PrintError(prefix + e.what() + "\n");
    return 2;
  } catch (const lem::Interrupted& e) {
    PrintError(prefix + e.what() + "\n");
    return 130;
  } catch (const lem::Error& e) {
    PrintError(prefix + e.what() + "\n");
    return 1;
  } catch (const std::bad_alloc&) {
    PrintError(prefix +
               "this machine ran out of memory; use a smaller model, batch or --max-seq-length\n");
    return 1;
  } catch (const std::exception& e) {  // the file system, mostly
    PrintError(prefix + e.what() + "\n");
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  InstallSignalHandlers();
  const std::string name = argc > 1 ? argv[1] : "";
  if (name.empty() || name == "--help" || name == "-h" || name == "help") {
    PrintUsage();
    return name.empty() ? 2 : 0;
  }
  if (name == "--version") {
    Print(std::string("lem ") + lem::kVersion + " (" + lem::kCommit + ")\n");
    return 0;
  }
  const Arguments arguments(argv + 2, argv + argc);
  for (const Command& command : kCommands) {
    if (name == command.name || (name == "lora" && std::string("train") == command.name)) {
      return Run(command, arguments);
    }
  }
  PrintError("lem: unknown command " + name + "; run `lem --help` for the list\n");
  return 2;
}
