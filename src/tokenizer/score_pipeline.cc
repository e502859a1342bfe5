// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/score_pipeline.h"

#include <algorithm>

namespace lem {
namespace {

constexpr char kMark[] = "\xE2\x96\x81";

Json Typed(const char* type) {
  Json step = Json::MakeObject();
  step.Set("type", type);
  return step;
}

Json Replacement(const char* from, const char* to, const char* kind = "String") {
  Json pattern = Json::MakeObject();
  pattern.Set(kind, from);
  Json step = Typed("Replace");
  step.Set("pattern", std::move(pattern));
  step.Set("content", to);
  return step;
}

Json SplitAtSpaces() {
  Json pattern = Json::MakeObject();
  pattern.Set("String", " ");
  Json step = Typed("Split");
  step.Set("pattern", std::move(pattern));
  step.Set("behavior", "MergedWithPrevious");
  step.Set("invert", false);
  return step;
}

}  // namespace

Json SpaceMarkNormalizer(const ScoreSpaces& spaces) {
  Json::Array steps;
  if (spaces.single_spaces) {
    steps.push_back(Replacement(R"(\A +|[ \x{2581}]+\z)", "", "Regex"));
    steps.push_back(Replacement(" +", " ", "Regex"));
  }
  if (spaces.space_prefix) {
    Json prepend = Typed("Prepend");
    prepend.Set("prepend", kMark);
    steps.push_back(std::move(prepend));
  }
  steps.push_back(Replacement(" ", kMark));
  if (steps.size() == 1) return steps[0];
  Json sequence = Typed("Sequence");
  sequence.Set("normalizers", Json(std::move(steps)));
  return sequence;
}

Json SpaceMarkDecoder(bool space_prefix) {
  Json::Array steps = {Replacement(kMark, " "), Typed("ByteFallback"), Typed("Fuse")};
  if (space_prefix) {
    Json strip = Typed("Strip");
    strip.Set("content", " ");
    strip.Set("start", 1);
    strip.Set("stop", 0);
    steps.push_back(std::move(strip));
  }
  Json sequence = Typed("Sequence");
  sequence.Set("decoders", Json(std::move(steps)));
  return sequence;
}

void SetScorePipeline(const ScoreSpaces& spaces, Tokenizer::Model* model) {
  model->normalizer = Normalizer::FromJson(SpaceMarkNormalizer(spaces), model->where);
  model->decoder = TokenDecoder::FromJson(SpaceMarkDecoder(spaces.space_prefix), model->where);
  if (!spaces.space_prefix) {
    // As Gemma's own file has it; no space is left for it to find.
    model->pre_tokenizer = PreTokenizer::FromJson(SplitAtSpaces(), model->where);
  }
  const auto& bytes = model->vocabulary.byte_ids();
  const bool has_bytes =
      std::all_of(bytes.begin(), bytes.end(), [](int32_t id) { return id >= 0; });
  model->BuildBpe(
      {.byte_fallback = has_bytes, .fuse_unknown = true, .unknown = model->unknown.value_or(-1)});
}

}  // namespace lem
