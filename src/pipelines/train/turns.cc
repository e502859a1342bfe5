// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/train/turns.h"

#include <algorithm>

#include "base/error.h"

namespace lem {
namespace {

bool IsAssistant(const Json& message) {
  const Json* role = message.Find("role");
  return role && role->IsString() && (role->string() == "assistant" || role->string() == "model");
}

class Renderer {
 public:
  Renderer(const Json& messages, const Json* tools, std::string_view where, const Encoding& e)
      : messages_(messages), where_(where), encoding_(e) {
    if (!e.chat_template) {
      Fail(where, ": this record needs a chat template, and this model has none; choose one with ",
           "--chat-template, or write the records as {\"text\": ...}");
    }
    options_.bos_token = e.tokenizer->bos_text();
    options_.eos_token = e.tokenizer->eos_text();
    if (tools && !tools->IsNull()) options_.extra.Set("tools", *tools);
    // As mlx-lm: on for tokenizers that know how to think, unknown to templates that do not ask.
    const bool thinks = e.tokenizer->FindToken("<think>") && e.tokenizer->FindToken("</think>");
    options_.extra.Set("enable_thinking", thinks);
  }

  // The first `count` messages.
  std::string Text(size_t count, bool generation_prompt) {
    options_.add_generation_prompt = generation_prompt;
    const auto& all = messages_.array();
    const Json part(Json::Array(all.begin(), all.begin() + static_cast<ptrdiff_t>(count)));
    try {
      return encoding_.chat_template->Render(part, options_);
    } catch (const Error& error) {
      Fail(where_, ": ", error.what());
    }
  }

  // The rendered text holds its own BOS.
  std::vector<int32_t> Encode(std::string_view text) const {
    return encoding_.tokenizer->Encode(text, false);
  }

 private:
  const Json& messages_;
  std::string_view where_;
  const Encoding& encoding_;
  ChatTemplate::Options options_;
};

size_t CommonPrefix(const std::vector<int32_t>& a, const std::vector<int32_t>& b) {
  return static_cast<size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

class Marker {
 public:
  Marker(Renderer& renderer, std::string_view where, std::string_view full_text,
         const std::vector<int32_t>& ids)
      : renderer_(renderer), where_(where), full_text_(full_text), ids_(ids) {}

  // How many tokens of the whole come from this beginning alone. A token that spans the border
  // belongs to what follows it.
  size_t TokensOf(std::string_view beginning) const {
    if (!full_text_.starts_with(beginning)) {
      Fail(where_, ": the chat template rewrites earlier turns (its text for the first messages ",
           "does not begin its text for all of them), so the answers cannot be found; try --mask ",
           "none, another --chat-template, or one answer per conversation with --mask prompt");
    }
    return CommonPrefix(renderer_.Encode(beginning), ids_);
  }

 private:
  Renderer& renderer_;
  std::string_view where_, full_text_;
  const std::vector<int32_t>& ids_;
};

// Every assistant turn from its first token to its end-of-turn token.
std::vector<TokenSpan> AssistantSpans(const Json& messages, Renderer& renderer,
                                      const Marker& marker, const Encoding& encoding,
                                      const std::vector<int32_t>& ids) {
  std::vector<TokenSpan> spans;
  const std::vector<int32_t>& end_ids = encoding.tokenizer->end_ids();
  for (size_t i = 0; i < messages.size(); ++i) {
    if (!IsAssistant(messages.array()[i])) continue;
    const size_t begin = std::max<size_t>(1, i == 0 ? 0 : marker.TokensOf(renderer.Text(i, true)));
    size_t end = marker.TokensOf(renderer.Text(i + 1, false));
    size_t last = end;
    const auto ends_turn = [&](int32_t id) {
      return encoding.tokenizer->IsSpecial(id) || std::ranges::find(end_ids, id) != end_ids.end();
    };
    while (last > begin && !ends_turn(ids[last - 1])) --last;
    if (last > begin) end = last;  // what the template writes after the turn's end is no answer
    if (end > begin) spans.push_back({begin, end});
  }
  return spans;
}

}  // namespace

Example EncodeTurns(const Json& messages, const Json* tools, std::string_view where,
                    const Encoding& encoding) {
  Renderer renderer(messages, tools, where, encoding);
  const std::string full_text = renderer.Text(messages.size(), false);
  Example example;
  example.ids = renderer.Encode(full_text);
  const Marker marker(renderer, where, full_text, example.ids);
  if (encoding.mask == MaskMode::kAssistant) {
    example.learnt = AssistantSpans(messages, renderer, marker, encoding, example.ids);
    return example;
  }
  if (encoding.mask == MaskMode::kPrompt) {
    const bool answered = IsAssistant(messages.array().back());
    const std::string prompt = renderer.Text(messages.size() - 1, answered);
    example.offset = encoding.mlx_compat ? renderer.Encode(prompt).size() : marker.TokensOf(prompt);
  }
  const size_t begin = std::max<size_t>(1, example.offset);
  if (begin < example.ids.size()) example.learnt.push_back({begin, example.ids.size()});
  return example;
}

}  // namespace lem
