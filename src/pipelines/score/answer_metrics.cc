// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/score/answer_metrics.h"

#include "pipelines/score/answer_quality.h"
#include "pipelines/score/extractors.h"
#include "pipelines/score/lek.h"
#include "pipelines/score/python_text.h"

namespace lem {
namespace {

using Extractor = Extraction (*)(std::string_view answer, std::string_view gold);

// The gold number as text; lm-eval keeps the whole worked answer, whose number stands behind ####.
std::optional<std::string> GoldOf(const Sample& sample) {
  if (sample.reference.IsNumber()) return sample.reference.Dump();
  if (!sample.reference.IsString()) return std::nullopt;
  const std::string& text = sample.reference.string();
  const size_t marker = text.rfind("####");
  if (marker == std::string::npos) return text;
  return std::string(StripPython(std::string_view(text).substr(marker + 4)));
}

Score NoReference(const Sample& sample, const std::string& metric) {
  return Score::Missing(sample, metric, State::kSkipped, "the item has no reference answer");
}

Score Extracted(const Sample& sample, const std::string& metric, Extractor extract) {
  const auto gold = GoldOf(sample);
  if (!gold) return NoReference(sample, metric);
  const Extraction extraction = extract(sample.response, *gold);
  Json detail = Json::MakeObject();
  detail.Set("extracted", extraction.found ? Json(extraction.text) : Json());
  if (extraction.found) {
    detail.Set("rule", Json(extraction.rule));
    detail.Set("span", Json(Json::Array{Json(extraction.span.begin), Json(extraction.span.end)}));
  }
  return Score::Of(sample, metric, extraction.correct, std::move(detail));
}

}  // namespace

Score Gsm8kLem(const Sample& sample, const std::string& metric) {
  return Extracted(sample, metric, ExtractLem);
}

Score Gsm8kStrict(const Sample& sample, const std::string& metric) {
  return Extracted(sample, metric, ExtractStrict);
}

Score Gsm8kFlexible(const Sample& sample, const std::string& metric) {
  return Extracted(sample, metric, ExtractFlexible);
}

Score Gsm8kFinal(const Sample& sample, const std::string& metric) {
  constexpr size_t kCandidates = 20;
  Score score = Extracted(sample, metric, ExtractFinal);
  if (!score.detail.Has("extracted")) return score;
  Json candidates = Json::MakeArray();
  for (const Extraction& number : NumbersIn(sample.response, kCandidates)) {
    candidates.Append(Json(number.text));
  }
  score.detail.Set("candidates", std::move(candidates));
  return score;
}

Score Gsm8kFormat(const Sample& sample, const std::string& metric) {
  return Score::Of(sample, metric, HasAnswerMarker(sample.response));
}

Score Gsm8kDisagreement(const Sample& sample, const std::string& metric) {
  const auto gold = GoldOf(sample);
  if (!gold) return NoReference(sample, metric);
  int right = 0;
  for (const Extractor extract : {ExtractLem, ExtractStrict, ExtractFlexible, ExtractFinal}) {
    right += extract(sample.response, *gold).correct ? 1 : 0;
  }
  return Score::Of(sample, metric, right != 0 && right != 4);
}

Score LekV1Metric(const Sample& sample, const std::string& metric) {
  const LekV1 v = ScoreLekV1(sample.response);
  return Score::Of(sample, metric, v.score(), v.ToJson());
}

Score LekV2Metric(const Sample& sample, const std::string& metric) {
  const LekV2 v = ScoreLekV2(sample.response);
  return Score::Of(sample, metric, v.score(), v.ToJson());
}

Score LekV3Metric(const Sample& sample, const std::string& metric) {
  const LekV3 v = ScoreLekV3(sample.response);
  return Score::Of(sample, metric, v.score(), v.ToJson());
}

Score Truncated(const Sample& sample, const std::string& metric) {
  if (sample.finish_reason.empty()) {
    return Score::Missing(sample, metric, State::kSkipped, "why the answer ended was not recorded");
  }
  return Score::Of(sample, metric, sample.finish_reason == "length");
}

Score Unfinished(const Sample& sample, const std::string& metric) {
  return Score::Of(sample, metric, LooksUnfinished(sample.response));
}

Score Looping(const Sample& sample, const std::string& metric) {
  return Score::Of(sample, metric, IsLooping(sample.response));
}

Score Empty(const Sample& sample, const std::string& metric) {
  return Score::Of(sample, metric, IsEmptyAnswer(sample.response));
}

Score Refused(const Sample& sample, const std::string& metric) {
  return Score::Of(sample, metric, IsRefusal(sample.response));
}

Score RunOn(const Sample& sample, const std::string& metric) {
  return Score::Of(sample, metric, RunsOn(sample.response));
}

Score Words(const Sample& sample, const std::string& metric) {
  return Score::Of(sample, metric, static_cast<double>(SplitPythonWords(sample.response).size()));
}

}  // namespace lem
