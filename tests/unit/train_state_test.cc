// SPDX-License-Identifier: EUPL-1.2
// state.safetensors: what goes in comes out, and what may not change between a run and its
// continuation.
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "pipelines/train/state.h"
#include "tests/support/error_text.h"
#include "tests/support/scratch_folder.h"

namespace lem {
namespace {

RunIdentity Identity(const TrainOptions& options) {
  return {ToJson(options), "m0", "t0", "c0", "d0", "v0"};
}

TrainOptions Options() {
  TrainOptions o;
  o.model = "m", o.data = "d", o.train = true, o.learning_rate = 1e-4;
  return o;
}

struct SavedRun {
  RunIdentity identity = Identity(Options());
  Counters counters;
  std::vector<float> values = {1, 2.5f, -3}, gradients = {0.1f, 0.2f, 0.3f};
  std::vector<float> first = {4, 5, 6}, second = {7, 8, 9};
  MlxDraws draws{NumpyRandom(3).state(), {2, 0, 1}, 2};

  void Save(const std::filesystem::path& folder, bool mlx = true) {
    SaveState(folder, {identity,
                       counters,
                       17,
                       values,
                       gradients,
                       {{"first", first}, {"second", second}},
                       mlx ? &draws : nullptr});
  }
};

TEST(TrainState, WhatGoesInComesOut) {
  const testing::ScratchFolder folder;
  SavedRun run;
  run.counters.iteration = 40;
  run.counters.window_steps = 1;
  run.counters.window_tokens = 55;
  run.counters.report_loss = 0.1 + 0.2;  // not a short decimal
  run.counters.best_loss = 1.0 / 3;
  run.counters.after_step_pending = true;
  run.Save(folder.path());
  const RunState back = LoadState(folder.path());
  EXPECT_EQ(back.counters.ToJson().Dump(), run.counters.ToJson().Dump());
  EXPECT_EQ(back.counters.report_loss, run.counters.report_loss);
  EXPECT_EQ(*back.counters.best_loss, 1.0 / 3);
  EXPECT_EQ(back.updates, 17u);
  EXPECT_EQ(back.values, run.values);
  EXPECT_EQ(back.gradients, run.gradients);
  EXPECT_EQ(back.optimizer.at("first"), run.first);
  EXPECT_EQ(back.optimizer.at("second"), run.second);
  ASSERT_TRUE(back.draws);
  EXPECT_EQ(back.draws->random.words, run.draws.random.words);
  EXPECT_EQ(back.draws->random.position, run.draws.random.position);
  EXPECT_EQ(back.draws->permutation, run.draws.permutation);
  EXPECT_EQ(back.draws->used, 2u);
  EXPECT_NO_THROW(CheckContinues(back.identity, run.identity));
}

TEST(TrainState, GradientsAreKeptOnlyInsideAWindow) {
  const testing::ScratchFolder folder;
  SavedRun().Save(folder.path(), false);
  const RunState back = LoadState(folder.path());
  EXPECT_TRUE(back.gradients.empty());
  EXPECT_FALSE(back.draws);
}

TEST(TrainState, OptionsComeBackForResume) {
  const testing::ScratchFolder folder;
  SavedRun().Save(folder.path());
  const TrainOptions options = LoadRunOptions(folder.path());
  EXPECT_EQ(options.learning_rate, 1e-4);
  EXPECT_EQ(options.adapter_path, folder.path().string());
  EXPECT_EQ(options.resume, folder.path().string());
  EXPECT_NO_THROW(CheckContinues(Identity(Options()), Identity(options)));
}

TEST(TrainState, WhatMakesTheNumbersMayNotChange) {
  const RunIdentity saved = Identity(Options());
  TrainOptions longer = Options();
  longer.iters = 5000;
  longer.adapter_path = "elsewhere";
  EXPECT_NO_THROW(CheckContinues(saved, Identity(longer)));
  TrainOptions faster = Options();
  faster.learning_rate = 1e-3;
  EXPECT_EQ(testing::ErrorText([&] { CheckContinues(saved, Identity(faster)); }),
            "--resume: learning_rate was 0.0001 when the run began, and is now 0.001; a continued "
            "run keeps it: leave the flag out");
  RunIdentity other = saved;
  other.train_hash = "d1";
  EXPECT_NE(testing::ErrorText([&] { CheckContinues(saved, other); }).find("training data"),
            std::string::npos);
}

TEST(TrainState, AbsentAndBrokenFilesAreRefused) {
  const testing::ScratchFolder folder;
  EXPECT_NE(testing::ErrorText([&] { LoadState(folder.path()); }).find("nothing was done"),
            std::string::npos);
  SavedRun().Save(folder.path());
  const std::string whole = ReadTextFile(StateFile(folder.path()));
  for (const size_t length : {size_t{0}, size_t{7}, whole.size() / 2, whole.size() - 1}) {
    folder.Write("state.safetensors", whole.substr(0, length));
    EXPECT_THROW(LoadState(folder.path()), Error) << length;
  }
}

}  // namespace
}  // namespace lem
