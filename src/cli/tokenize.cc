// SPDX-License-Identifier: EUPL-1.2
// lem tokenize: text to ids.
#include "pipelines/tokenize/tokenize.h"

#include "base/atomic_file.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/terminal.h"
#include "formats/json.h"

namespace lem::cli {

int Tokenize(const Arguments& arguments) {
  TokenizeOptions options;
  std::optional<std::string> text, file;
  bool no_special = false, json = false;
  Flags flags("tokenize --model MODEL (--text TEXT | --file FILE) [flags]",
              "Turns text into token ids, with the tokens a model's tokenizer adds by itself.");
  flags.Add("--model", options.model, "a model folder, a .gguf file, or a catalogue name")
      .Required();
  flags.Add("--text", text, "the text");
  flags.Add("--file", file, "a file with the text; - reads standard input");
  flags.Add("--chat", options.chat,
            "the text is messages JSON, rendered through the chat template");
  flags.Add("--chat-template", options.chat_template, "auto, none, a built-in name, or a file");
  flags.Add("--add-generation-prompt", options.generation_prompt,
            "with --chat: end where the answer begins");
  flags.Add("--no-special", no_special, "do not add BOS or EOS");
  flags.Add("--json", json, "print {\"ids\":[..],\"tokens\":[..]}");
  if (!flags.Parse(arguments)) return 0;
  options.special = !no_special;
  if (text.has_value() == file.has_value()) {
    FailUsage("expected either --text or --file, found ", text ? "both" : "neither");
  }
  const std::string input = text ? *text : ReadTextFile(*file == "-" ? "/dev/stdin" : *file);
  TerminalProgress progress;
  const TokenizeResult result = TokenizeText(options, input, text ? "--text" : *file, progress);
  if (json) {
    Json out = Json::MakeObject(), ids = Json::MakeArray(), tokens = Json::MakeArray();
    for (const int32_t id : result.ids) ids.Append(Json(id));
    for (const std::string& token : result.tokens) tokens.Append(Json(token));
    out.Set("ids", ids);
    out.Set("tokens", tokens);
    Print(out.Dump() + "\n");
    return 0;
  }
  std::string line;
  for (const int32_t id : result.ids) line += (line.empty() ? "" : " ") + std::to_string(id);
  Print(line + "\n");
  return 0;
}

}  // namespace lem::cli
