// SPDX-License-Identifier: EUPL-1.2
// lem bench: what is answered, kept, computed again, and never computed again.
#include "pipelines/bench/bench.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/error.h"
#include "pipelines/bench/bench_plan.h"
#include "pipelines/run_folder.h"
#include "tests/support/error_text.h"
#include "tests/support/silent_progress.h"
#include "tests/support/tiny_bench.h"

namespace lem {
namespace {

using testing::ErrorText;
using testing::SilentProgress;
using testing::TinyBench;

std::map<std::string, std::string> Responses(const std::filesystem::path& folder) {
  SilentProgress progress;
  const RunFolder run(folder, RunFolder::Access::kRead, progress);
  std::map<std::string, std::string> out;
  for (const Sample* s : run.samples()) {
    if (s->choices.empty()) out[s->item + "/" + std::to_string(s->repeat)] = s->response;
  }
  return out;
}

TEST(Bench, AnswersEverythingOnceAndKeepsIt) {
  TinyBench bench;
  SilentProgress progress;
  const BenchResult first = RunBench(bench.Options(), progress);
  ASSERT_EQ(first.tasks.size(), 2u);
  EXPECT_EQ(first.tasks[0].answers, 12);
  EXPECT_EQ(first.tasks[0].kept, 0);
  EXPECT_EQ(first.tasks[0].failed, 0);
  EXPECT_GT(first.generation_tokens, 0);
  const std::string before = ReadTextFile(bench.out() / "samples.jsonl");
  const BenchResult second = RunBench(bench.Options(), progress);
  EXPECT_EQ(second.tasks[0].kept, 12);
  EXPECT_EQ(second.tasks[1].kept, 12);
  EXPECT_EQ(second.generation_tokens, 0);
  EXPECT_EQ(ReadTextFile(bench.out() / "samples.jsonl"), before);
}

TEST(Bench, SharesOfTheCeilingsWhenAskedFor) {
  TinyBench bench(3);
  SilentProgress progress;
  BenchOptions options = bench.Options();
  options.ceilings = true;
  const BenchResult first = RunBench(options, progress);
  ASSERT_TRUE(first.ceilings && first.ceilings->prompts && first.ceilings->generation);
  EXPECT_GT(*first.ceilings->prompts, 0);
  EXPECT_LT(*first.ceilings->prompts, 1);
  EXPECT_GT(*first.ceilings->generation, 0);
  const BenchResult kept = RunBench(options, progress);  // nothing is computed: no share
  ASSERT_TRUE(kept.ceilings);
  EXPECT_FALSE(kept.ceilings->prompts || kept.ceilings->generation);
  options.ceilings = false;
  EXPECT_FALSE(RunBench(options, progress).ceilings);
}

TEST(Bench, TheRecordBindsAnswersToWhatMadeThem) {
  TinyBench bench;
  SilentProgress progress;
  RunBench(bench.Options(), progress);
  const RunFolder run(bench.out(), RunFolder::Access::kRead, progress);
  const Json& model = *run.manifest().models.Find("tiny");
  for (const char* key : {"weights_sha256", "tokenizer_sha256", "template_sha256"}) {
    EXPECT_EQ(model.Find(key)->string().size(), 64u) << key;
  }
  EXPECT_TRUE(model.Find("adapter_sha256")->IsNull());
  const RunPlan* plan = run.manifest().FindPlan("tiny", "speak");
  ASSERT_NE(plan, nullptr);
  EXPECT_EQ(plan->config, PlanConfig(plan->settings));
  EXPECT_EQ(plan->settings.Find("max_tokens")->integer(), 24);
  for (const Sample* sample : run.samples()) {
    EXPECT_FALSE(sample->prompt.empty());
    EXPECT_GT(sample->prompt_tokens, 0);
    EXPECT_GE(sample->seconds, 0);
  }
}

TEST(Bench, BatchSizeChangesNoAnswer) {
  TinyBench bench;
  SilentProgress progress;
  BenchOptions options = bench.Options();
  options.temperature = 1.0f;
  options.repeats = 3;
  RunBench(options, progress);
  const auto wide = Responses(bench.out());
  options.out = (bench.folder() / "narrow").string();
  options.max_batch = 1;
  RunBench(options, progress);
  EXPECT_EQ(wide.size(), 36u);
  EXPECT_EQ(Responses(options.out), wide);
  std::set<std::string> distinct;
  for (const auto& [place, text] : wide) distinct.insert(text);
  EXPECT_GT(distinct.size(), 12u) << "repeats must differ";
}

// A resumed run asks fewer questions, in other places of the batch.
TEST(Bench, AnAnswerDoesNotDependOnWhichOthersAreAsked) {
  TinyBench bench;
  SilentProgress progress;
  BenchOptions options = bench.Options();
  options.temperature = 1.0f;
  options.tasks = {bench.generate_task()};
  RunBench(options, progress);
  const auto whole = Responses(bench.out());
  options.out = (bench.folder() / "parts").string();
  options.sample = 5;
  RunBench(options, progress);
  const auto part = Responses(options.out);
  ASSERT_EQ(part.size(), 5u);
  for (const auto& [place, text] : part) EXPECT_EQ(text, whole.at(place)) << place;
  options.sample = 0;
  const BenchResult rest = RunBench(options, progress);
  EXPECT_EQ(rest.tasks[0].kept, 5);
  EXPECT_EQ(Responses(options.out), whole);
}

TEST(Bench, ASubsetSaysSo) {
  TinyBench bench;
  SilentProgress progress;
  BenchOptions options = bench.Options();
  options.limit = 3;
  const BenchResult result = RunBench(options, progress);
  EXPECT_EQ(result.tasks[0].subset, "first 3");
  EXPECT_EQ(result.tasks[0].answers, 3);
  const RunFolder run(bench.out(), RunFolder::Access::kRead, progress);
  const RunPlan* plan = run.manifest().FindPlan("tiny", "speak");
  EXPECT_EQ(plan->subset, "first 3");
  EXPECT_EQ(plan->items_in_data, 12);
}

TEST(Bench, OtherSettingsAreOtherAnswers) {
  TinyBench bench;
  SilentProgress progress;
  BenchOptions options = bench.Options();
  options.tasks = {bench.generate_task()};
  RunBench(options, progress);
  options.max_tokens = 5;
  const BenchResult changed = RunBench(options, progress);
  EXPECT_EQ(changed.tasks[0].kept, 0);
  const RunFolder run(bench.out(), RunFolder::Access::kRead, progress);
  EXPECT_EQ(run.all_samples().size(), 24u);
  EXPECT_EQ(run.samples().size(), 12u);
  for (const Sample* sample : run.samples()) EXPECT_LE(sample->generation_tokens, 5);
}

TEST(Bench, AChangedItemIsAnsweredAgainAndOthersAreNot) {
  TinyBench bench;
  SilentProgress progress;
  BenchOptions options = bench.Options();
  options.tasks = {bench.generate_task()};
  RunBench(options, progress);
  bench.WriteItems(11);
  std::ofstream(bench.folder() / "data" / "rows.jsonl", std::ios::app)
      << "{\"id\":\"i11\",\"question\":\"Who?\",\"best\":\"x\",\"wrong\":[],\"harm\":\"none\"}\n";
  const BenchResult again = RunBench(options, progress);
  EXPECT_EQ(again.tasks[0].kept, 11);
}

TEST(Bench, AFailedAnswerSaysWhyAndIsTriedAgain) {
  TinyBench bench(3);
  SilentProgress progress;
  std::ofstream(bench.folder() / "data" / "rows.jsonl", std::ios::app)
      << "{\"id\":\"long\",\"question\":\"" << std::string(5000, 'a')
      << "\",\"best\":\"x\",\"wrong\":[\"y\"],\"harm\":\"none\"}\n";
  BenchOptions options = bench.Options();
  options.tasks = {bench.generate_task()};
  const BenchResult result = RunBench(options, progress);
  EXPECT_EQ(result.tasks[0].failed, 1);
  const BenchResult again = RunBench(options, progress);
  EXPECT_EQ(again.tasks[0].kept, 3);
  EXPECT_EQ(again.tasks[0].failed, 1);
  const RunFolder run(bench.out(), RunFolder::Access::kRead, progress);
  const Sample* failed = run.samples().back();
  EXPECT_EQ(failed->state, State::kError);
  EXPECT_NE(failed->problem.find("4096"), std::string::npos) << failed->problem;
}

TEST(Bench, ModelsShareAFolderAndANameStandsForOneModel) {
  TinyBench bench(3);
  SilentProgress progress;
  BenchOptions options = bench.Options();
  RunBench(options, progress);
  options.name = "twin";  // the same weights under another name
  EXPECT_EQ(RunBench(options, progress).tasks[0].kept, 0);
  EXPECT_EQ(RunBench(options, progress).tasks[0].kept, 3);
  {
    const RunFolder run(bench.out(), RunFolder::Access::kRead, progress);
    EXPECT_EQ(run.manifest().model_names(), (std::vector<std::string>{"tiny", "twin"}));
    EXPECT_EQ(run.samples("tiny", "speak").size(), 3u);
    EXPECT_EQ(run.samples("twin", "speak").size(), 3u);
  }
  // Another model takes the name: its earlier answers to other tasks no longer count.
  testing::MakeTinyModel("tiny_qwen2", bench.folder() / "other");
  options.model.model = (bench.folder() / "other").string();
  options.tasks = {bench.choices_task()};
  RunBench(options, progress);
  const RunFolder run(bench.out(), RunFolder::Access::kRead, progress);
  EXPECT_TRUE(run.samples("twin", "speak").empty());
  EXPECT_EQ(run.samples("tiny", "speak").size(), 3u);
  ASSERT_FALSE(progress.warnings.empty());
  EXPECT_NE(progress.warnings.back().find("twin"), std::string::npos);
}

TEST(Bench, MistakesShowBeforeAModelIsLoaded) {
  TinyBench bench(2);
  SilentProgress progress;
  BenchOptions options = bench.Options();
  options.model.model = "/nonexistent";
  options.tasks = {"gsm9k"};
  EXPECT_NE(ErrorText([&] { RunBench(options, progress); }).find("gsm9k"), std::string::npos);
  options.tasks.clear();
  EXPECT_NE(ErrorText([&] { RunBench(options, progress); }).find("neither"), std::string::npos);
  options.tasks = {bench.generate_task(), bench.generate_task()};
  EXPECT_NE(ErrorText([&] { RunBench(options, progress); }).find("again"), std::string::npos);
  options.tasks = {bench.generate_task()};
  options.limit = options.sample = 1;
  EXPECT_NE(ErrorText([&] { RunBench(options, progress); }).find("both"), std::string::npos);
}

TEST(Bench, SeedsBelongToTheAnswer) {
  EXPECT_EQ(AnswerSeed(1, "t", "i", 0), AnswerSeed(1, "t", "i", 0));
  EXPECT_NE(AnswerSeed(1, "t", "i", 0), AnswerSeed(1, "t", "i", 1));
  EXPECT_NE(AnswerSeed(1, "t", "i", 0), AnswerSeed(2, "t", "i", 0));
  EXPECT_NE(AnswerSeed(1, "t", "ab", 0), AnswerSeed(1, "ta", "b", 0));
}

}  // namespace
}  // namespace lem
