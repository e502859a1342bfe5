// SPDX-License-Identifier: EUPL-1.2
// The two default models against transformers in float32 on the same dequantised weights
// (scripts/make_real_goldens.py): log-probabilities of a dozen texts, and greedy text.
#include "tests/support/real_models.h"

#include <gtest/gtest.h>

#include <fstream>

#include "formats/json.h"
#include "model/engine.h"

namespace lem {
namespace {

using namespace testing;

struct Model {
  const char *name, *file;
};

class RealModel : public ::testing::TestWithParam<Model> {
 protected:
  void SetUp() override {
    path_ = FindRealModel(GetParam().file);
    if (path_.empty()) {
      GTEST_SKIP() << GetParam().file << " is not there; set LEM_TEST_MODELS to its folder";
    }
    goldens_ = Json::ParseFile(std::string(LEM_SOURCE_DIR) + "/tests/fixtures/real_goldens.json")
                   .At(GetParam().name, "real_goldens");
    checkpoint_.emplace(Checkpoint::Open(path_));
  }

  std::unique_ptr<Decoder> Load(Precision precision, WeightOptions::Form form) {
    DecoderOptions options;
    options.precision = precision;
    options.form = form;
    return Decoder::Load(CpuBackend(), *checkpoint_, options);
  }

  static std::vector<int32_t> Ids(const Json& json) {
    std::vector<int32_t> ids;
    for (const Json& id : json.array()) ids.push_back(static_cast<int32_t>(id.integer()));
    return ids;
  }

  void ExpectLogProbs(Decoder& decoder, double tolerance) {
    Engine engine(decoder, {});
    for (const Json& text : goldens_.Find("texts")->array()) {
      const std::vector<int32_t> ids = Ids(*text.Find("ids"));
      const double expected = text.Find("log_prob")->number();
      if (ids.size() < 2) continue;
      EXPECT_NEAR(-engine.NegativeLogLikelihood(ids, 1), expected, tolerance * std::abs(expected))
          << ids.size() << " tokens";
    }
  }

  std::filesystem::path path_;
  Json goldens_;
  std::optional<Checkpoint> checkpoint_;
};

// The embedding's scale is unrounded in float32, as in transformers. 1e-4 of a total of some
// hundred nats is what float32 sums over 2,048 terms in another order may differ by.
TEST_P(RealModel, LogProbabilitiesMatchInFloat32) {
  const auto decoder = Load(Precision::kFloat32, WeightOptions::Form::kCompact);
  ExpectLogProbs(*decoder, 1e-4);
}

TEST_P(RealModel, LogProbabilitiesStayNearInBFloat16) {
  for (const auto form : {WeightOptions::Form::kCompact, WeightOptions::Form::kDense}) {
    const auto decoder = Load(Precision::kBFloat16, form);
    ExpectLogProbs(*decoder, 1e-2);
  }
}

// A step of 1/127 of a group's largest number: some five times bfloat16's rounding of a typical
// one. The worst of the twelve texts, 38 tokens long, is 2.2 % off.
TEST_P(RealModel, LogProbabilitiesStayNearWithIntegers) {
  const auto decoder = Load(Precision::kBFloat16, WeightOptions::Form::kInteger);
  ExpectLogProbs(*decoder, 3e-2);
}

TEST_P(RealModel, GreedyTextIsTheSameInFloat32) {
  const auto decoder = Load(Precision::kFloat32, WeightOptions::Form::kCompact);
  std::vector<GenerateRequest> requests;
  for (const Json& c : goldens_.Find("greedy")->array()) {
    requests.push_back({.prompt = Ids(*c.Find("ids")),
                        .max_tokens = 64,
                        .end_ids = {},
                        .sampling = {},
                        .stream = {}});
  }
  Engine engine(*decoder, {.max_batch = 3, .prefill_chunk = 256});
  const std::vector<Generation> made = engine.Generate(requests);
  for (size_t i = 0; i < made.size(); ++i) {
    EXPECT_EQ(made[i].ids, Ids(*goldens_.Find("greedy")->array()[i].Find("continuation")))
        << requests[i].prompt.size() << " tokens of prompt";
  }
}

INSTANTIATE_TEST_SUITE_P(Default, RealModel,
                         ::testing::Values(Model{"smollm2", kSmolLm2File},
                                           Model{"gemma3", kGemma3File}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace lem
