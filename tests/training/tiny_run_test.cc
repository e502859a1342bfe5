// SPDX-License-Identifier: EUPL-1.2
// What a run does beyond its arithmetic: epochs, clipping, skipped steps, best adapters, patience,
// the log, plans that are refused, files that survive a full disk.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "backend/backend.h"
#include "base/atomic_file.h"
#include "base/error.h"
#include "formats/mapped_file.h"
#include "formats/safetensors.h"
#include "pipelines/train/console_lines.h"
#include "pipelines/train/train.h"
#include "tests/support/error_text.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tiny_model.h"

namespace lem {
namespace {
namespace fs = std::filesystem;

struct Recorder : TrainObserver {
  std::vector<StepEvent> steps;
  std::vector<ValidationEvent> validations;
  std::vector<ReportEvent> reports;
  std::vector<std::string> warnings;
  std::optional<double> test_loss;
  TrainPlan plan;
  void OnStart(const StartEvent& e) override { plan = e.plan; }
  void OnStep(const StepEvent& e) override { steps.push_back(e); }
  void OnValidation(const ValidationEvent& e) override { validations.push_back(e); }
  void OnReport(const ReportEvent& e) override { reports.push_back(e); }
  void OnWarning(std::string_view text) override { warnings.emplace_back(text); }
  void OnTest(double loss, int64_t) override { test_loss = loss; }
};

class TinyRun : public ::testing::Test {
 protected:
  TinyRun() {
    testing::MakeTinyModel("tiny_llama", folder_ / "model");
    fs::create_directories(folder_ / "data");
    const fs::path from = fs::path(LEM_SOURCE_DIR) / "tests" / "fixtures" / "compat";
    for (const char* name : {"train.jsonl", "valid.jsonl"}) {
      fs::copy_file(from / name, folder_ / "data" / name);
    }
    fs::copy_file(from / "valid.jsonl", folder_ / "data" / "test.jsonl");
    options_.train = true;
    options_.model = (folder_ / "model").string();
    options_.data = (folder_ / "data").string();
    options_.adapter_path = (folder_ / "out").string();
    options_.num_layers = 2, options_.batch_size = 4, options_.iters = 6;
    options_.learning_rate = 0.003, options_.dtype = "float32", options_.steps_per_report = 2;
  }
  TrainResult Run() { return Train(options_, CpuBackend(), seen_); }
  std::vector<float> Values(const char* file = "adapters.safetensors") const {
    const MappedFile mapped(folder_ / "out" / file);
    const Safetensors tensors = Safetensors::Parse(mapped.bytes(), file);
    std::vector<float> values;
    for (const auto& [name, tensor] : tensors.tensors()) {
      std::vector<float> part(tensor.bytes.size() / 4);
      ToFloat(tensor.dtype, tensor.bytes.data(), part);
      values.insert(values.end(), part.begin(), part.end());
    }
    return values;
  }

  testing::ScratchFolder folder_;
  TrainOptions options_;
  Recorder seen_;
};

TEST_F(TinyRun, LearnsAndReports) {
  options_.iters = 20;
  const TrainResult result = Run();
  EXPECT_EQ(result.iterations, 20);
  ASSERT_EQ(seen_.reports.size(), 10u);
  EXPECT_LT(*seen_.reports.back().train_loss, 0.8 * *seen_.reports.front().train_loss);
  ASSERT_EQ(seen_.validations.size(), 2u);
  EXPECT_LT(seen_.validations[1].loss, 0.9 * seen_.validations[0].loss);
  EXPECT_TRUE(fs::exists(result.adapter_file));
  const Json config = Json::ParseFile((folder_ / "out" / "adapter_config.json").string());
  EXPECT_EQ(config.Find("lora_parameters")->Find("keys")->size(), 7u);
  EXPECT_EQ(config.Find("num_layers")->integer(), 2);
}

// Everything a run gives: losses, validations, and the bytes of its files.
struct Outcome {
  std::vector<std::optional<double>> losses;
  std::vector<double> validations;
  std::string adapter, state;
  bool operator==(const Outcome&) const = default;
};

Outcome OutcomeOf(const TrainOptions& options, Recorder& seen) {
  Train(options, CpuBackend(), seen);
  Outcome outcome;
  for (const StepEvent& step : seen.steps) outcome.losses.push_back(step.loss);
  for (const ValidationEvent& v : seen.validations) outcome.validations.push_back(v.loss);
  const fs::path folder = options.adapter_path;
  outcome.adapter = ReadTextFile(folder / "adapters.safetensors");
  outcome.state = ReadTextFile(folder / "state.safetensors");
  return outcome;
}

// 23 examples in batches of 4, more than two passes, validated five times.
TEST_F(TinyRun, FrozenOutputsKeptBetweenEpochsChangeNoByte) {
  options_.iters = 16, options_.steps_per_eval = 4, options_.num_layers = 1;
  for (const char* compat : {"", "mlx-lm"}) {
    for (const char* mask : {"none", "prompt", "assistant"}) {
      if (*compat && std::string_view(mask) == "assistant") continue;
      for (const bool checkpoint : {false, true}) {
        options_.compat = compat, options_.mask = mask;
        options_.grad_checkpoint = checkpoint;
        options_.grad_accumulation_steps = checkpoint ? 3 : 1;
        options_.dtype = checkpoint ? "bfloat16" : "float32";
        Recorder with, without;
        options_.keep_frozen = true;
        const Outcome kept = OutcomeOf(options_, with);
        options_.keep_frozen = false;
        EXPECT_EQ(kept, OutcomeOf(options_, without)) << compat << " " << mask << checkpoint;
        EXPECT_GT(with.plan.pass.frozen, 0u);
        EXPECT_EQ(without.plan.pass.frozen, 0u);
        EXPECT_LT(with.plan.flops, without.plan.flops);
      }
    }
  }
}

TEST_F(TinyRun, FrozenOutputsTakeNoMemoryThatIsNotThere) {
  Run();
  const uint64_t wanted = seen_.plan.pass.frozen, bare = seen_.plan.needed() - wanted;
  ASSERT_GT(wanted, 100u);
  options_.memory_limit = bare + 100;
  Run();
  EXPECT_EQ(seen_.plan.pass.frozen, 100u);
  options_.memory_limit = bare;
  Run();
  EXPECT_EQ(seen_.plan.pass.frozen, 0u);
  options_.memory_limit = 0, options_.num_layers = -1;  // nothing is frozen
  Run();
  EXPECT_EQ(seen_.plan.pass.frozen, 0u);
}

TEST_F(TinyRun, CeilingsAreSaidWhenAskedFor) {
  options_.log = (folder_ / "log.jsonl").string(), options_.iters = 2;
  Run();
  EXPECT_FALSE(seen_.reports.back().rate);
  EXPECT_FALSE(ReadJsonLines(options_.log).back().value.Has("gemm_share"));
  options_.ceilings = true;
  Run();
  ASSERT_TRUE(seen_.reports.back().rate);
  EXPECT_GT(seen_.reports.back().rate->share(), 0);
  EXPECT_LT(seen_.reports.back().rate->share(), 1);
  EXPECT_NE(ReportLine(seen_.reports.back()).find("% of"), std::string::npos);
  const auto rows = ReadJsonLines(options_.log);
  const auto step =
      std::ranges::find_if(rows, [](const JsonLine& r) { return r.value.Has("loss"); });
  ASSERT_NE(step, rows.end());
  EXPECT_GT(step->value.Find("gemm_share")->number(), 0);
}

TEST_F(TinyRun, EpochsReplaceIterations) {
  options_.epochs = 2;  // 23 examples in batches of 4: six a pass, the last of three
  EXPECT_EQ(Run().iterations, 12);
  int64_t tokens = 0;
  for (const StepEvent& step : seen_.steps) tokens += step.tokens;
  int64_t one = 0;
  for (size_t i = 0; i < 6; ++i) one += seen_.steps[i].tokens;
  EXPECT_EQ(tokens, 2 * one);  // every example twice
}

// Two micro-batches of different size give the gradient of their tokens together.
TEST_F(TinyRun, AccumulationWeighsTokensAlike) {
  options_.iters = 6, options_.grad_accumulation_steps = 6, options_.max_grad_norm = 0;
  options_.optimizer = "sgd", options_.learning_rate = 1;
  Run();
  const std::vector<float> in_six = Values();
  EXPECT_FALSE(seen_.steps[4].grad_norm);
  ASSERT_TRUE(seen_.steps[5].grad_norm);
  options_.iters = 1, options_.grad_accumulation_steps = 1, options_.batch_size = 23;
  options_.adapter_path = (folder_ / "out").string();
  Run();
  const std::vector<float> at_once = Values();
  ASSERT_EQ(in_six.size(), at_once.size());
  // The same sum of about 700 tokens' float32 gradients, of size up to 1, in another order.
  for (size_t i = 0; i < in_six.size(); ++i) ASSERT_NEAR(in_six[i], at_once[i], 2e-6);
}

TEST_F(TinyRun, AnOpenWindowIsNotThrownAway) {
  options_.iters = 5, options_.grad_accumulation_steps = 4;
  Run();
  EXPECT_TRUE(seen_.steps[3].grad_norm);
  EXPECT_TRUE(seen_.steps[4].grad_norm);
}

TEST_F(TinyRun, GradientsAreClippedToTheirNorm) {
  options_.iters = 1, options_.optimizer = "sgd", options_.learning_rate = 1;
  options_.lora_parameters = Json::Parse(R"({"rank":4,"scale":20,"dropout":0})", "test");
  Run();
  const double norm = *seen_.steps[0].grad_norm;
  const std::vector<float> free = Values();
  options_.max_grad_norm = norm / 4;
  Run();
  EXPECT_DOUBLE_EQ(*seen_.steps[1].grad_norm, norm);  // as it was before
  const std::vector<float> clipped = Values();
  options_.learning_rate = 0;
  options_.max_grad_norm = 0;
  Run();
  const std::vector<float> start = Values();
  for (size_t i = 0; i < start.size(); ++i) {
    ASSERT_NEAR(clipped[i] - start[i], (free[i] - start[i]) / 4, 1e-5);
  }
}

TEST_F(TinyRun, ALossThatIsNotFiniteSkipsTheStep) {
  options_.iters = 3, options_.optimizer = "sgd", options_.learning_rate = 1e30;
  options_.num_layers = 4;
  const TrainResult result = Run();
  EXPECT_GE(result.skipped, 1);
  EXPECT_FALSE(seen_.steps.back().grad_norm);
  EXPECT_TRUE(seen_.steps.back().skipped);
  EXPECT_FALSE(seen_.warnings.empty());
}

TEST_F(TinyRun, BestAdapterAndPatience) {
  options_.iters = 60, options_.steps_per_eval = 2, options_.learning_rate = 0.05;
  options_.save_best = true, options_.patience = 2;
  const TrainResult result = Run();
  ASSERT_TRUE(result.best_val_loss);
  double lowest = 1e9;
  for (const ValidationEvent& v : seen_.validations) lowest = std::min(lowest, v.loss);
  EXPECT_EQ(*result.best_val_loss, lowest);
  EXPECT_TRUE(result.stopped_early);
  EXPECT_LT(result.iterations, 60);
  // The kept adapter has that loss.
  TrainOptions test = options_;
  test.train = false, test.test = true, test.save_best = false;
  test.adapter_path = (folder_ / "out" / "best").string();
  Recorder seen;
  Train(test, CpuBackend(), seen);
  EXPECT_NEAR(*seen.test_loss, lowest, 1e-6);  // test.jsonl is valid.jsonl
}

TEST_F(TinyRun, BestNeedsAValidationSet) {
  fs::remove(folder_ / "data" / "valid.jsonl");
  options_.save_best = true;
  EXPECT_NE(testing::ErrorText([&] { Run(); }).find("--save-best"), std::string::npos);
}

TEST_F(TinyRun, StartsFromOtherWeights) {
  Run();
  const std::vector<float> first = Values();
  fs::rename(folder_ / "out", folder_ / "before");
  options_.resume_adapter_file = (folder_ / "before" / "adapters.safetensors").string();
  options_.learning_rate = 0, options_.iters = 1;
  Run();
  EXPECT_EQ(Values(), first);
}

TEST_F(TinyRun, TheLogHasARowPerStep) {
  options_.log = (folder_ / "log.jsonl").string();
  Run();
  const auto rows = ReadJsonLines(options_.log);
  ASSERT_EQ(rows.size(), 1u + 6 + 2);
  EXPECT_TRUE(rows[0].value.Has("options"));
  EXPECT_EQ(rows[0].value.Find("model_sha256")->string().size(), 64u);
  for (const char* key : {"iteration", "loss", "tokens", "learning_rate", "grad_norm",
                          "tokens_per_second", "peak_memory_bytes"}) {
    EXPECT_TRUE(rows[2].value.Has(key)) << key;
  }
  EXPECT_TRUE(rows[1].value.Has("val_loss"));
}

TEST_F(TinyRun, WhatCannotFitIsRefusedBeforeItStarts) {
  options_.memory_limit = 1000;
  const std::string refusal = testing::ErrorText([&] { Run(); });
  EXPECT_NE(refusal.find("fits in"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("--batch-size"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

TEST_F(TinyRun, BFloat16LearnsToo) {
  options_.dtype = "bfloat16", options_.iters = 20;
  Run();
  EXPECT_LT(*seen_.reports.back().train_loss, 0.8 * *seen_.reports.front().train_loss);
}

// A file system that is full: writes beyond a size fail, here by a limit on the size of files.
TEST_F(TinyRun, AFullDiskLeavesTheLastCheckpoint) {
  options_.save_every = 2;
  Run();
  const std::string before = ReadTextFile(folder_ / "out" / "adapters.safetensors");
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{2000, 2000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      WriteFileAtomically(folder_ / "out" / "adapters.safetensors", std::string(100000, 'x'));
    } catch (const Error&) {
      ::_exit(0);
    }
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(ReadTextFile(folder_ / "out" / "adapters.safetensors"), before);
  for (const auto& entry : fs::directory_iterator(folder_ / "out")) {
    EXPECT_FALSE(entry.path().filename().string().starts_with(".")) << entry.path();
  }
}

}  // namespace
}  // namespace lem
