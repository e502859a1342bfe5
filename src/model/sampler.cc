// SPDX-License-Identifier: EUPL-1.2
#include "model/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "base/check.h"

namespace lem {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// The lowest id of the largest logit: the maximum in lanes that the compiler can keep in registers,
// then the first place it stands at. A vocabulary of 262,144 takes 0.04 ms instead of 0.2.
int32_t Argmax(std::span<const float> logits) {
  constexpr size_t kLanes = 32;
  float lanes[kLanes];
  std::fill(lanes, lanes + kLanes, kNever);
  size_t i = 0;
  for (; i + kLanes <= logits.size(); i += kLanes) {
    for (size_t j = 0; j < kLanes; ++j) {
      lanes[j] = logits[i + j] > lanes[j] ? logits[i + j] : lanes[j];
    }
  }
  float best = *std::max_element(lanes, lanes + kLanes);
  for (; i < logits.size(); ++i) best = std::max(best, logits[i]);
  const auto at = std::find(logits.begin(), logits.end(), best);
  return at == logits.end() ? 0 : static_cast<int32_t>(at - logits.begin());
}

std::span<const int32_t> Last(std::span<const int32_t> history, int count) {
  return history.last(std::min(history.size(), static_cast<size_t>(std::max(count, 0))));
}

void ApplyPenalties(const SamplingOptions& o, std::span<const int32_t> history,
                    std::span<float> logits) {
  const auto in_range = [&](int32_t id) {
    return id >= 0 && static_cast<size_t>(id) < logits.size();
  };
  for (const auto& [id, bias] : o.logit_bias) {
    if (in_range(id)) logits[static_cast<size_t>(id)] += bias;
  }
  if (o.repetition_penalty > 0 && o.repetition_penalty != 1) {
    const auto recent = Last(history, o.repetition_context);
    for (const int32_t id : std::set<int32_t>(recent.begin(), recent.end())) {
      if (!in_range(id)) continue;
      float& z = logits[static_cast<size_t>(id)];
      z = z < 0 ? z * o.repetition_penalty : z / o.repetition_penalty;
    }
  }
  if (o.presence_penalty == 0 && o.frequency_penalty == 0) return;
  std::map<int32_t, int> counts;
  for (const int32_t id : Last(history, o.penalty_context)) {
    if (in_range(id)) ++counts[id];
  }
  for (const auto& [id, count] : counts) {
    logits[static_cast<size_t>(id)] -=
        o.presence_penalty + o.frequency_penalty * static_cast<float>(count);
  }
}

// Turns logits into log-probabilities, in float32 with a float64 sum.
void LogSoftmax(std::span<float> logits) {
  const float top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float z : logits) sum += std::exp(static_cast<double>(z - top));
  const float shift = top + static_cast<float>(std::log(sum));
  for (float& z : logits) z -= shift;
}

// Ids by descending log-probability, the lower id first among equals.
std::vector<int32_t> Ranked(std::span<const float> logp) {
  std::vector<int32_t> order(logp.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    const float x = logp[static_cast<size_t>(a)], y = logp[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  });
  return order;
}

// Keeps the most likely tokens until they hold top_p of the mass: a token stays when the mass of
// itself and everything less likely exceeds 1 - top_p.
void KeepTopP(float top_p, const std::vector<int32_t>& ranked, std::span<float> logp) {
  double above = 0;
  for (const int32_t id : ranked) {
    float& value = logp[static_cast<size_t>(id)];
    const double p = std::exp(static_cast<double>(value));
    if (above >= top_p) value = kNever;
    above += p;
  }
}

void KeepMinP(float min_p, int min_tokens_to_keep, const std::vector<int32_t>& ranked,
              std::span<float> logp) {
  const float top = logp[static_cast<size_t>(ranked[0])];
  const float threshold = top + std::log(min_p);
  for (size_t i = static_cast<size_t>(std::max(min_tokens_to_keep, 1)); i < ranked.size(); ++i) {
    float& value = logp[static_cast<size_t>(ranked[i])];
    if (value < threshold) value = kNever;
  }
}

// XTC: everything above the threshold goes, except the least likely of it and protected ids. Its
// probabilities are those of what the filters before it have left.
void ExcludeTopChoices(float threshold, const std::vector<int32_t>& never,
                       const std::vector<int32_t>& ranked, std::span<float> logp) {
  double mass = 0;
  for (const float value : logp) mass += std::exp(static_cast<double>(value));
  size_t above = 0;
  while (above < ranked.size() &&
         std::exp(static_cast<double>(logp[static_cast<size_t>(ranked[above])])) >
             threshold * mass) {
    ++above;
  }
  const float least = above > 0 ? logp[static_cast<size_t>(ranked[above - 1])] : 0;
  for (size_t i = 0; i < above; ++i) {
    float& value = logp[static_cast<size_t>(ranked[i])];
    const bool kept = std::find(never.begin(), never.end(), ranked[i]) != never.end();
    if (value > least && !kept) value = kNever;
  }
}

void KeepTopK(int top_k, std::span<float> logp) {
  const std::vector<int32_t> ranked = Ranked(logp);
  for (size_t i = static_cast<size_t>(top_k); i < ranked.size(); ++i) {
    logp[static_cast<size_t>(ranked[i])] = kNever;
  }
}

// By inverse CDF of exp(logp / temperature) over what is left.
int32_t Draw(std::span<const float> logp, float temperature, double unit) {
  const float top = *std::max_element(logp.begin(), logp.end());
  double total = 0;
  std::vector<double> cumulative(logp.size());
  for (size_t i = 0; i < logp.size(); ++i) {
    total += logp[i] == kNever ? 0 : std::exp(static_cast<double>(logp[i] - top) / temperature);
    cumulative[i] = total;
  }
  const auto at = std::upper_bound(cumulative.begin(), cumulative.end(), unit * total);
  if (at != cumulative.end()) return static_cast<int32_t>(at - cumulative.begin());
  return Argmax(logp);
}

}  // namespace

Sampler::Sampler(const SamplingOptions& options, uint64_t stream)
    : options_(options), random_(options.seed, stream) {}

int32_t Sampler::Sample(std::span<float> logits, std::span<const int32_t> history) {
  LEM_CHECK(!logits.empty());
  ApplyPenalties(options_, history, logits);
  if (options_.temperature <= 0) return Argmax(logits);
  LogSoftmax(logits);
  const bool top_p = options_.top_p > 0 && options_.top_p < 1;
  const bool min_p = options_.min_p > 0, xtc = options_.xtc_probability > 0;
  if (top_p || min_p || xtc) {
    // None of the three changes an order, so one sort serves them all.
    const std::vector<int32_t> ranked = Ranked(logits);
    if (top_p) KeepTopP(options_.top_p, ranked, logits);
    if (min_p) KeepMinP(options_.min_p, options_.min_tokens_to_keep, ranked, logits);
    if (xtc && random_.NextUnit() < options_.xtc_probability) {
      ExcludeTopChoices(options_.xtc_threshold, options_.xtc_never, ranked, logits);
    }
  }
  if (options_.top_k > 0 && static_cast<size_t>(options_.top_k) < logits.size()) {
    KeepTopK(options_.top_k, logits);
  }
  return Draw(logits, options_.temperature, random_.NextUnit());
}

}  // namespace lem
