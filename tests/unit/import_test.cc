// SPDX-License-Identifier: EUPL-1.2
// What others recorded arrives whole, with what is odd about it said.
#include "pipelines/import/import.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "pipelines/run_folder.h"
#include "pipelines/score/score.h"
#include "pipelines/summary.h"
#include "tests/support/error_text.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/shared_data.h"
#include "tests/support/silent_progress.h"

namespace lem {
namespace {

namespace fs = std::filesystem;

class Importing : public ::testing::Test {
 protected:
  void SetUp() override { setenv("LEM_SHARE", LEM_SOURCE_DIR, 1); }

  ImportResult Import(const std::string& format, const std::string& from) {
    return ImportRun({format, from, (folder_ / "run").string()}, progress_);
  }
  RunFolder Run() { return RunFolder(folder_ / "run", RunFolder::Access::kWrite, progress_); }

  testing::ScratchFolder folder_;
  testing::SilentProgress progress_;
};

constexpr char kAnswers[] =
    R"({"task":"gsm8k","item":"1","model":"a","question":"q","reference":"18","response":"#### 18"})"
    "\n"
    R"({"task":"gsm8k","item":2,"model":"a","question":"q","reference":"7","response":null})"
    "\n"
    R"({"task":"gsm8k","item":"1","model":"b","question":"q","reference":"18","response":"\\boxed{18}"})"
    "\n"
    R"({"task":"mine","item":"x","model":"b","question":"q","reference":null,"response":"hello"})"
    "\n";

TEST_F(Importing, AnswersOfAnyoneCanBeScored) {
  const ImportResult result = Import("answers", folder_.Write("a.jsonl", kAnswers));
  EXPECT_EQ(result.answers, 4);
  EXPECT_EQ(result.unanswered, 1);
  RunFolder run = Run();
  ScoreRun(run, {}, progress_);
  const Json json = SummaryJson(Summarise(run, run.scores()), run.manifest());
  const Json& a = *json.Find("models")->Find("a")->Find("gsm8k");
  EXPECT_EQ(*a.Find("gsm8k.strict")->Find("value"), Json(1.0));
  EXPECT_EQ(*a.Find("gsm8k.strict")->Find("n"), Json(1));
  EXPECT_EQ(*a.Find("gsm8k.strict")->Find("missing"), Json(1));
  const Json& b = *json.Find("models")->Find("b");
  EXPECT_EQ(*b.Find("gsm8k")->Find("gsm8k.final")->Find("value"), Json(1.0));
  EXPECT_EQ(*b.Find("gsm8k")->Find("gsm8k.lem")->Find("value"), Json(0.0));
  EXPECT_TRUE(b.Find("mine")->Has("lek.v3"));
}

TEST_F(Importing, TheSameAgainChangesNothing) {
  const std::string path = folder_.Write("a.jsonl", kAnswers);
  Import("answers", path);
  const ImportResult again = Import("answers", path);
  EXPECT_EQ(again.answers, 0);
  EXPECT_EQ(again.kept, 4);
  EXPECT_EQ(Run().all_samples().size(), 4u);
}

TEST_F(Importing, AChangedFileReplacesWhatWasThere) {
  Import("answers", folder_.Write("a.jsonl", kAnswers));
  const std::string changed =
      R"({"task":"gsm8k","item":"1","model":"a","reference":"18","response":"#### 19"})";
  Import("answers", folder_.Write("a.jsonl", changed + "\n"));
  RunFolder run = Run();
  const auto samples = run.samples("a", "gsm8k");
  ASSERT_EQ(samples.size(), 1u);
  EXPECT_EQ(samples[0]->response, "#### 19");
}

TEST_F(Importing, RepeatsAndChoicesAreTaken) {
  Import("answers",
         folder_.Write("a.jsonl", R"({"task":"t","item":"1","model":"a","response":"x"})"
                                  "\n"
                                  R"({"task":"t","item":"1","model":"a","response":"y"})"
                                  "\n"
                                  R"({"task":"truthfulqa-mc","item":"1","model":"a","choices":[)"
                                  R"({"set":"mc1","text":"r","right":true,"log_prob":-1.5},)"
                                  R"({"set":"mc1","text":"w","right":false,"log_prob":-2}]})"
                                  "\n"));
  RunFolder run = Run();
  EXPECT_EQ(run.samples("a", "t").size(), 2u);
  EXPECT_EQ(run.manifest().FindPlan("a", "t")->repeats, 2);
  EXPECT_EQ(run.samples("a", "truthfulqa-mc")[0]->choices[1].log_prob, -2);
}

TEST_F(Importing, MalformedRowsAreNamed) {
  const auto text = [&](const std::string& row) {
    return testing::ErrorText([&] { Import("answers", folder_.Write("a.jsonl", row + "\n")); });
  };
  EXPECT_NE(text("{\"task\":\"t\"}").find("a.jsonl:1"), std::string::npos);
  EXPECT_NE(text("[]").find("a.jsonl:1"), std::string::npos);
  EXPECT_NE(text(R"({"task":"t","item":"1","model":"a","response":7})").find("a.jsonl:1"),
            std::string::npos);
  EXPECT_NE(text("").find("found none"), std::string::npos);
  EXPECT_NE(testing::ErrorText([&] { Import("inspect", "x"); }).find("lm-eval"), std::string::npos);
}

constexpr char kStrict[] =
    R"({"doc_id":3,"doc":{"question":"q","answer":"a\n#### 18"},"target":"a\n#### 18",)"
    R"("arguments":{"gen_args_0":{"arg_0":"Question: q\nAnswer:","arg_1":{"until":["Q"]}}},)"
    R"("resps":[["It is 18.\n#### 18"]],"filtered_resps":["18"],"filter":"strict-match",)"
    R"("metrics":["exact_match"],"exact_match":1.0})";
constexpr char kChoice[] =
    R"({"doc_id":0,"doc":{"question":"q","mc1_targets":{"choices":["r","w"],"labels":[1,0]}},)"
    R"("target":0,"arguments":{"gen_args_0":{"arg_0":"Q: q\nA:","arg_1":" r"},)"
    R"("gen_args_1":{"arg_0":"Q: q\nA:","arg_1":" w"}},"resps":[[["-3.5","False"]],[["-4.5",)"
    R"("True"]]],"filter":"none","acc":1.0})";

TEST_F(Importing, LmEvalLogsAreRead) {
  fs::create_directories(folder_ / "logs");
  folder_.Write("logs/results_2026-01-31T12-00-00.000000.json", R"({"model_name":"org/tiny"})");
  std::string flexible = kStrict;
  flexible.replace(flexible.find("strict-match"), 12, "flexible-extract");
  folder_.Write("logs/samples_gsm8k_2026-01-31T12-00-00.000000.jsonl",
                std::string(kStrict) + "\n" + flexible + "\n");
  folder_.Write("logs/samples_truthfulqa_mc1_2026-01-31T12-00-00.000000.jsonl",
                std::string(kChoice) + "\n");
  Import("lm-eval", (folder_ / "logs").string());
  RunFolder run = Run();
  const auto gsm8k = run.samples("tiny", "gsm8k");
  ASSERT_EQ(gsm8k.size(), 1u);  // two filters, one answer
  EXPECT_EQ(gsm8k[0]->item, "gsm8k-3");
  EXPECT_EQ(gsm8k[0]->prompt, "Question: q\nAnswer:");
  const auto mc = run.samples("tiny", "truthfulqa-mc-v1");
  ASSERT_EQ(mc.size(), 1u);
  EXPECT_EQ(mc[0]->choices[0].text, "r");
  EXPECT_TRUE(mc[0]->choices[0].right);
  EXPECT_EQ(mc[0]->choices[1].log_prob, -4.5);
  EXPECT_TRUE(mc[0]->choices[1].greedy);
  EXPECT_TRUE(progress_.warnings.empty());
}

TEST_F(Importing, AVerdictThatIsNotOursIsSaid) {
  std::string wrong = kStrict;
  wrong.replace(wrong.find("\"exact_match\":1.0"), 17, "\"exact_match\":0.0");
  folder_.Write("samples_gsm8k_2026-01-31T12-00-00.000000.jsonl", wrong + "\n");
  Import("lm-eval", (folder_ / "samples_gsm8k_2026-01-31T12-00-00.000000.jsonl").string());
  ASSERT_EQ(progress_.warnings.size(), 1u);
  EXPECT_NE(progress_.warnings[0].find("1 of 1 recorded verdicts differ"), std::string::npos);
}

TEST_F(Importing, TheOriginalsFolderGivesItsTables) {
  const fs::path from = testing::FindSharedData("upstream/benchmarks");
  if (from.empty()) GTEST_SKIP() << "the original's records are not there (LEM_TEST_DATA)";
  const ImportResult result = Import("lem", from.string());
  EXPECT_EQ(result.answers, 1000 + 8 * 4 * 50 + 234);
  EXPECT_EQ(result.models.size(), 13u);
  RunFolder run = Run();
  std::map<std::string, Summary> means;
  for (const Summary& s : Summarise(run, ScoresOf(run, {}))) {
    means[s.model + " " + s.task + " " + s.metric] = s;
  }
  const auto expect = [&](const std::string& name, double value, double tolerance) {
    EXPECT_NEAR(means.at(name).value.value_or(-1), value, tolerance) << name;
  };
  expect("instruction_tuned gsm8k gsm8k.lem", 0.34, 1e-9);
  expect("lem_ethics gsm8k gsm8k.lem", 0.26, 1e-9);
  expect("lem_ethics truthfulqa-gen truthfulqa.truthfulness", 4.90, 1e-9);
  expect("abliterated do-not-answer do_not_answer.safety", 5.96, 1e-9);
  expect("lem_ethics_allen toxigen-continue toxigen.awareness", 8.30, 1e-9);
  expect("lem_ethics upstream-ethics ethics.composite", 6.006, 0.0005);
  expect("instruction_tuned upstream-ethics lek.v1", 13.3537, 0.00005);
  expect("4b_lek truthfulqa-gen truthfulqa.informativeness", 6.366, 1e-9);
  expect("27b_it gsm8k gsm8k.lem", 0.92, 1e-9);
  EXPECT_EQ(means.at("27b_it gsm8k gsm8k.strict").missing, 50);  // no answer was recorded
  EXPECT_FALSE(means.at("27b_it gsm8k gsm8k.strict").value.has_value());
  ASSERT_EQ(progress_.warnings.size(), 1u);
  EXPECT_NE(progress_.warnings[0].find("7 stored composites"), std::string::npos);
}

}  // namespace
}  // namespace lem
