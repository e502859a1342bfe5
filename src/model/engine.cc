// SPDX-License-Identifier: EUPL-1.2
// Generation: waiting requests are prefilled as places become free, and all running sequences step
// together. Passes are either of prompts or of generation, so that their times are told apart.
#include "model/engine.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/memory.h"
#include "base/stop.h"
#include "base/threads.h"
#include "model/engine_state.h"
#include "model/prefix_groups.h"

namespace lem {

Engine::Engine(Decoder& decoder, const EngineOptions& options)
    : state_(new State{
          .decoder = decoder, .options = options, .times = {}, .logits = {}, .scratch = {}}) {
  LEM_CHECK(options.max_batch >= 1 && options.prefill_chunk >= 1);
}

Engine::~Engine() = default;

const EngineTimes& Engine::times() const { return state_->times; }

std::unique_ptr<KvCache> Engine::State::NewCache(int64_t capacity,
                                                 std::shared_ptr<const KvCache> prefix) const {
  return std::make_unique<KvCache>(decoder.config(), decoder.options().precision, capacity,
                                   options.prefill_chunk, std::move(prefix));
}

uint64_t Engine::State::CacheBytes(int64_t capacity) const {
  return KvCache::BytesFor(decoder.config(), decoder.options().precision, capacity,
                           options.prefill_chunk);
}

uint64_t Engine::State::MemoryLimit() const {
  return options.kv_memory > 0 ? options.kv_memory : AvailableMemoryBytes() / 4;
}

size_t Engine::State::PieceEnd(size_t from, size_t size) const {
  const size_t chunk = static_cast<size_t>(options.prefill_chunk);
  return std::min(size, (from / chunk + 1) * chunk);
}

void Engine::State::Prefill(std::span<const int32_t> ids, size_t from, KvCache* cache) {
  const Stopwatch watch;
  for (size_t at = from; at < ids.size();) {
    const size_t end = PieceEnd(at, ids.size());
    const Chunk chunk = {
        .cache = cache, .ids = ids.subspan(at, end - at), .logits = Chunk::Logits::kNone};
    decoder.Forward({&chunk, 1}, Mat());
    at = end;
  }
  times.prompt_tokens += static_cast<int64_t>(ids.size() - from);
  times.prompt_seconds += watch.Seconds();
}

void Engine::State::CheckIds(std::span<const int32_t> ids, const char* what) const {
  for (const int32_t id : ids) {
    if (id < 0 || id >= decoder.config().vocab) {
      Fail(what, ": the model has ids 0 to ", decoder.config().vocab - 1, ", found ", id,
           "; the tokenizer is of another model");
    }
  }
}

void Engine::State::CheckLength(size_t tokens, const char* what) const {
  const auto most = static_cast<size_t>(decoder.config().max_positions);
  if (tokens > most) {
    Fail(what, ": ", tokens, " tokens, but the model's context holds ", most, "; shorten it");
  }
}

namespace {

constexpr size_t kNoGroup = static_cast<size_t>(-1);

struct Sequence {
  size_t index = 0;  // of the request
  std::unique_ptr<KvCache> cache;
  Sampler sampler;
  std::vector<int32_t> history;  // prompt and generated ids
  size_t done = 0;               // ids of history that are in the cache
  int max_tokens = 0;
  bool finished = false;

  size_t prompt_size = 0;
  bool prefilling() const { return done < prompt_size; }
};

bool PlainArgmax(const SamplingOptions& o) {
  const bool repetition = o.repetition_penalty > 0 && o.repetition_penalty != 1;
  return o.temperature <= 0 && o.logit_bias.empty() && !repetition && o.presence_penalty == 0 &&
         o.frequency_penalty == 0;
}

}  // namespace

// One call of Generate.
class Generator {
 public:
  Generator(Engine::State& state, std::span<const GenerateRequest> requests,
            const Engine::OnToken& on_token, const Engine::OnDone& on_done)
      : s_(state),
        requests_(requests),
        on_token_(on_token),
        on_done_(on_done),
        results_(requests.size()),
        group_of_(requests.size(), kNoGroup) {
    Validate();
    FindGroups();
  }

  std::vector<Generation> Run() {
    while (next_ < requests_.size() || !running_.empty()) {
      if (StopRequested()) return Cancel();
      Admit();
      const bool prompts = std::any_of(running_.begin(), running_.end(),
                                       [](const Sequence& q) { return q.prefilling(); });
      prompts ? StepPrompts() : StepGeneration();
      std::erase_if(running_, [](const Sequence& q) { return q.finished; });
    }
    return std::move(results_);
  }

 private:
  struct SharedPrefix {
    size_t length = 0, waiting = 0;  // members not yet admitted
    std::shared_ptr<const KvCache> cache;
  };

  void Validate() const {
    for (const GenerateRequest& r : requests_) {
      if (r.prompt.empty()) Fail("generate: a prompt should have at least one token, found none");
      s_.CheckIds(r.prompt, "generate: the prompt");
      s_.CheckLength(r.prompt.size(), "generate: the prompt");
    }
  }

  void FindGroups() {
    if (!s_.options.share_prefixes) return;
    std::vector<std::span<const int32_t>> prompts;
    for (const GenerateRequest& r : requests_) prompts.emplace_back(r.prompt);
    for (const PrefixGroup& group : GroupByPrefix(prompts)) {
      if (group.length == 0) continue;
      for (const size_t i : group.members) group_of_[i] = groups_.size();
      groups_.push_back(
          {.length = group.length, .waiting = group.members.size(), .cache = nullptr});
    }
  }

  std::vector<Generation> Cancel() {
    for (Sequence& q : running_) Finish(q, FinishReason::kCancelled);
    for (; next_ < requests_.size(); ++next_) {
      results_[next_].finish = FinishReason::kCancelled;
      results_[next_].prompt_tokens = static_cast<int>(requests_[next_].prompt.size());
    }
    return std::move(results_);
  }

  // Fills free places while memory allows; one sequence always runs, however large.
  void Admit() {
    uint64_t used = 0;
    for (const Sequence& q : running_) used += q.cache->bytes();
    for (const SharedPrefix& g : groups_) used += g.cache ? g.cache->bytes() : 0;
    while (next_ < requests_.size() &&
           running_.size() < static_cast<size_t>(s_.options.max_batch)) {
      const GenerateRequest& r = requests_[next_];
      const auto room = s_.decoder.config().max_positions - static_cast<int>(r.prompt.size());
      const int max_tokens = std::min(std::max(r.max_tokens, 0), room);
      const auto capacity = static_cast<int64_t>(r.prompt.size()) + max_tokens;
      const uint64_t bytes = s_.CacheBytes(capacity);
      if (!running_.empty() && used + bytes > s_.MemoryLimit()) return;
      used += bytes;
      AdmitOne(next_++, capacity, max_tokens);
    }
  }

  void AdmitOne(size_t index, int64_t capacity, int max_tokens) {
    const GenerateRequest& r = requests_[index];
    Sequence q{.index = index,
               .cache = nullptr,
               .sampler = Sampler(r.sampling, r.stream.value_or(index)),
               .history = r.prompt,
               .max_tokens = max_tokens,
               .prompt_size = r.prompt.size()};
    std::shared_ptr<const KvCache> prefix;
    if (group_of_[index] != kNoGroup) {
      SharedPrefix& group = groups_[group_of_[index]];
      if (group.cache == nullptr) {
        auto cache = s_.NewCache(static_cast<int64_t>(group.length), nullptr);
        s_.Prefill(std::span(r.prompt).first(group.length), 0, cache.get());
        group.cache = std::move(cache);
      }
      prefix = group.cache;
      q.done = group.length;
      if (--group.waiting == 0) group.cache = nullptr;  // the members keep it
    }
    q.cache = s_.NewCache(capacity - static_cast<int64_t>(q.done), std::move(prefix));
    results_[index].prompt_tokens = static_cast<int>(r.prompt.size());
    if (max_tokens == 0) {
      Finish(q, FinishReason::kLength);
    } else {
      running_.push_back(std::move(q));
    }
  }

  // The next pieces of prompts, at most prefill_chunk tokens of them (at least one piece).
  void StepPrompts() {
    const Stopwatch watch;
    std::vector<Chunk> chunks;
    std::vector<Sequence*> wanting;
    int64_t tokens = 0;
    for (Sequence& q : running_) {
      if (!q.prefilling()) continue;
      const size_t end = s_.PieceEnd(q.done, q.prompt_size), size = end - q.done;
      if (tokens > 0 && tokens + static_cast<int64_t>(size) > s_.options.prefill_chunk) break;
      const bool last = end == q.prompt_size;
      chunks.push_back({.cache = q.cache.get(),
                        .ids = std::span(q.history).subspan(q.done, size),
                        .logits = last ? Chunk::Logits::kLast : Chunk::Logits::kNone});
      q.done = end;
      tokens += static_cast<int64_t>(size);
      if (last) wanting.push_back(&q);
    }
    Forward(chunks, wanting.size());
    s_.times.prompt_tokens += tokens;
    s_.times.prompt_seconds += watch.Seconds();
    const Stopwatch choosing;
    Choose(wanting);
    s_.times.generation_seconds += choosing.Seconds();
  }

  void StepGeneration() {
    if (running_.empty()) return;
    const Stopwatch watch;
    std::vector<Chunk> chunks;
    std::vector<Sequence*> wanting;
    for (Sequence& q : running_) {
      chunks.push_back({.cache = q.cache.get(),
                        .ids = std::span(q.history).subspan(q.done),
                        .logits = Chunk::Logits::kLast});
      q.done = q.history.size();
      wanting.push_back(&q);
    }
    Forward(chunks, wanting.size());
    Choose(wanting);
    s_.times.generation_seconds += watch.Seconds();
  }

  void Forward(std::span<const Chunk> chunks, size_t rows) {
    const size_t vocab = static_cast<size_t>(s_.decoder.config().vocab);
    s_.logits.resize(std::max(s_.logits.size(), rows * vocab));
    s_.decoder.Forward(chunks, Mat(s_.logits.data(), rows, vocab));
  }

  // Row i of the logits is wanting[i]'s. Every row is sampled on its own, so threads do not matter.
  void Choose(std::span<Sequence* const> wanting) {
    const size_t vocab = static_cast<size_t>(s_.decoder.config().vocab);
    const size_t usable = static_cast<size_t>(s_.decoder.config().usable_vocab);
    const Mat logits = Mat(s_.logits.data(), wanting.size(), vocab).Cols(0, usable);
    std::vector<int32_t> ids(wanting.size());
    ParallelFor(static_cast<int64_t>(wanting.size()), 1, [&](int64_t begin, int64_t end) {
      std::vector<float> copy;
      for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
        Vec row = logits.Row(i);
        if (!PlainArgmax(requests_[wanting[i]->index].sampling)) {
          copy.assign(row.begin(), row.end());  // the log-probabilities need the row as it was
          row = copy;
        }
        ids[i] = wanting[i]->sampler.Sample(row, wanting[i]->history);
      }
    });
    std::vector<float> losses(wanting.size());
    if (!wanting.empty()) s_.decoder.backend().CrossEntropy(logits, ids, losses);
    for (size_t i = 0; i < wanting.size(); ++i) Accept(*wanting[i], ids[i], -losses[i]);
  }

  void Accept(Sequence& q, int32_t id, float log_prob) {
    Generation& g = results_[q.index];
    const GenerateRequest& r = requests_[q.index];
    ++g.generation_tokens;
    ++s_.times.generation_tokens;
    if (std::find(r.end_ids.begin(), r.end_ids.end(), id) != r.end_ids.end()) {
      return Finish(q, FinishReason::kStop);
    }
    g.ids.push_back(id);
    g.log_probs.push_back(log_prob);
    q.history.push_back(id);
    if (on_token_ && !on_token_(q.index, id)) return Finish(q, FinishReason::kCancelled);
    if (static_cast<int>(g.ids.size()) >= q.max_tokens) Finish(q, FinishReason::kLength);
  }

  void Finish(Sequence& q, FinishReason reason) {
    q.finished = true;
    results_[q.index].finish = reason;
    if (on_done_) on_done_(q.index, results_[q.index]);
  }

  Engine::State& s_;
  std::span<const GenerateRequest> requests_;
  const Engine::OnToken& on_token_;
  const Engine::OnDone& on_done_;
  std::vector<Generation> results_;
  std::vector<size_t> group_of_;
  std::vector<SharedPrefix> groups_;
  std::vector<Sequence> running_;
  size_t next_ = 0;
};

std::vector<Generation> Engine::Generate(std::span<const GenerateRequest> requests,
                                         const OnToken& on_token, const OnDone& on_done) {
  return Generator(*state_, requests, on_token, on_done).Run();
}

}  // namespace lem
