// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/generate/prompt_encoding.h"

#include <charconv>

#include "base/error.h"

namespace lem {
namespace {

Json MakeMessage(std::string_view role, std::string_view content) {
  Json message = Json::MakeObject();
  message.Set("role", Json(role));
  message.Set("content", Json(content));
  return message;
}

int32_t EndIdByText(const Tokenizer& tokenizer, const std::string& text) {
  int32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error == std::errc() && end == text.data() + text.size()) {
    if (id >= 0 && id < tokenizer.vocab_size()) return id;
    FailUsage("--extra-eos-token ", text, ": expected an id below ", tokenizer.vocab_size());
  }
  if (const auto token = tokenizer.FindToken(text)) return *token;
  const std::vector<int32_t> ids = tokenizer.Encode(text, false);
  if (ids.size() == 1) return ids[0];
  FailUsage("--extra-eos-token ", text, ": expected one token, found ", ids.size(), " tokens");
}

}  // namespace

Json PromptMessages(const Prompt& prompt, const GenerateOptions& options) {
  Json messages = Json::MakeArray();
  if (!options.system_prompt.empty()) messages.Append(MakeMessage("system", options.system_prompt));
  if (prompt.messages.IsNull()) {
    messages.Append(MakeMessage("user", prompt.text));
  } else {
    for (const Json& message : prompt.messages.AsArray("messages")) messages.Append(message);
  }
  return messages;
}

std::vector<int32_t> EncodePrompt(const LoadedModel& model, const Prompt& prompt,
                                  const GenerateOptions& options) {
  std::vector<int32_t> ids;
  if (model.chat_template) {
    const std::string text =
        model.RenderChat(PromptMessages(prompt, options), true, options.template_variables) +
        options.prefill_response;
    ids = model.tokenizer.Encode(text, false);
  } else {
    if (!prompt.messages.IsNull()) {
      Fail("messages: these need a chat template and --chat-template none was given");
    }
    ids = model.tokenizer.Encode(options.system_prompt + prompt.text + options.prefill_response,
                                 true);
  }
  if (ids.empty())
    Fail("--prompt: the prompt is empty, and this model's tokenizer adds no first token");
  return ids;
}

std::vector<int32_t> EndIds(const LoadedModel& model, const GenerateOptions& options) {
  std::vector<int32_t> ids = model.end_ids();
  for (const std::string& text : options.extra_eos_tokens) {
    ids.push_back(EndIdByText(model.tokenizer, text));
  }
  return ids;
}

}  // namespace lem
