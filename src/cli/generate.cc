// SPDX-License-Identifier: EUPL-1.2
// lem generate: answer one prompt, or many as one batch.
#include "pipelines/generate/generate.h"

#include <fmt/format.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/stop.h"
#include "cli/commands.h"
#include "cli/generate_flags.h"
#include "cli/machine_flags.h"
#include "cli/terminal.h"

namespace lem::cli {
namespace {

struct PromptFlags {
  std::vector<std::string> prompts;
  std::string file;
  bool verbose = true, ignore_chat_template = false;
};

// The two-character escapes \n and \t, as mlx_lm.generate expands them.
std::string ExpandEscapes(std::string text) {
  for (const auto& [escape, character] : {std::pair("\\n", '\n'), std::pair("\\t", '\t')}) {
    for (size_t at = 0; (at = text.find(escape, at)) != std::string::npos; ++at) {
      text.replace(at, 2, 1, character);
    }
  }
  return text;
}

std::vector<lem::Prompt> CollectPrompts(const PromptFlags& flags) {
  std::vector<lem::Prompt> prompts;
  for (const std::string& text : flags.prompts) {
    prompts.push_back({text == "-" ? ReadTextFile("/dev/stdin") : ExpandEscapes(text), Json()});
  }
  if (!flags.file.empty()) {
    for (lem::Prompt& prompt : ReadPrompts(flags.file)) prompts.push_back(std::move(prompt));
  }
  if (prompts.empty()) prompts.push_back({"hello", Json()});
  return prompts;
}

Json ToJson(const GenerateResult& result) {
  Json list = Json::MakeArray();
  for (const GeneratedText& answer : result.results) {
    Json row = Json::MakeObject(), ids = Json::MakeArray();
    for (const int32_t id : answer.ids) ids.Append(Json(id));
    row.Set("text", Json(answer.text));
    row.Set("ids", ids);
    row.Set("prompt_tokens", Json(answer.prompt_tokens));
    row.Set("generation_tokens", Json(answer.generation_tokens));
    row.Set("finish_reason", Json(answer.finish_reason));
    list.Append(row);
  }
  Json out = Json::MakeObject();
  out.Set("results", list);
  out.Set("prompt_tps", Json(result.prompt_tps));
  out.Set("generation_tps", Json(result.generation_tps));
  out.Set("peak_memory_bytes", Json(static_cast<int64_t>(result.peak_memory_bytes)));
  return out;
}

constexpr char kRule[] = "==========\n";

void PrintSpeeds(const GenerateResult& r) {
  int prompt_tokens = 0, generation_tokens = 0;
  for (const GeneratedText& answer : r.results) {
    prompt_tokens += answer.prompt_tokens;
    generation_tokens += answer.generation_tokens;
  }
  Print(
      fmt::format("Prompt: {} tokens, {:.3f} tokens-per-sec\nGeneration: {} tokens, {:.3f} "
                  "tokens-per-sec\nPeak memory: {:.3f} GB\n",
                  prompt_tokens, r.prompt_tps, generation_tokens, r.generation_tps,
                  static_cast<double>(r.peak_memory_bytes) / 1e9));
}

// One prompt streams; several are printed whole, in order.
GenerateResult Run(LoadedModel& model, const std::vector<lem::Prompt>& prompts,
                   const GenerateOptions& options, const PromptFlags& flags, bool json,
                   TerminalProgress& progress) {
  const bool stream = prompts.size() == 1 && !json;
  if (stream && flags.verbose) Print(kRule);
  if (!stream) progress.Begin("answers", static_cast<int64_t>(prompts.size()), "prompts");
  GenerateResult result = GenerateTexts(
      model, prompts, options,
      [&](size_t, std::string_view piece) {
        if (!stream) return;
        Print(piece);
        Flush();
      },
      [&](size_t done) { progress.Update(static_cast<int64_t>(done)); });
  progress.End();
  if (stream) Print("\n");
  if (stream && flags.verbose) Print(kRule);
  if (!stream && !json) {
    for (const GeneratedText& answer : result.results) Print(kRule + answer.text + "\n");
    Print(kRule);
  }
  return result;
}

}  // namespace

int Generate(const Arguments& arguments) {
  ModelOptions model_options;
  MachineFlags machine;
  GenerateFlags generate;
  PromptFlags prompt_flags;
  Flags flags(
      "generate --model MODEL [--prompt TEXT...] [flags]",
      "Answers prompts. One prompt streams; several run as one batch and are printed in order.");
  flags.Add("--prompt,-p", prompt_flags.prompts,
            "a prompt; - reads standard input; may be repeated (default hello)");
  flags.Add("--prompts", prompt_flags.file, "JSONL rows {\"prompt\": ..} or {\"messages\": [..]}");
  AddModelFlags(flags, model_options);
  flags.Add("--ignore-chat-template", prompt_flags.ignore_chat_template, "use the raw prompt");
  flags.Add("--batch-size", generate.options.max_batch, "prompts answered together");
  generate.AddTo(flags);
  flags.Add("--prefill-response", generate.options.prefill_response, "the beginning of the answer");
  flags.AddTextBool("--verbose", prompt_flags.verbose, "print rules and speeds around the text");
  flags.Section("Accepted from mlx-lm, without effect here");
  flags.AddIgnored("--trust-remote-code", false, "no code is ever run from a model folder");
  flags.AddIgnored("--use-default-chat-template", false, "--chat-template chooses");
  machine.AddTo(flags);
  if (!flags.Parse(arguments)) return 0;
  machine.Apply();
  generate.Apply();
  if (generate.options.max_batch < 1) FailUsage("--batch-size: expected 1 or more");
  const std::vector<lem::Prompt> prompts = CollectPrompts(prompt_flags);
  if (prompt_flags.ignore_chat_template) model_options.chat_template = "none";
  TerminalProgress progress;
  const auto model = LoadedModel::Open(model_options, progress);
  const GenerateResult result =
      Run(*model, prompts, generate.options, prompt_flags, machine.json, progress);
  if (machine.json) {
    Print(ToJson(result).Dump() + "\n");
  } else if (prompt_flags.verbose) {
    PrintSpeeds(result);
  }
  if (StopRequested()) throw Interrupted("interrupted; the text above is what was done");
  return 0;
}

}  // namespace lem::cli
