// SPDX-License-Identifier: EUPL-1.2
// The training pass of whole tiny models against the complex step through the reference model:
// LoRA, DoRA and full tuning, in every family (windows, grouped heads, norms of heads, post-norms,
// soft-caps, biases).
#include <gtest/gtest.h>

#include "tests/support/gradient.h"
#include "tests/support/reference_model.h"
#include "tests/support/tiny_training.h"

namespace lem {
namespace {

using namespace testing;

struct Case {
  const char* family;
  TuneType type;
};

class ModelGradient : public ::testing::TestWithParam<Case> {};

// tests/parity/decoder_test.cc derives 1e-4 for four blocks forward; backward doubles the path.
constexpr double kTolerance = 2e-4;

AdapterShape ShapeFor(TuneType type) {
  AdapterShape shape = kTinyLora;
  shape.type = type;
  shape.num_layers = 3;  // one frozen block below
  return shape;
}

void FillValues(const WeightMap& map, Adapter* adapter) {
  adapter->Initialize(1, map);
  const std::vector<float> noise = RandomVector(adapter->values().size(), 2, 0.2f);
  for (size_t i = 0; i < noise.size(); ++i) adapter->values()[i] += noise[i];
}

TEST_P(ModelGradient, MatchesTheComplexStep) {
  const auto [family, type] = GetParam();
  const Goldens goldens(family);
  TinyModel model(family, Precision::kFloat32, 1);
  Adapter adapter(model.config(), ShapeFor(type));
  FillValues(model.decoder->weights(), &adapter);
  model.decoder->SetAdapter(&adapter);
  const TrainBatch batch = TinyBatch(goldens);
  TrainingPass pass(*model.decoder, adapter,
                    {.max_tokens = static_cast<int64_t>(batch.ids.size()),
                     .max_counted = 0,
                     .grad_checkpoint = false,
                     .dropout_seed = 0});
  Adapter gradients = adapter.LikeThis();
  const float weight = 0.5f;
  const double loss = pass.ForwardBackward(batch, weight, 0, gradients);

  ReferenceModel<Complex> reference(model.config(), model.decoder->weights(), adapter);
  const auto reference_loss = [&](const ComplexVector& z) {
    return Complex(weight) * reference.Loss(batch, z);
  };
  EXPECT_NEAR(loss * weight, std::real(reference_loss(Lift(adapter.values()))), 1e-4 * loss);

  const std::vector<float> direction = RandomVector(adapter.values().size(), 3);
  ExpectGradientAlong("all", gradients.values(), adapter.values(), direction, kTolerance,
                      reference_loss);
  const auto along = [&](const std::string& name, const float* begin, size_t count) {
    std::vector<float> part(direction.size(), 0.0f);
    const auto at = begin - adapter.values().data();
    std::copy_n(direction.begin() + at, count, part.begin() + at);
    ExpectGradientAlong(name, gradients.values(), adapter.values(), part, kTolerance,
                        reference_loss);
  };
  for (const AdapterModule& m : adapter.modules()) {
    if (m.layer != 1) continue;  // the farthest from the loss
    along("down." + ModuleName(m), m.down.data, m.down.rows * m.down.cols);
    along("up." + ModuleName(m), m.up.data, m.up.rows * m.up.cols);
    if (!m.magnitude.empty()) along("m." + ModuleName(m), m.magnitude.data(), m.magnitude.size());
  }
  for (const TrainedTensor& t : adapter.tensors()) {
    if (t.layer != 1) continue;
    const std::string name =
        t.is_norm ? HfNormName(model.config(), t.norm, 1) : HfName(t.projection, 1);
    along(name + (t.is_bias ? ".bias" : ""), t.value.data, t.value.rows * t.value.cols);
  }
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const char* family : kFamilies)
    for (const TuneType type : {TuneType::kLora, TuneType::kDora, TuneType::kFull})
      cases.push_back({family, type});
  return cases;
}

std::string CaseName(const ::testing::TestParamInfo<Case>& info) {
  constexpr const char* kNames[] = {"lora", "dora", "full"};
  return std::string(info.param.family) + "_" + kNames[static_cast<int>(info.param.type)];
}

INSTANTIATE_TEST_SUITE_P(Tiny, ModelGradient, ::testing::ValuesIn(Cases()), CaseName);

}  // namespace
}  // namespace lem
