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

Json Replacement(const char* from, const char* to) {
  Json pattern = Json::MakeObject();
  pattern.Set("String", from);
  Json step = Typed("Replace");
  step.Set("pattern", std::move(pattern));
  step.Set("content", to);
  return step;
}

}  // namespace

Json SpaceMarkNormalizer(bool space_prefix) {
  Json replace = Replacement(" ", kMark);
  if (!space_prefix) return replace;
  Json prepend = Typed("Prepend");
  prepend.Set("prepend", kMark);
  Json sequence = Typed("Sequence");
  sequence.Set("normalizers", Json(Json::Array{std::move(prepend), std::move(replace)}));
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

void SetScorePipeline(bool space_prefix, Tokenizer::Model* model) {
  model->normalizer = Normalizer::FromJson(SpaceMarkNormalizer(space_prefix), model->where);
  model->decoder = Decoder::FromJson(SpaceMarkDecoder(space_prefix), model->where);
  const auto& bytes = model->vocabulary.byte_ids();
  const bool has_bytes = std::all_of(bytes.begin(), bytes.end(), [](int32_t id) { return id >= 0; });
  model->BuildBpe({.byte_fallback = has_bytes,
                   .fuse_unknown = true,
                   .unknown = model->unknown.value_or(-1)});
}

}  // namespace lem
