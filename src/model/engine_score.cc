// SPDX-License-Identifier: EUPL-1.2
// Exact log-likelihoods: of continuations of shared prefixes, and of whole texts.
#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/stop.h"
#include "model/engine.h"
#include "model/engine_state.h"
#include "model/prefix_groups.h"

namespace lem {
namespace {

// Requests with the same prefix. All but the prefix's last token is computed once; that last token
// starts each continuation's own rows, because its logits score the first token.
struct Question {
  std::span<const int32_t> prefix;
  std::vector<size_t> requests;
  std::shared_ptr<KvCache> cache;  // of prefix without its last token; null when that is empty
  size_t shared() const { return prefix.size() - 1; }
};

}  // namespace

// One call of Score.
class Scorer {
 public:
  Scorer(Engine::State& state, std::span<const ScoreRequest> requests,
         const std::function<void(size_t)>& on_progress)
      : s_(state), requests_(requests), on_progress_(on_progress), results_(requests.size()) {
    for (const ScoreRequest& r : requests) Validate(r);
    FindQuestions();
  }

  std::vector<ScoreResult> Run() {
    for (const PrefixGroup& group : Groups()) {
      StartGroup(group);
      for (size_t begin = 0; begin < group.members.size();) {
        if (StopRequested()) throw Interrupted("score: interrupted");
        const size_t end = WaveEnd(group, begin);
        const auto wave = std::span(group.members).subspan(begin, end - begin);
        ComputePrefixes(wave);
        ComputeContinuations(wave);
        for (const size_t q : wave) questions_[q].cache = nullptr;
        begin = end;
      }
    }
    return std::move(results_);
  }

 private:
  void Validate(const ScoreRequest& r) const {
    if (r.prefix.empty() || r.continuation.empty()) {
      Fail("score: prefix and continuation should have at least one token each, found ",
           r.prefix.size(), " and ", r.continuation.size());
    }
    s_.CheckIds(r.prefix, "score: the prefix");
    s_.CheckIds(r.continuation, "score: the continuation");
    s_.CheckLength(r.prefix.size() + r.continuation.size() - 1, "score: prefix and continuation");
    s_.CheckScored(r.continuation, "score: the continuation");
  }

  void FindQuestions() {
    std::map<std::vector<int32_t>, size_t> seen;
    for (size_t i = 0; i < requests_.size(); ++i) {
      const auto [at, fresh] = seen.try_emplace(requests_[i].prefix, questions_.size());
      if (fresh || !s_.options.share_prefixes) {
        at->second = questions_.size();
        questions_.push_back({.prefix = requests_[i].prefix, .requests = {}, .cache = nullptr});
      }
      questions_[at->second].requests.push_back(i);
    }
  }

  // Questions that begin alike (few-shot examples, instructions).
  std::vector<PrefixGroup> Groups() const {
    std::vector<std::span<const int32_t>> prefixes;
    for (const Question& q : questions_) prefixes.push_back(q.prefix.first(q.shared()));
    if (s_.options.share_prefixes) return GroupByPrefix(prefixes);
    PrefixGroup all;
    for (size_t q = 0; q < questions_.size(); ++q) all.members.push_back(q);
    return {all};
  }

  // What a group begins with is computed once; its questions start from copies.
  void StartGroup(const PrefixGroup& group) {
    header_ = nullptr;
    header_length_ = group.length;
    if (group.length == 0) return;
    header_ = s_.NewCache(static_cast<int64_t>(group.length), nullptr);
    s_.Prefill(questions_[group.members[0]].prefix.first(group.length), 0, header_.get());
  }

  // The end of the members whose own tokens fill one pass and whose caches fit into memory.
  size_t WaveEnd(const PrefixGroup& group, size_t begin) const {
    size_t tokens = 0, end = begin;
    uint64_t bytes = 0;
    const uint64_t limit = s_.MemoryLimit();
    while (end < group.members.size()) {
      const size_t size = questions_[group.members[end]].shared();
      bytes += s_.CacheBytes(static_cast<int64_t>(size));
      tokens += size - header_length_;
      const bool full = tokens > static_cast<size_t>(s_.options.prefill_chunk) || bytes > limit;
      if (end > begin && full) break;
      ++end;
    }
    return end;
  }

  void ComputePrefixes(std::span<const size_t> wave) {
    std::vector<size_t> done(wave.size(), header_length_);
    for (const size_t i : wave) {
      Question& q = questions_[i];
      if (q.shared() == 0) continue;
      q.cache = s_.NewCache(static_cast<int64_t>(q.shared()), nullptr);
      if (header_) q.cache->CopyFrom(*header_);
    }
    const Stopwatch watch;
    for (bool more = true; more;) {
      more = false;
      std::vector<Chunk> chunks;
      for (size_t i = 0; i < done.size(); ++i) {
        const Question& q = questions_[wave[i]];
        if (done[i] >= q.shared()) continue;
        const size_t to = s_.PieceEnd(done[i], q.shared());
        chunks.push_back({.cache = q.cache.get(),
                          .ids = q.prefix.subspan(done[i], to - done[i]),
                          .logits = Chunk::Logits::kNone});
        s_.times.prompt_tokens += static_cast<int64_t>(to - done[i]);
        done[i] = to;
        more = true;
      }
      if (more) s_.decoder.Forward(chunks, Mat());
    }
    s_.times.prompt_seconds += watch.Seconds();
  }

  void ComputeContinuations(std::span<const size_t> wave) {
    std::vector<std::pair<size_t, size_t>> pending;  // (question, request)
    size_t tokens = 0;
    for (const size_t q : wave) {
      for (const size_t r : questions_[q].requests) {
        const size_t size = requests_[r].continuation.size();
        if (!pending.empty() && tokens + size > static_cast<size_t>(s_.options.prefill_chunk)) {
          ScoreTogether(pending);
          pending.clear(), tokens = 0;
        }
        pending.emplace_back(q, r);
        tokens += size;
      }
    }
    if (!pending.empty()) ScoreTogether(pending);
  }

  // One ragged pass per piece of prefill_chunk tokens; most continuations have one piece.
  void ScoreTogether(std::span<const std::pair<size_t, size_t>> pending) {
    const Stopwatch watch;
    std::vector<std::unique_ptr<KvCache>> caches;
    std::vector<std::vector<int32_t>> inputs;
    for (const auto& [q, r] : pending) {
      const auto& continuation = requests_[r].continuation;
      inputs.push_back({questions_[q].prefix.back()});
      inputs.back().insert(inputs.back().end(), continuation.begin(), continuation.end() - 1);
      caches.push_back(s_.NewCache(static_cast<int64_t>(continuation.size()), questions_[q].cache));
      results_[r] = {.log_prob = 0, .token_log_probs = {}, .greedy = true};
    }
    for (size_t at = 0;; at += static_cast<size_t>(s_.options.prefill_chunk)) {
      std::vector<Chunk> chunks;
      std::vector<int32_t> targets;
      std::vector<size_t> owner;
      for (size_t i = 0; i < inputs.size(); ++i) {
        if (at >= inputs[i].size()) continue;
        const size_t size =
            std::min(inputs[i].size() - at, static_cast<size_t>(s_.options.prefill_chunk));
        chunks.push_back({.cache = caches[i].get(),
                          .ids = std::span(inputs[i]).subspan(at, size),
                          .logits = Chunk::Logits::kAll});
        const auto wanted = std::span(requests_[pending[i].second].continuation).subspan(at, size);
        targets.insert(targets.end(), wanted.begin(), wanted.end());
        owner.insert(owner.end(), size, pending[i].second);
      }
      if (chunks.empty()) break;
      std::vector<double> log_probs(targets.size());
      std::vector<bool> greedy;
      s_.decoder.ForwardLogProbs(chunks, targets, log_probs, &greedy);
      for (size_t i = 0; i < targets.size(); ++i) Add(owner[i], log_probs[i], greedy[i]);
      s_.times.prompt_tokens += static_cast<int64_t>(targets.size());
    }
    s_.times.prompt_seconds += watch.Seconds();
    done_ += pending.size();
    if (on_progress_) on_progress_(done_);
  }

  void Add(size_t request, double log_prob, bool greedy) {
    ScoreResult& r = results_[request];
    r.log_prob += log_prob;
    r.token_log_probs.push_back(static_cast<float>(log_prob));
    r.greedy = r.greedy && greedy;
  }

  Engine::State& s_;
  std::span<const ScoreRequest> requests_;
  const std::function<void(size_t)>& on_progress_;
  std::vector<ScoreResult> results_;
  std::vector<Question> questions_;
  std::unique_ptr<KvCache> header_;  // of the present group's common beginning
  size_t header_length_ = 0;
  size_t done_ = 0;
};

std::vector<ScoreResult> Engine::Score(std::span<const ScoreRequest> requests,
                                       const std::function<void(size_t)>& on_progress) {
  return Scorer(*state_, requests, on_progress).Run();
}

double Engine::NegativeLogLikelihood(std::span<const int32_t> ids, size_t first,
                                     const std::function<void(size_t)>& on_progress) {
  State& s = *state_;
  s.CheckIds(ids, "perplexity: the text");
  s.CheckScored(ids.subspan(std::min(ids.size(), size_t{1})), "perplexity: the text");
  const auto context = static_cast<size_t>(s.decoder.config().max_positions);
  const auto chunk_size = static_cast<size_t>(s.options.prefill_chunk);
  const Stopwatch watch;
  std::unique_ptr<KvCache> cache;
  double total = 0;
  for (size_t at = 0; at + 1 < ids.size();) {
    if (StopRequested()) throw Interrupted("perplexity: interrupted");
    const size_t used = at % context;  // a window of the whole context, then a new one
    if (used == 0) {
      cache = s.NewCache(static_cast<int64_t>(std::min(context, ids.size() - at)), nullptr);
    }
    const size_t size = std::min({chunk_size, context - used, ids.size() - 1 - at});
    const size_t counted_from = std::clamp(first, at + 1, at + size + 1) - (at + 1);
    const bool counts = counted_from < size;
    const Chunk chunk = {.cache = cache.get(),
                         .ids = ids.subspan(at, size),
                         .logits = counts ? Chunk::Logits::kAll : Chunk::Logits::kNone};
    std::vector<double> log_probs(counts ? size : 0);
    s.decoder.ForwardLogProbs({&chunk, 1}, ids.subspan(at + 1, log_probs.size()), log_probs,
                              nullptr);
    for (size_t i = counted_from; i < log_probs.size(); ++i) total -= log_probs[i];
    at += size;
    if (on_progress) on_progress(at);
  }
  s.times.prompt_tokens += static_cast<int64_t>(ids.size());
  s.times.prompt_seconds += watch.Seconds();
  return total;
}

}  // namespace lem
