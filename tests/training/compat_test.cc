// SPDX-License-Identifier: EUPL-1.2
// --compat mlx-lm against the loss curves of the real mlx-lm (tests/fixtures/compat, made by
// scripts/make_compat_goldens.py): LoRA, DoRA and full fine-tuning, five optimizers, masks,
// accumulation, schedules, cut rows, on four families.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backend/backend.h"
#include "pipelines/train/train.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tiny_model.h"

namespace lem {
namespace {
namespace fs = std::filesystem;

const fs::path kGoldens = fs::path(LEM_SOURCE_DIR) / "tests" / "fixtures" / "compat";

struct Recorder : TrainObserver {
  std::vector<double> losses, validations;
  std::vector<int64_t> tokens;  // cumulative, as mlx-lm reports them
  void OnStep(const StepEvent& e) override {
    losses.push_back(e.loss.value_or(std::nan("")));
    tokens.push_back((tokens.empty() ? 0 : tokens.back()) + e.tokens);
  }
  void OnValidation(const ValidationEvent& e) override { validations.push_back(e.loss); }
};

// Both programs compute in float32 with different orders of summation: losses near 20 carry 1e-6,
// and fourteen updates multiply a difference by the slope of the curve. Measured: at most 7.5e-6.
constexpr double kTolerance = 5e-5;

void ExpectCurve(const std::vector<double>& found, const Json& wanted) {
  ASSERT_EQ(found.size(), wanted.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], wanted.array()[i].number(), kTolerance) << "entry " << i;
  }
}

TEST(MlxCompat, LossCurvesAreTheRealPrograms) {
  const Json goldens = Json::ParseFile((kGoldens / "losses.json").string());
  for (const Json& run : goldens.Find("runs")->array()) {
    SCOPED_TRACE(run.Find("name")->string());
    const testing::ScratchFolder folder;
    testing::MakeTinyModel(run.Find("model")->string(), folder / "model");
    TrainOptions options;
    ApplyYaml(*run.Find("options"), "test", &options);
    options.model = (folder / "model").string();
    options.data = kGoldens.string();
    options.adapter_path = (folder / "out").string();
    options.compat = "mlx-lm";
    options.dtype = "float32";
    Recorder recorder;
    Train(options, CpuBackend(), recorder);
    ExpectCurve(recorder.losses, *run.Find("losses"));
    ExpectCurve(recorder.validations, *run.Find("validations"));
    for (size_t i = 0; i < recorder.tokens.size(); ++i) {
      EXPECT_EQ(recorder.tokens[i], run.Find("tokens")->array()[i].integer()) << i;
    }
  }
}

// The default mode on the same data learns too, and is not mlx-lm's curve: no padding is learnt.
TEST(MlxCompat, TheDefaultModeCountsNoPadding) {
  const testing::ScratchFolder folder;
  testing::MakeTinyModel("tiny_llama", folder / "model");
  TrainOptions options;
  options.train = true;
  options.model = (folder / "model").string();
  options.data = kGoldens.string();
  options.adapter_path = (folder / "out").string();
  options.batch_size = 23, options.iters = 8, options.num_layers = 2, options.val_batches = 0;
  options.learning_rate = 0.01, options.dtype = "float32";
  Recorder ours, theirs;
  Train(options, CpuBackend(), ours);
  options.compat = "mlx-lm";
  Train(options, CpuBackend(), theirs);
  EXPECT_EQ(theirs.tokens[0] - ours.tokens[0], 23);  // one padding token per row
  EXPECT_LT(ours.losses.back(), 0.8 * ours.losses.front());
}

}  // namespace
}  // namespace lem
