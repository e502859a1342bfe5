// SPDX-License-Identifier: EUPL-1.2
// lem tokenize: text to ids.
#include "base/atomic_file.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/terminal.h"
#include "formats/checkpoint.h"
#include "formats/json.h"
#include "model/config.h"
#include "pipelines/loaded_model.h"

namespace lem::cli {
namespace {

struct TokenizeOptions {
  std::string model, chat_template = "auto";
  std::optional<std::string> text, file;
  bool chat = false, generation_prompt = false, no_special = false, json = false;
};

std::vector<int32_t> EncodeChat(const TokenizeOptions& options, const Tokenizer& tokenizer,
                                const std::string& text, Progress& progress) {
  const auto path = ResolveModel(options.model);
  const ModelConfig config = ReadModelConfig(Checkpoint::Open(path));
  const TemplateChoice choice = ChooseTemplate(options.chat_template, tokenizer, config.family);
  if (choice.source.empty())
    FailUsage("--chat needs a template, and --chat-template none was given");
  if (choice.is_fallback)
    progress.Note("this model has no chat template; using the " + choice.origin + " one");
  Json messages = Json::Parse(text, options.file ? *options.file : "--text");
  if (const Json* inner = messages.Find("messages")) messages = Json(*inner);
  ChatTemplate::Options render;
  render.add_generation_prompt = options.generation_prompt;
  render.bos_token = tokenizer.bos_text();
  render.eos_token = tokenizer.eos_text();
  return tokenizer.Encode(
      ChatTemplate::Parse(choice.source, choice.origin).Render(messages, render), false);
}

}  // namespace

int Tokenize(const Arguments& arguments) {
  TokenizeOptions options;
  Flags flags("tokenize --model MODEL (--text TEXT | --file FILE) [flags]",
              "Turns text into token ids, with the tokens a model's tokenizer adds by itself.");
  flags.Add("--model", options.model, "a model folder, a .gguf file, or a catalogue name")
      .Required();
  flags.Add("--text", options.text, "the text");
  flags.Add("--file", options.file, "a file with the text; - reads standard input");
  flags.Add("--chat", options.chat,
            "the text is messages JSON, rendered through the chat template");
  flags.Add("--chat-template", options.chat_template, "auto, none, a built-in name, or a file");
  flags.Add("--add-generation-prompt", options.generation_prompt,
            "with --chat: end where the answer begins");
  flags.Add("--no-special", options.no_special, "do not add BOS or EOS");
  flags.Add("--json", options.json, "print {\"ids\":[..],\"tokens\":[..]}");
  if (!flags.Parse(arguments)) return 0;
  if (options.text.has_value() == options.file.has_value()) {
    FailUsage("expected either --text or --file, found ", options.text ? "both" : "neither");
  }
  const std::string text = options.text
                               ? *options.text
                               : ReadTextFile(*options.file == "-" ? "/dev/stdin" : *options.file);
  TerminalProgress progress;
  const Tokenizer tokenizer = Tokenizer::Load(ResolveModel(options.model));
  const std::vector<int32_t> ids = options.chat ? EncodeChat(options, tokenizer, text, progress)
                                                : tokenizer.Encode(text, !options.no_special);
  if (options.json) {
    Json out = Json::MakeObject(), id_list = Json::MakeArray(), tokens = Json::MakeArray();
    for (const int32_t id : ids) {
      id_list.Append(Json(id));
      tokens.Append(Json(tokenizer.Piece(id)));
    }
    out.Set("ids", id_list);
    out.Set("tokens", tokens);
    Print(out.Dump() + "\n");
    return 0;
  }
  std::string line;
  for (const int32_t id : ids) line += (line.empty() ? "" : " ") + std::to_string(id);
  Print(line + "\n");
  return 0;
}

}  // namespace lem::cli
