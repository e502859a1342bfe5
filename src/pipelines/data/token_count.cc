// SPDX-License-Identifier: EUPL-1.2
#include <memory>

#include "base/error.h"
#include "model/config.h"
#include "pipelines/data/lint.h"
#include "pipelines/loaded_model.h"

namespace lem {
namespace {

struct Rendering {
  Tokenizer tokenizer;
  ChatTemplate chat_template;
};

Json ToMessages(const TrainingRow& conversation) {
  Json messages = Json::MakeArray();
  for (const Turn& turn : conversation.turns) {
    Json message = Json::MakeObject();
    message.Set("role", Json(turn.role));
    message.Set("content", Json(turn.content));
    messages.Append(message);
  }
  return messages;
}

}  // namespace

TokenCounter MakeTokenCounter(const std::string& model, const std::string& chat_template,
                              Progress& progress) {
  const std::filesystem::path path = ResolveModel(model);
  Tokenizer tokenizer = Tokenizer::Load(path);
  const ModelConfig config = ReadModelConfig(Checkpoint::Open(path));
  const TemplateChoice choice = ChooseTemplate(chat_template, tokenizer, config.family);
  if (choice.source.empty()) {
    FailUsage("--chat-template none: counting the tokens of conversations needs a template");
  }
  if (choice.is_fallback) {
    progress.Note("this model has no chat template; counting with the " + choice.origin +
                  " template of its family");
  }
  const auto rendering = std::make_shared<Rendering>(
      Rendering{std::move(tokenizer), ChatTemplate::Parse(choice.source, choice.origin)});
  return [rendering](const TrainingRow& conversation) {
    ChatTemplate::Options options;
    options.bos_token = rendering->tokenizer.bos_text();
    options.eos_token = rendering->tokenizer.eos_text();
    const std::string text = rendering->chat_template.Render(ToMessages(conversation), options);
    return static_cast<int64_t>(rendering->tokenizer.Encode(text, false).size());
  };
}

}  // namespace lem
