// SPDX-License-Identifier: EUPL-1.2
// Metrics of given answers, judged scores, and the summaries that people read.
#include "pipelines/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "pipelines/score/choice_metrics.h"
#include "pipelines/score/judged.h"
#include "pipelines/score/score.h"
#include "pipelines/summary.h"
#include "tests/support/error_text.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/silent_progress.h"

namespace lem {
namespace {

using Choices = std::vector<ChoiceScore>;

Sample WithChoices(Choices choices) {
  Sample s;
  s.task = "truthfulqa-mc";
  s.item = "a";
  s.model = "m";
  s.choices = std::move(choices);
  return s;
}

double ValueOf(const char* metric, const Sample& sample) {
  const Score score = FindMetric(metric)->compute(sample, metric);
  EXPECT_TRUE(score.value.has_value()) << metric;
  return score.value.value_or(-1);
}

TEST(ChoiceMetrics, Mc1TakesTheLikeliestAndTheFirstOfEquals) {
  EXPECT_EQ(
      ValueOf("truthfulqa.mc1", WithChoices({{"mc1", "r", true, -5}, {"mc1", "w", false, -6}})), 1);
  EXPECT_EQ(
      ValueOf("truthfulqa.mc1", WithChoices({{"mc1", "r", true, -7}, {"mc1", "w", false, -6}})), 0);
  EXPECT_EQ(
      ValueOf("truthfulqa.mc1", WithChoices({{"mc1", "r", true, -6}, {"mc1", "w", false, -6}})), 1);
}

TEST(ChoiceMetrics, Mc2IsSoftmaxMassEvenWhereExpUnderflows) {
  const double a = std::log(0.2), b = std::log(0.1), c = std::log(0.3);
  const Sample near =
      WithChoices({{"mc2", "r", true, a}, {"mc2", "r2", true, b}, {"mc2", "w", false, c}});
  EXPECT_NEAR(ValueOf("truthfulqa.mc2", near), 0.5, 1e-12);
  const Sample far = WithChoices(
      {{"mc2", "r", true, a - 2000}, {"mc2", "r2", true, b - 2000}, {"mc2", "w", false, c - 2000}});
  EXPECT_NEAR(ValueOf("truthfulqa.mc2", far), 0.5, 1e-9);
}

Sample Shown(double ab_right, double ab_wrong, double ba_right, double ba_wrong) {
  return WithChoices({{"mc0-ab", "(A)", true, ab_right},
                      {"mc0-ab", "(B)", false, ab_wrong},
                      {"mc0-ba", "(A)", false, ba_wrong},
                      {"mc0-ba", "(B)", true, ba_right}});
}

TEST(ChoiceMetrics, Mc0TellsKnowledgeFromALikingForA) {
  const Sample knows = Shown(-1, -2, -1, -2), likes_a = Shown(-1, -2, -2, -1);
  EXPECT_EQ(ValueOf("truthfulqa.mc0", knows), 1);
  EXPECT_EQ(ValueOf("truthfulqa.mc0_flip", knows), 0);
  EXPECT_EQ(ValueOf("truthfulqa.mc0_consistent", knows), 1);
  EXPECT_EQ(ValueOf("misconceptions.mc0", likes_a), 0.5);
  EXPECT_EQ(ValueOf("misconceptions.mc0_flip", likes_a), 1);
  EXPECT_EQ(Mc0Consistent(likes_a, "x").state, State::kSkipped);
}

TEST(ChoiceMetrics, WhatIsNotFiniteIsMissing) {
  const double bad = std::numeric_limits<double>::quiet_NaN();
  const Score score = Mc1(WithChoices({{"mc1", "r", true, bad}, {"mc1", "w", false, -1}}), "x");
  EXPECT_EQ(score.state, State::kError);
  EXPECT_FALSE(score.value.has_value());
  EXPECT_EQ(Mc2(WithChoices({}), "x").state, State::kError);
}

TEST(ChoiceMetrics, ProbabilityOfYes) {
  const Sample s = WithChoices({{"yes-no", "No", true, -2}, {"yes-no", "Yes", false, -1}});
  EXPECT_NEAR(ValueOf("toxigen.p_yes", s), 1 / (1 + std::exp(-1)), 1e-12);
  EXPECT_EQ(ValueOf("toxigen.detection", s), 0);
}

TEST(AnswerMetrics, AMissingReferenceIsNoWrongAnswer) {
  Sample s;
  s.response = "so 12 , then";
  const Score score = FindMetric("gsm8k.lem")->compute(s, "gsm8k.lem");
  EXPECT_EQ(score.state, State::kSkipped);
  s.reference = Json("12");
  EXPECT_EQ(ValueOf("gsm8k.lem", s), 0);
  EXPECT_EQ(ValueOf("gsm8k.final", s), 1);
  EXPECT_EQ(ValueOf("gsm8k.disagreement", s), 1);
  s.reference = Json("Ten and two.\n#### 12");
  EXPECT_EQ(ValueOf("gsm8k.flexible", s), 1);
}

TEST(AnswerMetrics, TruncationIsKnownOrMissing) {
  Sample s;
  s.response = "x";
  const Metric& metric = *FindMetric("answer.truncated");
  EXPECT_EQ(metric.compute(s, metric.name).state, State::kSkipped);
  s.finish_reason = "length";
  EXPECT_EQ(ValueOf("answer.truncated", s), 1);
}

TEST(MetricList, NamesAreFoundAlsoWithAJudge) {
  for (const std::string& name : MetricNames()) EXPECT_NE(FindMetric(name), nullptr) << name;
  EXPECT_EQ(FindMetric("gsm8k.lam"), nullptr);
  EXPECT_NE(FindMetric("toxigen.kindness@local:m"), nullptr);
  EXPECT_TRUE(FindMetric("toxigen.kindness")->judged);
}

// A run of one model with the given answers to one task.
class Scoring : public ::testing::Test {
 protected:
  Scoring() : run_(folder_ / "run", RunFolder::Access::kCreate, progress_) {}

  void Make(const std::string& task, TaskFacts facts, std::vector<Sample> samples,
            std::vector<std::string> unanswered = {}) {
    RunManifest manifest = run_.manifest();
    manifest.models.Set("m", Json::MakeObject());
    manifest.tasks.Set(task, ImportedTask(facts));
    RunPlan plan;
    plan.model = "m";
    plan.task = task;
    plan.config = "c";
    plan.settings = Json::MakeObject();
    for (Sample& s : samples) {
      s.task = task;
      s.model = "m";
      s.config = "c";
      s.key = "key " + s.item + " " + std::to_string(s.repeat);
      if (s.repeat == 0) plan.items.push_back(s.item);
      plan.repeats = std::max(plan.repeats, s.repeat + 1);
    }
    for (const std::string& item : unanswered) plan.items.push_back(item);
    plan.items_in_data = static_cast<int64_t>(plan.items.size());
    manifest.SetPlan(std::move(plan));
    run_.SetManifest(std::move(manifest));
    run_.Append(std::move(samples));
  }

  Summary Of(const std::string& metric) {
    for (const Summary& s : Summarise(run_, ScoresOf(run_, {}))) {
      if (s.metric == metric) return s;
    }
    ADD_FAILURE() << "no summary of " << metric;
    return {};
  }

  testing::ScratchFolder folder_;
  testing::SilentProgress progress_;
  RunFolder run_;
};

Sample Answer(const std::string& item, const std::string& response, int repeat = 0) {
  Sample s;
  s.item = item;
  s.response = response;
  s.reference = Json("18");
  s.fields = Json::MakeObject();
  s.repeat = repeat;
  return s;
}

TEST_F(Scoring, RatesHaveWilsonIntervalsAndMissingIsCounted) {
  std::vector<Sample> samples;
  for (int i = 0; i < 50; ++i) {
    samples.push_back(Answer("i" + std::to_string(i), i < 17 ? "#### 18" : "#### 19"));
  }
  samples[49].state = State::kError;
  samples[49].problem = "broke";
  TaskFacts facts;
  facts.metrics = {"gsm8k.lem", "gsm8k.strict", "truthfulqa.truthfulness"};
  Make("gsm8k", facts, samples, {"never"});
  const Summary lem = Of("gsm8k.lem");
  EXPECT_EQ(lem.n, 49);
  EXPECT_EQ(lem.missing, 2);
  EXPECT_NEAR(*lem.value, 17.0 / 49, 1e-12);
  EXPECT_EQ(lem.interval, "wilson");
  EXPECT_LT(*lem.low, *lem.value);
  EXPECT_GT(*lem.high, *lem.value);
  const Summary judged = Of("truthfulqa.truthfulness");
  EXPECT_FALSE(judged.value.has_value());
  EXPECT_EQ(judged.n, 0);
  EXPECT_EQ(judged.missing, 51);
  EXPECT_EQ(*Of("gsm8k.spread").value, 0);
  const Json json = SummaryJson(Summarise(run_, ScoresOf(run_, {})), run_.manifest());
  const Json& row = *json.Find("scores")->Find("gsm8k")->Find("gsm8k.lem");
  EXPECT_EQ(*row.Find("missing"), Json(2));
  EXPECT_EQ(row.Find("ci95")->size(), 2u);
}

TEST_F(Scoring, ScoresOfTheSameAnswersAreTheSameBytes) {
  TaskFacts facts = KnownFacts("some task of others");
  Make("x", facts, {Answer("a", "one"), Answer("b", "two words")});
  ScoreRun(run_, {}, progress_);
  std::vector<Score> first = run_.scores();
  ScoreRun(run_, {}, progress_);
  ASSERT_EQ(run_.scores().size(), first.size());
  for (size_t i = 0; i < first.size(); ++i) EXPECT_EQ(ToJson(run_.scores()[i]), ToJson(first[i]));
}

TEST_F(Scoring, RepeatsAreAveragedWithinAnItem) {
  TaskFacts facts;
  facts.metrics = {"gsm8k.lem"};
  Make("gsm8k", facts,
       {Answer("a", "#### 18"), Answer("a", "#### 1", 1), Answer("b", "#### 18"),
        Answer("b", "#### 18", 1)});
  const Summary s = Of("gsm8k.lem");
  EXPECT_EQ(s.n, 2);
  EXPECT_EQ(*s.value, 0.75);
  EXPECT_EQ(s.interval, "t");
  Make("gsm8k", facts,
       {Answer("a", "#### 18"), Answer("a", "#### 18", 1), Answer("b", "#### 1"),
        Answer("b", "#### 1", 1)});
  EXPECT_EQ(Of("gsm8k.lem").interval, "t");  // means of repeats, if they are 0 and 1
}

TEST_F(Scoring, ValuesAllAlikeStillHaveAnInterval) {
  TaskFacts facts;
  facts.metrics = {"truthfulqa.mc0", "lek.v1"};
  std::vector<Sample> samples;
  for (int i = 0; i < 6; ++i) {
    samples.push_back(Shown(-1, -2, -2, -1));
    samples.back().item = "i" + std::to_string(i);
  }
  Make("truthfulqa-mc", facts, samples);
  const Summary bounded = Of("truthfulqa.mc0");
  EXPECT_EQ(*bounded.value, 0.5);
  EXPECT_NEAR(*bounded.low, 0.18761, 1e-5);  // 3 of 6
  EXPECT_NEAR(*bounded.high, 0.81239, 1e-5);
  EXPECT_FALSE(Of("lek.v1").low.has_value());  // unbounded: six equal values tell no spread
}

TEST_F(Scoring, ClustersWidenTheInterval) {
  std::vector<Sample> samples;
  for (int i = 0; i < 80; ++i) {
    Sample s = Answer("i" + std::to_string(i), i / 2 % 2 == 0 ? "#### 18" : "#### 1");
    s.fields.Set("domain", Json("d" + std::to_string(i / 2)));
    samples.push_back(s);
  }
  TaskFacts facts;
  facts.metrics = {"gsm8k.lem"};
  Make("gsm8k", facts, samples);
  const Summary alone = Of("gsm8k.lem");
  facts.cluster = "domain";
  Make("gsm8k", facts, samples);
  const Summary clustered = Of("gsm8k.lem");
  EXPECT_EQ(clustered.interval, "cluster-t");
  EXPECT_GT(*clustered.high - *clustered.low, 1.2 * (*alone.high - *alone.low));
}

Judgement Grade(const std::string& sample, const char* judge, State state, const char* values) {
  Judgement j;
  j.key = sample + judge + values;
  j.judge = judge;
  j.judge_config = "h";
  j.sample = sample;
  j.task = "t";
  j.item = "a";
  j.model = "m";
  j.state = state;
  if (state == State::kOk) j.values = Json::Parse(values, "");
  return j;
}

TEST_F(Scoring, JudgedScoresKeepStatesAndNeverDefault) {
  TaskFacts facts;
  facts.metrics = {"toxigen.kindness"};
  Make("t", facts, {Answer("a", "x"), Answer("b", "x"), Answer("c", "x"), Answer("d", "x")});
  RunManifest manifest = run_.manifest();
  manifest.judge = "j";
  manifest.judges.Set("j", Json::Parse(R"({"hash":"h"})", ""));
  manifest.judges.Set("other", Json::MakeObject());
  run_.SetManifest(manifest);
  run_.Append({Grade("key a 0", "j", State::kOk, R"({"toxigen.kindness":7})"),
               Grade("key a 0", "j", State::kBlocked, ""),  // does not hide the good one
               Grade("key b 0", "j", State::kBlocked, ""),
               Grade("key c 0", "j", State::kOk, R"({"toxigen.kindness":70})"),
               Grade("key a 0", "other", State::kOk, R"({"toxigen.kindness":2})")});
  Judgement old = Grade("key d 0", "j", State::kOk, R"({"toxigen.kindness":5})");
  old.judge_config = "another configuration";
  Judgement retest = Grade("key d 0", "j", State::kOk, R"({"toxigen.kindness":6})");
  retest.purpose = "retest";
  run_.Append({old, retest});
  std::map<std::string, Score> scores;
  for (const Score& score : ScoresOf(run_, {})) scores[score.item + " " + score.metric] = score;
  EXPECT_EQ(scores["a toxigen.kindness"].value, 7);
  EXPECT_EQ(scores["a toxigen.kindness@other"].value, 2);
  EXPECT_EQ(scores["b toxigen.kindness"].state, State::kBlocked);
  EXPECT_EQ(scores["c toxigen.kindness"].state, State::kOutOfRange);
  EXPECT_EQ(scores["d toxigen.kindness"].state, State::kSkipped);
  EXPECT_EQ(scores.size(), 5u);
}

TEST_F(Scoring, FurtherMetricsAreComputedForAll) {
  TaskFacts facts;
  facts.metrics = {"gsm8k.lem"};
  Make("gsm8k", facts, {Answer("a", "#### 18")});
  EXPECT_EQ(ScoresOf(run_, {"answer.words"}).size(), 2u);
  EXPECT_EQ(ScoresOf(run_, {"gsm8k.lem"}).size(), 1u);
  EXPECT_NE(testing::ErrorText([&] { ScoresOf(run_, {"gsm8k.lam"}); }).find("gsm8k.lem"),
            std::string::npos);
}

TEST_F(Scoring, DetectionHasBalancedAccuracyAurocAndGaps) {
  std::vector<Sample> samples;
  for (int i = 0; i < 40; ++i) {
    Sample s;
    s.item = "i" + std::to_string(i);
    const bool hateful = i % 4 == 0, yes = i % 8 == 0;  // half of the hateful are seen
    s.reference = Json(hateful);
    s.fields = Json::MakeObject();
    s.fields.Set("target_group", Json(i % 8 < 4 ? "one" : "two"));
    s.choices = {{"yes-no", "No", !hateful, yes ? -3.0 : -1.0},
                 {"yes-no", "Yes", hateful, yes ? -1.0 : -3.0}};
    samples.push_back(s);
  }
  TaskFacts facts;
  facts.metrics = {"toxigen.detection", "toxigen.p_yes"};
  Make("toxigen", facts, samples);
  EXPECT_EQ(*Of("toxigen.detection").value, 0.875);
  EXPECT_EQ(*Of("toxigen.balanced_accuracy").value, 0.75);
  EXPECT_EQ(*Of("toxigen.auroc").value, 0.75);
  EXPECT_EQ(*Of("toxigen.fnr_gap").value, 1);
  EXPECT_EQ(*Of("toxigen.fpr_gap").value, 0);
  EXPECT_NEAR(*Of("toxigen.mcc").value, 150 / std::sqrt(5.0 * 10 * 30 * 35), 1e-12);
  EXPECT_LT(*Of("toxigen.balanced_accuracy").low, 0.75);
}

}  // namespace
}  // namespace lem
