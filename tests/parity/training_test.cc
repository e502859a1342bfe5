// SPDX-License-Identifier: EUPL-1.2
// Loss, every LoRA gradient and ten steps of Adam of each family against transformers and torch in
// float64.
#include <gtest/gtest.h>

#include "tests/support/tiny_training.h"

namespace lem {
namespace {

using namespace testing;

class TrainingParity : public ::testing::TestWithParam<const char*> {};

// The forward pass is good to 1e-4 of a tensor's size (decoder_test.cc); the backward pass is as
// long again and meets the same gains.
constexpr double kGradient = 4e-4;

PassOptions OptionsFor(const TrainBatch& batch, bool checkpoint = false) {
  return {.max_tokens = static_cast<int64_t>(batch.ids.size()),
          .max_counted = batch.counted(),
          .grad_checkpoint = checkpoint,
          .dropout_seed = 0,
          .frozen_bytes = 0};
}

// Sequences cut to `lengths`, of the goldens' two in turn.
TrainBatch BatchOf(const Goldens& goldens, std::initializer_list<std::pair<int, size_t>> rows) {
  TrainBatch batch;
  batch.starts = {0};
  for (const auto& [sequence, length] : rows) {
    const std::vector<int32_t> ids = goldens.Ids(sequence);
    for (size_t i = 0; i < length; ++i) {
      batch.ids.push_back(ids[i]);
      batch.targets.push_back(i < 3 ? -1 : ids[i + 1]);
    }
    batch.starts.push_back(batch.ids.size());
  }
  return batch;
}

TEST_P(TrainingParity, LossAndEveryGradientMatchTorch) {
  const Goldens goldens(GetParam());
  TinyModel model(GetParam(), Precision::kFloat32, 0);
  Adapter adapter(model.config(), kTinyLora);
  FillFromGoldens(goldens, &adapter);
  model.decoder->SetAdapter(&adapter);
  const TrainBatch batch = TinyBatch(goldens);
  TrainingPass pass(*model.decoder, adapter, OptionsFor(batch));
  Adapter gradients = adapter.LikeThis();
  const auto counted = static_cast<double>(batch.counted());
  const double loss =
      pass.ForwardBackward(batch, static_cast<float>(1 / counted), 0, gradients) / counted;
  EXPECT_NEAR(loss, goldens.Floats("losses")[0], 1e-4 * loss);
  EXPECT_NEAR(pass.Evaluate(batch) / counted, loss, 1e-6 * loss);
  for (auto m = gradients.modules().rbegin(); m != gradients.modules().rend(); ++m) {
    ASSERT_LE(RelativeError({m->up.data, m->up.rows * m->up.cols},
                            goldens.Floats("dup." + ModuleName(*m))),
              kGradient)
        << "dup." << ModuleName(*m);
    ASSERT_LE(RelativeError({m->down.data, m->down.rows * m->down.cols},
                            goldens.Floats("ddown." + ModuleName(*m))),
              kGradient)
        << "ddown." << ModuleName(*m);
  }
}

TEST_P(TrainingParity, TenStepsOfAdamFollowTorch) {
  const Goldens goldens(GetParam());
  TinyModel model(GetParam(), Precision::kFloat32, 0);
  Adapter adapter(model.config(), kTinyLora);
  FillFromGoldens(goldens, &adapter);
  model.decoder->SetAdapter(&adapter);
  const TrainBatch batch = TinyBatch(goldens);
  TrainingPass pass(*model.decoder, adapter, OptionsFor(batch));
  const auto counted = static_cast<double>(batch.counted());
  TinyAdam adam(adapter.values().size(), 2e-3);
  const std::vector<float> expected = goldens.Floats("losses");
  for (size_t step = 0; step < expected.size(); ++step) {
    Adapter gradients = adapter.LikeThis();
    const double loss =
        pass.ForwardBackward(batch, static_cast<float>(1 / counted), step, gradients) / counted;
    // A step moves the loss by about 0.1, and gradients are good to 4e-4 of their size.

    ASSERT_NEAR(loss, expected[step], 4e-5 * static_cast<double>(step + 3)) << "step " << step;
    adam.Step(gradients.values(), adapter.values());
  }
}

TEST_P(TrainingParity, CheckpointingChangesNoBit) {
  const Goldens goldens(GetParam());
  for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16}) {
    TinyModel model(GetParam(), precision, 0);
    Adapter adapter(model.config(), kTinyLora);
    FillFromGoldens(goldens, &adapter);
    model.decoder->SetAdapter(&adapter);
    const TrainBatch batch = TinyBatch(goldens);
    std::vector<std::vector<float>> gradients;
    for (const bool checkpoint : {false, true}) {
      TrainingPass pass(*model.decoder, adapter, OptionsFor(batch, checkpoint));
      Adapter g = adapter.LikeThis();
      pass.ForwardBackward(batch, 0.25f, 0, g);
      gradients.emplace_back(g.values().begin(), g.values().end());
    }
    EXPECT_EQ(gradients[0], gradients[1]);
  }
}

// Dropout's masks depend on seed, step and module alone: not on checkpointing, nor on threads.
TEST_P(TrainingParity, GradientsDependOnSeedAndStepAlone) {
  const Goldens goldens(GetParam());
  AdapterShape shape = kTinyLora;
  shape.dropout = 0.3f;
  TinyModel model(GetParam(), Precision::kBFloat16, 0);
  Adapter adapter(model.config(), shape);
  FillFromGoldens(goldens, &adapter);
  model.decoder->SetAdapter(&adapter);
  const TrainBatch batch = TinyBatch(goldens);
  const auto gradients = [&](int threads, bool checkpoint, uint64_t seed, uint64_t step) {
    SetThreads(threads);
    PassOptions options = OptionsFor(batch, checkpoint);
    options.dropout_seed = seed;
    TrainingPass pass(*model.decoder, adapter, options);
    Adapter g = adapter.LikeThis();
    pass.ForwardBackward(batch, 1, step, g);
    return std::vector<float>(g.values().begin(), g.values().end());
  };
  const auto first = gradients(1, false, 7, 3);
  EXPECT_EQ(first, gradients(1, true, 7, 3));
  EXPECT_EQ(first, gradients(2, false, 7, 3));
  EXPECT_NE(first, gradients(1, false, 7, 4));
  EXPECT_NE(first, gradients(1, false, 8, 3));
}

// The plan and the memory are laid out by the same code; gradients are counted number by number.
TEST_P(TrainingParity, ThePlanIsWhatIsTaken) {
  for (const TuneType type : {TuneType::kLora, TuneType::kDora, TuneType::kFull}) {
    for (const bool checkpoint : {false, true}) {
      AdapterShape shape = kTinyLora;
      shape.type = type, shape.num_layers = 3, shape.dropout = 0.1f;
      TinyModel model(GetParam(), Precision::kBFloat16, 0);
      Adapter adapter(model.config(), shape);
      adapter.Initialize(0, model.decoder->weights());
      model.decoder->SetAdapter(&adapter);
      const PassOptions options = {.max_tokens = 200,
                                   .max_counted = 50,
                                   .grad_checkpoint = checkpoint,
                                   .dropout_seed = 0,
                                   .frozen_bytes = 0};
      const TrainingPass pass(*model.decoder, adapter, options);
      const PassMemory plan =
          TrainingPass::Plan(model.config(), shape, options, Precision::kBFloat16);
      EXPECT_EQ(plan.saved_activations + plan.scratch + plan.logits, pass.bytes());
      EXPECT_EQ(plan.gradients, adapter.values().size() * sizeof(float));
    }
  }
}

// Losses and gradients of two epochs; `computed`: tokens that went through the frozen blocks.
struct Epochs {
  std::vector<double> losses;
  std::vector<float> gradients;
  std::vector<int64_t> computed;
};

Epochs RunTwice(TinyModel& model, Adapter& adapter, const std::vector<TrainBatch>& batches,
                uint64_t frozen_bytes) {
  PassOptions options;
  options.max_tokens = 60, options.frozen_bytes = frozen_bytes;
  TrainingPass pass(*model.decoder, adapter, options);
  Epochs result;
  Adapter gradients = adapter.LikeThis();
  for (uint64_t step = 0; step < 2 * batches.size(); ++step) {
    const TrainBatch& batch = batches[step % batches.size()];
    result.losses.push_back(pass.ForwardBackward(batch, 0.25f, step, gradients));
    result.computed.push_back(pass.frozen_tokens());
    result.losses.push_back(pass.Evaluate(batch));
  }
  result.gradients.assign(gradients.values().begin(), gradients.values().end());
  return result;
}

// Batches whose rows are all, partly or not kept; with room for everything and for some.
TEST_P(TrainingParity, KeptFrozenOutputsChangeNoBit) {
  const Goldens goldens(GetParam());
  AdapterShape shape = kTinyLora;
  shape.num_layers = 2, shape.dropout = 0.2f;
  for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16}) {
    TinyModel model(GetParam(), precision, 0);
    Adapter adapter(model.config(), shape);
    adapter.Initialize(3, model.decoder->weights());
    for (float& value : adapter.values()) value += 0.01f;
    model.decoder->SetAdapter(&adapter);
    const std::vector<TrainBatch> batches = {BatchOf(goldens, {{0, 9}}),
                                             BatchOf(goldens, {{1, 7}, {0, 9}, {0, 6}}),
                                             BatchOf(goldens, {{1, 8}, {1, 7}, {0, 6}, {1, 8}})};
    const Epochs without = RunTwice(model, adapter, batches, 0);
    EXPECT_EQ(without.computed, (std::vector<int64_t>{9, 22, 29, 9, 22, 29}));
    const uint64_t row = static_cast<uint64_t>(model.config().dim) * sizeof(float);
    const Epochs kept = RunTwice(model, adapter, batches, 1000 * row);
    EXPECT_EQ(kept.computed, (std::vector<int64_t>{9, 13, 16, 0, 0, 0}));
    const Epochs some = RunTwice(model, adapter, batches, 16 * row);  // two sequences
    EXPECT_EQ(some.computed, (std::vector<int64_t>{9, 13, 22, 0, 6, 22}));
    for (const Epochs* other : {&kept, &some}) {
      EXPECT_EQ(other->losses, without.losses);
      EXPECT_EQ(other->gradients, without.gradients);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Tiny, TrainingParity, ::testing::ValuesIn(kFamilies),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace lem
