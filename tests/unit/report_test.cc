// SPDX-License-Identifier: EUPL-1.2
// Reports: pairs and families, several seeds, published numbers, and what is known of the judge.
#include "pipelines/report/report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/atomic_file.h"
#include "pipelines/metrics.h"
#include "pipelines/report/report_data.h"
#include "stats/agreement.h"
#include "tests/support/error_text.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/silent_progress.h"

namespace lem {
namespace {

using Values = std::vector<double>;

// A run whose scores are given, one task, one value per item.
class ReportTest : public ::testing::Test {
 protected:
  ReportTest() : path_(folder_ / "run") {
    RunFolder run(path_, RunFolder::Access::kCreate, progress_);
    TaskFacts facts;
    facts.metrics = {"do_not_answer.harmful", "do_not_answer.safety", "lek.v1"};
    facts.primary = "do_not_answer.harmful";
    RunManifest manifest = run.manifest();
    manifest.tasks.Set("t", ImportedTask(facts));
    run.SetManifest(manifest);
  }

  void Add(const std::string& model, const std::string& metric, const Values& values) {
    RunFolder run(path_, RunFolder::Access::kWrite, progress_);
    RunManifest manifest = run.manifest();
    manifest.models.Set(model, Json::MakeObject());
    RunPlan plan;
    plan.model = model;
    plan.task = "t";
    plan.config = "c";
    plan.settings = Json::MakeObject();
    std::vector<Score> scores = run.scores();
    for (size_t i = 0; i < values.size(); ++i) {
      plan.items.push_back("i" + std::to_string(100 + i));
      Score score;
      score.task = "t";
      score.item = plan.items.back();
      score.model = model;
      score.metric = metric;
      if (std::isnan(values[i])) {
        score.state = State::kUnparsed;
      } else {
        score.value = values[i];
      }
      scores.push_back(score);
    }
    plan.items_in_data = static_cast<int64_t>(plan.items.size());
    manifest.SetPlan(std::move(plan));
    run.SetManifest(std::move(manifest));
    run.ReplaceScores(std::move(scores));
  }

  // Makes "judge" the run's judge, with one judgement of configuration "hash".
  void AddJudge(Json record) {
    RunFolder run(path_, RunFolder::Access::kWrite, progress_);
    RunManifest manifest = run.manifest();
    manifest.judges.Set("judge", std::move(record));
    manifest.judge = "judge";
    run.SetManifest(std::move(manifest));
    Judgement j;
    j.key = "k";
    j.judge = "judge";
    j.judge_config = "hash";
    j.values = Json::MakeObject();
    run.Append(std::move(j));
  }

  ReportData Build(const ReportOptions& options) { return BuildReport(options, progress_); }
  ReportOptions Options() {
    ReportOptions options;
    options.runs = {path_.string()};
    return options;
  }

  testing::ScratchFolder folder_;
  testing::SilentProgress progress_;
  std::filesystem::path path_;
};

Values Repeated(size_t n, double value) { return Values(n, value); }
// The first `k` of `n` are 1.
Values Hits(size_t k, size_t n) {
  Values values(n, 0.0);
  for (size_t i = 0; i < k; ++i) values[i] = 1;
  return values;
}

TEST_F(ReportTest, DifferencesAllAlikeHaveAnIntervalOrNone) {
  for (const char* model : {"a", "b"}) {
    const double shift = *model == 'a' ? 0 : 1;
    Add(model, "do_not_answer.safety", Repeated(50, 5 + shift));
    Add(model, "lek.v1", Repeated(50, 5 + shift));
  }
  const ReportData data = Build(Options());
  ASSERT_EQ(data.comparisons.size(), 1u);
  for (const Comparison& c : data.comparisons[0].comparisons) {
    EXPECT_EQ(c.difference, 1);
    if (c.metric == "lek.v1") {
      EXPECT_FALSE(c.ci.has_value());
    } else {
      // 0 of 50 did otherwise: up to 7.1 % may, by -10 or +8 from here on a scale of 1 to 10.
      ASSERT_TRUE(c.ci.has_value());
      EXPECT_NEAR(c.ci->low, 1 - 0.071348 * 10, 1e-4);
      EXPECT_NEAR(c.ci->high, 1 + 0.071348 * 8, 1e-4);
    }
  }
  const std::string text = MarkdownReport(Options(), progress_);
  EXPECT_NE(text.find("| t | lek.v1 | 50 | 0 | 5.000 | 6.000 | +1.000 | - |"), std::string::npos)
      << text;
  EXPECT_TRUE(ToJson(data.comparisons[0]).Dump().find("\"ci95\":null") != std::string::npos);
}

TEST_F(ReportTest, OneItemHasNoZeroWidth) {
  Add("a", "do_not_answer.safety", {3});
  Add("b", "do_not_answer.safety", {4});
  const Comparison c = Build(Options()).comparisons.at(0).comparisons.at(0);
  ASSERT_TRUE(c.ci.has_value());
  EXPECT_GT(c.ci->high - c.ci->low, 5);
}

TEST_F(ReportTest, IntervalsStayWithinTheRange) {
  Add("a", "do_not_answer.safety", {1, 1});
  Add("b", "do_not_answer.safety", {1, 10});
  const Comparison c = Build(Options()).comparisons.at(0).comparisons.at(0);
  EXPECT_EQ(c.ci->low, -9);
  EXPECT_EQ(c.ci->high, 9);
}

TEST_F(ReportTest, PairsOfOneListAreOneFamily) {
  Add("a", "do_not_answer.harmful", Hits(0, 30));
  Add("b", "do_not_answer.harmful", Hits(6, 30));
  Add("c", "do_not_answer.harmful", Hits(7, 30));
  ReportOptions options = Options();
  options.pairs = {{{"a", "b"}, {"a", "c"}}, {{"b", "a"}}};
  const ReportData data = Build(options);
  ASSERT_EQ(data.comparisons.size(), 3u);
  const auto& first = data.comparisons[0].comparisons[0];
  const auto& second = data.comparisons[1].comparisons[0];
  EXPECT_NEAR(*first.p, 2.0 / 64, 1e-12);
  EXPECT_NEAR(*second.p, 2.0 / 128, 1e-12);
  EXPECT_NEAR(*second.p_adjusted, 2 * *second.p, 1e-12);  // Holm: the smallest times two
  EXPECT_NEAR(*first.p_adjusted, *first.p, 1e-12);
  EXPECT_NEAR(*data.comparisons[2].comparisons[0].p_adjusted, *first.p, 1e-12);
  options.pairs = {{{"a", "z"}}};
  EXPECT_NE(testing::ErrorText([&] { Build(options); }).find("found z"), std::string::npos);
}

TEST_F(ReportTest, SeedsAndItemsAreTwoSamples) {
  const double gone = std::numeric_limits<double>::quiet_NaN();
  Values base = Hits(10, 40), one = Hits(20, 40), two = Hits(24, 40);
  two[39] = gone;  // of the 40 items 39 count
  Add("base", "do_not_answer.harmful", base);
  Add("s0", "do_not_answer.harmful", one);
  Add("s1", "do_not_answer.harmful", two);
  ReportOptions options = Options();
  options.seeds = {{"base", "LEK", {"s0", "s1"}}};
  const ReportData data = Build(options);
  EXPECT_TRUE(data.comparisons.empty());
  ASSERT_EQ(data.seeds.size(), 1u);
  ASSERT_EQ(data.seeds[0].rows.size(), 1u);
  const SeedRow& row = data.seeds[0].rows[0];
  EXPECT_EQ(row.mean.n, 39);
  ASSERT_EQ(row.differences.size(), 2u);
  EXPECT_NEAR(row.differences[0], 10.0 / 39, 1e-12);
  EXPECT_NEAR(row.differences[1], 14.0 / 39, 1e-12);
  EXPECT_NEAR(row.mean.difference, 12.0 / 39, 1e-12);
  EXPECT_NEAR(*row.spread, std::sqrt(2.0) * 2 / 39, 1e-12);
  // One degree of freedom: t = 12.706, standard error 2/39.
  ASSERT_TRUE(row.over_seeds.has_value());
  EXPECT_NEAR(row.over_seeds->low, (12 - 12.7062 * 2) / 39, 1e-4);
  EXPECT_NEAR(row.over_seeds->high, (12 + 12.7062 * 2) / 39, 1e-4);
  // The interval over items is that of 39 differences, however many seeds there are.
  Values mean;
  for (int i = 0; i < 39; ++i)
    mean.push_back((i < 20 && i >= 10 ? 1 : i < 24 && i >= 20 ? 0.5 : 0));
  const Interval items = EstimateMean(mean).interval;
  ASSERT_TRUE(row.mean.ci.has_value());
  EXPECT_NEAR(row.mean.ci->low, items.low, 1e-12);
  EXPECT_NEAR(row.mean.ci->high, items.high, 1e-12);
  const std::string text = MarkdownReport(options, progress_);
  EXPECT_NE(text.find("+0.256 +0.359"), std::string::npos) << text;
  EXPECT_NE(text.find("Of these 1 rows none shows a credible difference"), std::string::npos)
      << text;
  options.seeds = {{"base", "LEK", {"s0", "s1", "s2", "s3"}}};
  Add("s2", "do_not_answer.harmful", one);
  Add("s3", "do_not_answer.harmful", two);
  EXPECT_NE(MarkdownReport(options, progress_).find("shown by: t do_not_answer.harmful (worse)"),
            std::string::npos);
}

TEST_F(ReportTest, IntervalsOverSeedsStayWithinTheRange) {
  Add("base", "do_not_answer.safety", {1, 1, 1});
  Add("s0", "do_not_answer.safety", {1, 2, 1});
  Add("s1", "do_not_answer.safety", {10, 10, 9});
  ReportOptions options = Options();
  options.seeds = {{"base", "LEK", {"s0", "s1"}}};
  const SeedRow row = Build(options).seeds.at(0).rows.at(0);
  ASSERT_TRUE(row.over_seeds.has_value());
  EXPECT_EQ(row.over_seeds->low, -9);
  EXPECT_EQ(row.over_seeds->high, 9);
}

// What a recipe added over another's models: each is compared with that of its own seed.
TEST_F(ReportTest, ARecipeIsComparedWithTheOneItWentOnFrom) {
  const double gone = std::numeric_limits<double>::quiet_NaN();
  const std::string metric = "do_not_answer.harmful";
  Add("a0", metric, Hits(4, 20));
  Add("a1", metric, Hits(10, 20));
  Values after = Hits(8, 20);
  after[19] = gone;  // of the 20 items 19 count, for every seed
  Add("b0", metric, after);
  Add("b1", metric, Hits(11, 20));
  ReportOptions options = Options();
  options.seeds = {{"first", "second", {"b0", "b1"}, {"a0", "a1"}}};
  const SeedSet set = Build(options).seeds.at(0);
  EXPECT_EQ(set.base + " " + set.name, "first second");
  const SeedRow& row = set.rows.at(0);
  EXPECT_EQ(row.mean.n, 19);
  ASSERT_EQ(row.differences.size(), 2u);
  EXPECT_NEAR(row.differences[0], 4.0 / 19, 1e-12);
  EXPECT_NEAR(row.differences[1], 1.0 / 19, 1e-12);
  EXPECT_NEAR(row.mean.a, 7.0 / 19, 1e-12);
  EXPECT_NEAR(row.mean.difference, 2.5 / 19, 1e-12);
  EXPECT_EQ(row.mean.gained.size() + row.mean.lost.size(), 5u);  // 4 of seed 0, 1 of seed 1
  EXPECT_NE(
      MarkdownReport(options, progress_).find("first -> second (2 seeds: a0 -> b0, a1 -> b1)"),
      std::string::npos);
  const auto page = folder_ / "page.html";
  WriteFileAtomically(page, HtmlReport(options, page, progress_));
  const RecheckResult again = Recheck(page, progress_);
  EXPECT_GT(again.numbers, 0);
  EXPECT_TRUE(again.differences.empty()) << again.differences.front();
  options.seeds[0].bases = {"a0", "a1", "b0"};
  EXPECT_NE(testing::ErrorText([&] { Build(options); }).find("found 3 and 2"), std::string::npos);
}

TEST_F(ReportTest, PublishedNumbersAreRecomputed) {
  Add("a", "do_not_answer.harmful", Hits(17, 50));
  Add("b", "do_not_answer.harmful", Hits(13, 50));
  const std::string file = folder_.Write(
      "published.jsonl",
      R"({"source":"T1","task":"t","metric":"do_not_answer.harmful","model":"a","printed":"34%","percent":true}
{"source":"T1","task":"t","metric":"do_not_answer.harmful","model":"b","printed":"0.27"}
{"source":"T2","task":"t","metric":"do_not_answer.harmful","model":"b","minus":"a","relative":true,"printed":"-23.5%"}
{"source":"T2","task":"t","metric":"lek.v1","model":"b","printed":"1"}
)");
  ReportOptions options = Options();
  options.published = file;
  const std::string text = MarkdownReport(options, progress_);
  EXPECT_NE(text.find("2 of 4 agree"), std::string::npos) << text;
  EXPECT_NE(text.find("| 34% | 34 | yes |"), std::string::npos) << text;
  EXPECT_NE(text.find("| 0.27 | 0.26 | **no** |"), std::string::npos) << text;
  EXPECT_NE(text.find("| b - a | -23.5% | -23.5 | yes |"), std::string::npos) << text;
  EXPECT_NE(text.find("| 1 | no such records | - |"), std::string::npos) << text;
}

constexpr char kCalibration[] =
    R"({"judge":"judge","judge_config":"hash","dataset":"do-not-answer","rows":300,"metrics":{
"do_not_answer.harmful":{"n":300,"labels":2,"kappa":0.7,"kappa_ci95":[0.6,0.8],"ac1":0.9,
"ac1_ci95":[0.85,0.95],"alpha":null,"alpha_ci95":null,"sensitivity":0.8,"sensitivity_ci95":[0.71,0.87],
"specificity":0.9,"specificity_ci95":[0.85,0.93],"threshold":0.5,
"counts":{"tp":80,"fn":20,"fp":20,"tn":180}}}})";

TEST_F(ReportTest, JudgedRatesStandBesideCorrectedOnes) {
  Add("m", "do_not_answer.harmful", Hits(30, 100));
  Json record = Json::MakeObject(), calibrations = Json::MakeObject();
  calibrations.Set("do-not-answer", Json::Parse(kCalibration, "test"));
  record.Set("calibrations", calibrations);
  AddJudge(record);
  const ReportData data = Build(Options());
  ASSERT_EQ(data.corrected.size(), 1u);
  const CorrectedRow& row = data.corrected[0];
  EXPECT_EQ(row.positive, 30);
  EXPECT_EQ(row.n, 100);
  EXPECT_TRUE(row.problem.empty());
  EXPECT_NEAR(row.corrected.rate, (0.3 + 0.9 - 1) / (0.8 + 0.9 - 1), 1e-12);
  const CorrectedRate expected = CorrectRate(30, 100, 80, 100, 180, 200);
  EXPECT_EQ(row.corrected.interval.low, expected.interval.low);
  EXPECT_EQ(row.corrected.interval.high, expected.interval.high);
  const std::string text = MarkdownReport(Options(), progress_);
  EXPECT_NE(text.find("0.700 [0.600, 0.800] | 0.900 [0.850, 0.950] | - | 0.800 [0.710, 0.870]"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("| 100 | 0.300 | [0.219, 0.396] | 0.286 |"), std::string::npos) << text;
  const std::filesystem::path page = folder_ / "page.html";
  WriteFileAtomically(page, HtmlReport(Options(), page, progress_));
  const RecheckResult result = Recheck(page, progress_);
  EXPECT_TRUE(result.differences.empty()) << result.differences.front();
  const std::string html = ReadTextFile(page);
  EXPECT_NE(html.find("corrected/m/t/do_not_answer.harmful/do-not-answer/rate\">0.286"),
            std::string::npos);
  EXPECT_NE(html.find("/sensitivity\">0.800"), std::string::npos);
}

TEST_F(ReportTest, ACalibrationIsOfTheRunsJudgeOrRefused) {
  Add("m", "do_not_answer.harmful", Hits(30, 100));
  AddJudge(Json::MakeObject());
  EXPECT_NE(MarkdownReport(Options(), progress_).find("not calibrated"), std::string::npos);
  ReportOptions options = Options();
  options.calibrations = {folder_.Write("c.json", kCalibration)};
  EXPECT_EQ(Build(options).corrected.size(), 1u);
  const std::filesystem::path page = folder_ / "page.html";
  WriteFileAtomically(page, HtmlReport(options, page, progress_));
  EXPECT_TRUE(Recheck(page, progress_).differences.empty());
  std::string other = kCalibration;
  other.replace(other.find("\"hash\""), 6, "\"hush\"");
  options.calibrations = {folder_.Write("o.json", other)};
  EXPECT_NE(testing::ErrorText([&] { Build(options); }).find("o.json: expected the calibration"),
            std::string::npos);
}

}  // namespace
}  // namespace lem
