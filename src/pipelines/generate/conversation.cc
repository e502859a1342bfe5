// SPDX-License-Identifier: EUPL-1.2
// A conversation over one cache. Each turn renders the whole history, keeps the cached positions
// that are still right, and computes the rest, so a template that rewrites history costs time,
// never sense.
#include <algorithm>

#include "base/error.h"
#include "base/stop.h"
#include "pipelines/generate/generate.h"
#include "pipelines/generate/prompt_encoding.h"

namespace lem {
namespace {

constexpr int kChunk = 512;

}  // namespace

struct Conversation::State {
  LoadedModel& model;
  GenerateOptions options;
  Json messages = Json::MakeArray();
  std::unique_ptr<KvCache> cache;
  std::vector<int32_t> cached;  // the ids the cache holds
  uint64_t turn = 0;

  // Makes the cache hold exactly a prefix of `ids`, at most all but the last.
  void KeepCommonPrefix(const std::vector<int32_t>& ids) {
    const auto limit = std::min(cached.size(), ids.size() - 1);
    size_t common = 0;
    while (common < limit && cached[common] == ids[common]) ++common;
    const int64_t needed = static_cast<int64_t>(ids.size()) + options.max_tokens + 1;
    if (cache && (needed > cache->capacity() || !cache->Truncate(static_cast<int64_t>(common)))) {
      cache.reset();
    }
    if (!cache) {
      common = 0;
      cache = std::make_unique<KvCache>(model.decoder->config(), model.decoder->options().precision,
                                        2 * needed, kChunk);
    }
    cached.resize(common);
  }

  // Appends ids to the cache; logits of the last one.
  void Feed(std::span<const int32_t> ids, Mat logits) {
    while (!ids.empty()) {
      const auto part = ids.first(std::min<size_t>(ids.size(), kChunk));
      const bool last = part.size() == ids.size();
      Chunk chunk{cache.get(), part, last ? Chunk::Logits::kLast : Chunk::Logits::kNone};
      model.decoder->Forward({&chunk, 1}, last ? logits : Mat());
      cached.insert(cached.end(), part.begin(), part.end());
      ids = ids.subspan(part.size());
    }
  }
};

Conversation::Conversation(LoadedModel& model, const GenerateOptions& options)
    : state_(new State{model, options, Json::MakeArray(), nullptr, {}, 0}) {}
Conversation::~Conversation() = default;

void Conversation::Reset() {
  state_->messages = Json::MakeArray();
  state_->cache.reset();
  state_->cached.clear();
}

GeneratedText Conversation::Say(std::string_view user,
                                const std::function<void(std::string_view)>& on_text) {
  State& s = *state_;
  Json message = Json::MakeObject();
  message.Set("role", Json("user"));
  message.Set("content", Json(user));
  s.messages.Append(message);
  const std::vector<int32_t> prompt = EncodePrompt(s.model, {"", s.messages}, s.options);
  const std::vector<int32_t> end_ids = EndIds(s.model, s.options);
  const ModelConfig& config = s.model.decoder->config();
  std::vector<float> row(static_cast<size_t>(config.vocab));
  const Mat logits(row.data(), 1, row.size());

  s.KeepCommonPrefix(prompt);
  s.Feed(std::span(prompt).subspan(s.cached.size()), logits);
  Sampler sampler(s.options.sampling, s.turn++);
  StreamDecoder decoder(s.model.tokenizer);
  std::vector<int32_t> history = prompt;
  GeneratedText answer;
  answer.prompt_tokens = static_cast<int>(prompt.size());
  answer.finish_reason = "length";
  const auto emit = [&](const std::string& piece) {
    answer.text += piece;
    if (on_text && !piece.empty()) on_text(piece);
  };
  while (answer.generation_tokens < s.options.max_tokens) {
    if (StopRequested()) {
      answer.finish_reason = "cancelled";
      break;
    }
    const int32_t id =
        sampler.Sample(std::span(row).first(static_cast<size_t>(config.usable_vocab)), history);
    ++answer.generation_tokens;
    if (std::ranges::count(end_ids, id) > 0) {
      answer.finish_reason = "stop";
      break;
    }
    answer.ids.push_back(id);
    history.push_back(id);
    emit(decoder.Push(id));
    s.Feed({&id, 1}, logits);
  }
  emit(decoder.Finish());
  Json reply = Json::MakeObject();
  reply.Set("role", Json("assistant"));
  reply.Set("content", Json(answer.text));
  s.messages.Append(reply);
  return answer;
}

}  // namespace lem
