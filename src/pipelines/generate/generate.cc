// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/generate/generate.h"

#include <memory>

#include "base/error.h"
#include "base/memory.h"
#include "pipelines/answer_stream.h"
#include "pipelines/generate/prompt_encoding.h"

namespace lem {
namespace {

std::string NameOf(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kCancelled:
      return "cancelled";
  }
  return "";
}

std::vector<GenerateRequest> MakeRequests(LoadedModel& model, const std::vector<Prompt>& prompts,
                                          const GenerateOptions& options) {
  const std::vector<int32_t> end_ids = EndIds(model, options);
  std::vector<GenerateRequest> requests;
  for (const Prompt& prompt : prompts) {
    GenerateRequest request;
    request.prompt = EncodePrompt(model, prompt, options);
    request.max_tokens = options.max_tokens;
    request.end_ids = end_ids;
    request.sampling = options.sampling;
    request.sampling.xtc_never = end_ids;
    if (const auto newline = model.tokenizer.Encode("\n", false); newline.size() == 1) {
      request.sampling.xtc_never.push_back(newline[0]);
    }
    requests.push_back(std::move(request));
  }
  return requests;
}

}  // namespace

std::vector<Prompt> ReadPrompts(const std::string& path) {
  std::vector<Prompt> prompts;
  for (const JsonLine& row : ReadJsonLines(path)) {
    const std::string where = path + ":" + std::to_string(row.line);
    Prompt prompt;
    if (const Json* messages = row.value.Find("messages")) {
      messages->AsArray(where);
      prompt.messages = *messages;
    } else if (const Json* text = row.value.Find("prompt")) {
      prompt.text = text->AsString(where);
    } else {
      Fail(where, ": expected an object with \"prompt\" or \"messages\"");
    }
    prompts.push_back(std::move(prompt));
  }
  if (prompts.empty()) Fail(path, ": expected at least one prompt, the file has none");
  return prompts;
}

GenerateResult GenerateTexts(LoadedModel& model, const std::vector<Prompt>& prompts,
                             const GenerateOptions& options,
                             const std::function<void(size_t, std::string_view)>& on_text,
                             const std::function<void(size_t)>& on_done) {
  const std::vector<GenerateRequest> requests = MakeRequests(model, prompts, options);
  EngineOptions engine_options;
  engine_options.max_batch = options.max_batch;
  Engine engine(*model.decoder, engine_options);
  std::vector<std::unique_ptr<AnswerStream>> streams;
  for (size_t i = 0; i < prompts.size(); ++i) {
    streams.push_back(std::make_unique<AnswerStream>(model.tokenizer, options.stop));
  }
  size_t done = 0;
  const auto generations = engine.Generate(
      requests,
      [&](size_t index, int32_t id) {
        const std::string piece = streams[index]->Push(id);
        if (on_text && !piece.empty()) on_text(index, piece);
        return !streams[index]->stopped();
      },
      [&](size_t index, const Generation&) {
        const std::string piece = streams[index]->Finish();
        if (on_text && !piece.empty()) on_text(index, piece);
        if (on_done) on_done(++done);
      });
  GenerateResult result;
  for (size_t i = 0; i < prompts.size(); ++i) {
    const Generation& g = generations[i];
    const std::string reason = streams[i]->stopped() ? "stop" : NameOf(g.finish);
    result.results.push_back(
        {streams[i]->text(), g.ids, g.prompt_tokens, g.generation_tokens, reason});
  }
  const EngineTimes& times = engine.times();
  if (times.prompt_seconds > 0) {
    result.prompt_tps = static_cast<double>(times.prompt_tokens) / times.prompt_seconds;
  }
  if (times.generation_seconds > 0) {
    result.generation_tps = static_cast<double>(times.generation_tokens) / times.generation_seconds;
  }
  result.peak_memory_bytes = PeakMemoryBytes();
  return result;
}

}  // namespace lem
