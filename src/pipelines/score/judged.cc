// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/score/judged.h"

#include <algorithm>

#include "pipelines/metrics.h"

namespace lem {
namespace {

std::string CurrentConfig(const RunManifest& manifest, const std::string& judge) {
  const Json* record = manifest.judges.Find(judge);
  const Json* hash = record == nullptr ? nullptr : record->Find("hash");
  return hash != nullptr && hash->IsString() ? hash->string() : "";
}

// A rubric may give several metrics; a failed attempt says nothing of which.
bool Concerns(const Judgement& judgement, const std::string& metric) {
  return judgement.state != State::kOk || judgement.values.Has(metric);
}

Json DetailOf(const Judgement& judgement) {
  Json detail = judgement.detail.IsObject() ? judgement.detail : Json::MakeObject();
  detail.Set("judge", Json(judgement.judge));
  return detail;
}

}  // namespace

JudgedScores::JudgedScores(const RunFolder& run, const std::string& judge) : judge_(judge) {
  if (judge.empty()) return;
  const std::string config = CurrentConfig(run.manifest(), judge);
  for (const Judgement& judgement : run.judgements()) {
    if (judgement.judge != judge || judgement.purpose != "main" || judgement.sample.empty())
      continue;
    if (!config.empty() && judgement.judge_config != config) continue;
    by_sample_[judgement.sample].push_back(&judgement);
  }
}

const Judgement* JudgedScores::Find(const Sample& sample, const std::string& metric) const {
  const auto found = by_sample_.find(sample.key);
  if (found == by_sample_.end()) return nullptr;
  const Judgement* best = nullptr;
  for (const Judgement* judgement : found->second) {
    if (!Concerns(*judgement, metric)) continue;
    const bool good = judgement->state == State::kOk;
    if (best == nullptr || good || best->state != State::kOk) best = judgement;
  }
  return best;
}

bool JudgedScores::Has(const Sample& sample, const std::string& metric) const {
  const Judgement* judgement = Find(sample, metric);
  return judgement != nullptr && judgement->state == State::kOk;
}

Score JudgedScores::Of(const Sample& sample, const std::string& metric) const {
  const Judgement* judgement = Find(sample, metric);
  if (judgement == nullptr) {
    return Score::Missing(sample, metric, State::kSkipped,
                          judge_.empty() ? "no judge was given" : "not judged");
  }
  if (judgement->state != State::kOk) {
    Score score = Score::Missing(sample, metric, judgement->state, judgement->problem);
    score.detail.Set("judge", Json(judgement->judge));
    return score;
  }
  const Json& value = *judgement->values.Find(metric);
  if (!value.IsNumber()) {
    return Score::Missing(sample, metric, State::kUnparsed, "the judge's value is no number");
  }
  const Metric* known = FindMetric(metric);
  const bool bounded = known != nullptr && known->low < known->high;
  if (bounded && (value.number() < known->low || value.number() > known->high)) {
    return Score::Missing(sample, metric, State::kOutOfRange,
                          "the judge's value is " + value.Dump());
  }
  return Score::Of(sample, metric, value.number(), DetailOf(*judgement));
}

std::vector<std::string> JudgesOf(const RunFolder& run) {
  std::vector<std::string> judges;
  const auto add = [&](const std::string& name) {
    const bool known = std::find(judges.begin(), judges.end(), name) != judges.end();
    if (!name.empty() && !known) judges.push_back(name);
  };
  add(run.manifest().judge);
  for (const auto& [name, record] : run.manifest().judges.object()) add(name);
  return judges;
}

}  // namespace lem
