// SPDX-License-Identifier: EUPL-1.2
// Calibration against human labels. The labelled rows are other people's and lie outside the
// repository; tests that need them skip when they are absent.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/atomic_file.h"
#include "pipelines/judge/calibrate.h"
#include "pipelines/judge/calibration_store.h"
#include "pipelines/judge/labelled_rows.h"
#include "stats/correlation.h"
#include "tests/support/error_text.h"
#include "tests/support/fault_server.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/shared_data.h"
#include "tests/support/silent_progress.h"

namespace lem {
namespace {

using testing::FaultServer;
using testing::ServerReply;
using testing::ServerRequest;

class CalibrateTest : public ::testing::Test {
 protected:
  CalibrateTest() {
    ::setenv("LEM_HOME", folder_.path().c_str(), 1);
    if (!data_.empty()) ::setenv("LEM_DATA", data_.c_str(), 1);
  }
  ~CalibrateTest() override {
    ::unsetenv("LEM_HOME");
    ::unsetenv("LEM_DATA");
  }
  void SetUp() override {
    if (data_.empty()) GTEST_SKIP() << "no shared/datasets; set LEM_TEST_DATA";
  }

  testing::ScratchFolder folder_;
  testing::SilentProgress progress_;
  const std::filesystem::path data_ = testing::FindSharedData("datasets");
};

TEST_F(CalibrateTest, DoNotAnswerHasItsKnownLabels) {
  const LabelledData data = ReadLabelledData("do-not-answer");
  EXPECT_EQ(data.rows.size(), 5634u);
  int64_t harmful = 0;
  std::set<std::string> ids;
  for (const LabelledRow& row : data.rows) {
    harmful += row.labels.at("do_not_answer.harmful");
    ids.insert(row.id);
  }
  EXPECT_EQ(harmful, 23 + 14 + 16 + 85 + 3 + 52);
  EXPECT_EQ(ids.size(), data.rows.size());
}

TEST_F(CalibrateTest, ToxigenHasItsKnownShare) {
  const LabelledData data = ReadLabelledData("toxigen");
  ASSERT_EQ(data.rows.size(), 8960u);
  int64_t hateful = 0;
  for (const LabelledRow& row : data.rows) hateful += row.labels.at("toxigen.toxic");
  EXPECT_NEAR(static_cast<double>(hateful) / 8960, 0.376, 0.0005);
  EXPECT_FALSE(data.rows[0].text.answer.starts_with("b'"));
}

TEST_F(CalibrateTest, TruthfulQaLeavesOutReferencesAndDuplicates) {
  const LabelledData data = ReadLabelledData("truthfulqa");
  EXPECT_GT(data.rows.size(), 5000u);
  EXPECT_LT(data.rows.size(), 22434u);
  std::set<std::pair<std::string, std::string>> seen;
  for (const LabelledRow& row : data.rows) {
    EXPECT_TRUE(seen.emplace(row.text.question, row.text.answer).second);
  }
}

// A judge that calls everything harmless: right most of the time, and blind.
TEST_F(CalibrateTest, ABlindJudgeAgreesOftenAndIsWorthNothing) {
  FaultServer server([](int, const ServerRequest&) {
    return ServerReply{
        .body = R"({"choices":[{"message":{"content":"{\"reasoning\":\"x\",\"action\":\"0\",)"
                R"(\"harmful\":\"no\",\"safety\":\"10\",\"nuance\":\"7\"}"},)"
                R"("finish_reason":"stop"}]})"};
  });
  CalibrateOptions options;
  options.judge.judge = "openai:" + server.url() + "/v1#blind";
  options.dataset = "do-not-answer";
  options.limit = 120;
  options.out = (folder_ / "copy.json").string();
  const Json result = CalibrateJudge(options, progress_);
  const Json& harmful = *result.Find("metrics")->Find("do_not_answer.harmful");
  EXPECT_EQ(harmful.Find("n")->integer(), 120);
  EXPECT_GT(harmful.Find("observed")->number(), 0.9);
  EXPECT_EQ(harmful.Find("sensitivity")->number(), 0);
  EXPECT_EQ(harmful.Find("specificity")->number(), 1);
  EXPECT_LT(harmful.Find("specificity_ci95")->array()[0].number(), 1);
  EXPECT_NEAR(harmful.Find("kappa")->number(), 0, 1e-9);
  EXPECT_EQ(result.Find("missing")->size(), 0u);
  const size_t asked = server.requests().size();
  EXPECT_EQ(asked, 120u);
  // Again: nothing is asked, and the same numbers come out.
  const Json again = CalibrateJudge(options, progress_);
  EXPECT_EQ(server.requests().size(), asked);
  EXPECT_EQ(again.Find("metrics")->Dump(), result.Find("metrics")->Dump());
  EXPECT_TRUE(std::filesystem::exists(options.out));
  const std::string hash = result.Find("judge_config")->string();
  EXPECT_TRUE(StoredCalibrations(hash).Has("do-not-answer"));
  EXPECT_EQ(StoredCalibrations("another").size(), 0u);
}

TEST(LabelledRows, AbsentDataNamesTheFolder) {
  const testing::ScratchFolder folder;
  ::setenv("LEM_DATA", folder.path().c_str(), 1);
  const std::string text = testing::ErrorText([] { ReadLabelledData("toxigen"); });
  EXPECT_NE(text.find("lem data fetch"), std::string::npos) << text;
  folder.Write("x", "");
  std::filesystem::create_directories(folder / "toxigen");
  folder.Write("toxigen/annotated_train.csv", "text\nother\n");
  EXPECT_NE(testing::ErrorText([] { ReadLabelledData("toxigen"); }).find("SHA-256"),
            std::string::npos);
  ::unsetenv("LEM_DATA");
}

TEST(LabelledRows, JudgedActionsFoldAsTheAnnotatorsHadThem) {
  const int expected[] = {0, 1, 2, 3, 4, 4, 5};
  for (int i = 0; i < 7; ++i) EXPECT_EQ(CategoryOf("do_not_answer.action", i), expected[i]);
  EXPECT_EQ(CategoryOf("truthfulqa.truthfulness", 7), 1);
  EXPECT_EQ(CategoryOf("truthfulqa.truthfulness", 4), 0);
  EXPECT_EQ(CategoryOf("toxigen.toxic", 1), 1);
}

// Values of a hand computation: ranks (1,2,3,4,5) against (2,1,4,3,5).
TEST(Correlation, SpearmanByHand) {
  const double x[] = {1, 2, 3, 4, 5}, y[] = {20, 10, 40, 30, 50};
  EXPECT_NEAR(SpearmanCorrelation(x, y).rho, 0.8, 1e-12);
  const double ties[] = {1, 1, 2, 2, 3}, up[] = {1, 2, 3, 4, 5};
  EXPECT_NEAR(SpearmanCorrelation(ties, up).rho, 0.9486832980505138, 1e-12);
  const double flat[] = {7, 7, 7, 7, 7};
  EXPECT_TRUE(std::isnan(SpearmanCorrelation(flat, up).rho));
  const Correlation c = SpearmanCorrelation(x, y);
  EXPECT_LT(c.interval.low, 0.8);
  EXPECT_GT(c.interval.high, 0.8);
}

}  // namespace
}  // namespace lem
