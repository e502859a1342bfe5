// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/tokenize/tokenize.h"

#include "base/error.h"
#include "formats/checkpoint.h"
#include "model/config.h"
#include "pipelines/loaded_model.h"

namespace lem {
namespace {

std::string RenderMessages(const TokenizeOptions& options, const Tokenizer& tokenizer,
                           const std::string& text, const std::string& where, Progress& progress) {
  const ModelConfig config = ReadModelConfig(Checkpoint::Open(ResolveModel(options.model)));
  const TemplateChoice choice = ChooseTemplate(options.chat_template, tokenizer, config.family);
  if (choice.source.empty())
    FailUsage("--chat needs a template, and --chat-template none was given");
  if (choice.is_fallback) {
    progress.Note("this model has no chat template; using the " + choice.origin + " template");
  }
  Json messages = Json::Parse(text, where);
  if (const Json* inner = messages.Find("messages")) messages = Json(*inner);
  ChatTemplate::Options render;
  render.add_generation_prompt = options.generation_prompt;
  render.bos_token = tokenizer.bos_text();
  render.eos_token = tokenizer.eos_text();
  return ChatTemplate::Parse(choice.source, choice.origin).Render(messages, render);
}

}  // namespace

TokenizeResult TokenizeText(const TokenizeOptions& options, const std::string& text,
                            const std::string& where, Progress& progress) {
  const Tokenizer tokenizer = Tokenizer::Load(ResolveModel(options.model));
  TokenizeResult result;
  result.ids = options.chat ? tokenizer.Encode(
                                  RenderMessages(options, tokenizer, text, where, progress), false)
                            : tokenizer.Encode(text, options.special);
  for (const int32_t id : result.ids) result.tokens.push_back(tokenizer.Piece(id));
  return result;
}

}  // namespace lem
