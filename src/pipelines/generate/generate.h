// SPDX-License-Identifier: EUPL-1.2
// Prompts in, text out: templates, sampling, stopping; what `lem generate` and `lem chat` do.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/engine.h"
#include "pipelines/loaded_model.h"

namespace lem {

struct GenerateOptions {
  int max_tokens = 100;
  SamplingOptions sampling;
  std::vector<std::string> extra_eos_tokens;  // ids or token text
  std::vector<std::string> stop;              // generation ends before any of these strings
  std::string system_prompt;
  std::string prefill_response;  // starts the answer
  Json template_variables = Json::MakeObject();
  int max_batch = 16;
};

struct GeneratedText {
  std::string text;
  std::vector<int32_t> ids;
  int prompt_tokens = 0, generation_tokens = 0;
  std::string finish_reason;  // stop, length, cancelled
};

struct GenerateResult {
  std::vector<GeneratedText> results;
  double prompt_tps = 0, generation_tps = 0;  // 0 when nothing of that kind was computed
  uint64_t peak_memory_bytes = 0;
};

// One prompt: a user's text, or messages.
struct Prompt {
  std::string text;
  Json messages;  // null: use text
};

// Rows {"prompt": ...} or {"messages": [...]}. Throws Error with the line.
std::vector<Prompt> ReadPrompts(const std::string& path);

// on_text(index, piece) streams; with several prompts pieces of different answers interleave.
GenerateResult GenerateTexts(
    LoadedModel& model, const std::vector<Prompt>& prompts, const GenerateOptions& options,
    const std::function<void(size_t index, std::string_view piece)>& on_text = {},
    const std::function<void(size_t done)>& on_done = {});

// A conversation that keeps its cache: each turn computes only what is new.
class Conversation {
 public:
  Conversation(LoadedModel& model, const GenerateOptions& options);
  ~Conversation();
  GeneratedText Say(std::string_view user,
                    const std::function<void(std::string_view piece)>& on_text);
  void Reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lem
