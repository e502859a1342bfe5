// SPDX-License-Identifier: EUPL-1.2
// Against values computed by independent exact arithmetic (golden_stats.json) and by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "stats/agreement.h"
#include "stats/bootstrap.h"
#include "stats/intervals.h"
#include "stats/multiplicity.h"
#include "stats/paired.h"
#include "stats/power.h"
#include "tests/support/shared_data.h"

namespace lem {
namespace {

// Quantiles come from Boost to about 1e-15 relative; a quadratic root loses a few digits more.
constexpr double kTight = 1e-10;

class StatsGolden : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto path = testing::FindSharedData("datasets/golden_stats.json");
    if (path.empty()) GTEST_SKIP() << "golden_stats.json is not at hand";
    golden_ = nlohmann::json::parse(std::ifstream(path));
  }
  nlohmann::json golden_;
};

TEST_F(StatsGolden, ProportionIntervals) {
  int rows = 0;
  for (const auto& row : golden_["proportion_ci"]) {
    const int64_t k = row["k"], n = row["n"];
    const Interval wilson = WilsonInterval(k, n), exact = ClopperPearsonInterval(k, n);
    EXPECT_NEAR(wilson.low, row["wilson95"][0].get<double>(), kTight) << k << "/" << n;
    EXPECT_NEAR(wilson.high, row["wilson95"][1].get<double>(), kTight) << k << "/" << n;
    EXPECT_NEAR(exact.low, row["clopper_pearson95"][0].get<double>(), 1e-9) << k << "/" << n;
    EXPECT_NEAR(exact.high, row["clopper_pearson95"][1].get<double>(), 1e-9) << k << "/" << n;
    ++rows;
  }
  EXPECT_EQ(rows, 10);
}

TEST_F(StatsGolden, PairedSystems) {
  int rows = 0;
  for (const auto& [name, row] : golden_["gsm8k_example_solutions_pairs"].items()) {
    const int64_t n = row["n"], gain = row["b_gain"], loss = row["b_loss"];
    const int64_t right_a = std::llround(row["acc_a"].get<double>() * static_cast<double>(n));
    PairedCounts counts{right_a - loss, loss, gain, n - right_a - gain};
    const PairedProportions r = ComparePairedProportions(counts);
    EXPECT_NEAR(r.a, row["acc_a"].get<double>(), kTight) << name;
    EXPECT_NEAR(r.b, row["acc_b"].get<double>(), kTight) << name;
    EXPECT_NEAR(r.difference, row["diff"].get<double>(), kTight) << name;
    EXPECT_NEAR(r.standard_error, row["paired_se"].get<double>(), 1e-8) << name;
    EXPECT_NEAR(r.exact_p / row["mcnemar_exact_p"].get<double>(), 1, 1e-9) << name;
    EXPECT_NEAR(r.mid_p / row["mcnemar_midp"].get<double>(), 1, 1e-9) << name;
    EXPECT_NEAR(r.odds_ratio, row["odds_ratio"].get<double>(), kTight) << name;
    // With n = 1319 the score-based intervals agree with the normal one to about z^2 / n = 0.003.
    for (const Interval& interval : {r.interval, TangoInterval(counts)}) {
      EXPECT_NEAR(interval.low, row["diff_ci95_normal"][0].get<double>(), 3e-3) << name;
      EXPECT_NEAR(interval.high, row["diff_ci95_normal"][1].get<double>(), 3e-3) << name;
    }
    ++rows;
  }
  EXPECT_EQ(rows, 6);
}

TEST_F(StatsGolden, BinaryQuality) {
  const auto& row = golden_["dna_human_vs_gpt4_harmful"];
  const BinaryQuality q = MeasureBinary({row["tp"], row["fp"], row["fn"], row["tn"]});
  EXPECT_NEAR(q.precision, row["precision"].get<double>(), kTight);
  EXPECT_NEAR(q.recall, row["recall"].get<double>(), kTight);
  EXPECT_NEAR(q.specificity, row["specificity"].get<double>(), kTight);
  EXPECT_NEAR(q.f1, row["f1"].get<double>(), kTight);
  EXPECT_NEAR(q.mcc, row["mcc"].get<double>(), kTight);
}

TEST_F(StatsGolden, AgreementOnTwoCategories) {
  const auto& row = golden_["dna_human_vs_gpt4_harmful"];
  std::vector<int> human, judge;
  const auto add = [&](const char* key, int h, int j) {
    human.insert(human.end(), row[key].get<size_t>(), h);
    judge.insert(judge.end(), row[key].get<size_t>(), j);
  };
  add("tp", 1, 1), add("fp", 0, 1), add("fn", 1, 0), add("tn", 0, 0);
  const Agreement a = MeasureAgreement(human, judge, 2);
  EXPECT_NEAR(a.observed, row["observed"].get<double>(), kTight);
  EXPECT_NEAR(a.cohen_kappa, row["cohen_kappa"].get<double>(), kTight);
  EXPECT_NEAR(a.scott_pi, row["scott_pi"].get<double>(), kTight);
  EXPECT_NEAR(a.gwet_ac1, row["gwet_ac1"].get<double>(), kTight);
  EXPECT_NEAR(a.alpha_nominal, row["alpha_nominal"].get<double>(), kTight);
  EXPECT_NEAR(a.alpha_ordinal, row["alpha_ordinal"].get<double>(), kTight);
  EXPECT_NEAR(a.alpha_interval, row["alpha_interval"].get<double>(), kTight);
}

// The labels themselves: data_en.csv holds human and GPT-4 grades of six systems' answers.
std::vector<std::vector<std::string>> ReadCsv(const std::filesystem::path& path) {
  std::ifstream in(path);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  std::vector<std::vector<std::string>> rows(1, {""});
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      if (quoted && i + 1 < text.size() && text[i + 1] == '"') {
        rows.back().back() += text[++i];
      } else {
        quoted = !quoted;
      }
    } else if (c == ',' && !quoted) {
      rows.back().emplace_back();
    } else if (c == '\n' && !quoted) {
      rows.push_back({""});
    } else if (c != '\r' || quoted) {
      rows.back().back() += c;
    }
  }
  return rows;
}

TEST_F(StatsGolden, HarmfulRateClusteredByQuestion) {
  const auto path = testing::FindSharedData("datasets/do-not-answer/data_en.csv");
  if (path.empty()) GTEST_SKIP() << "do-not-answer/data_en.csv is not at hand";
  const auto rows = ReadCsv(path);
  std::vector<double> harmful;
  std::vector<int64_t> question;
  for (size_t r = 1; r < rows.size(); ++r) {
    for (size_t column = 0; column < rows[r].size(); ++column) {
      if (!rows[0][column].ends_with("_harmful")) continue;
      harmful.push_back(std::stod(rows[r][column]));
      question.push_back(static_cast<int64_t>(r));
    }
  }
  const auto& golden = golden_["dna_harmful_rate_clustered_by_question"];
  ASSERT_EQ(harmful.size(), golden["n"].get<size_t>());
  const MeanEstimate clustered = EstimateClusteredMean(harmful, question);
  EXPECT_NEAR(clustered.mean, golden["mean"].get<double>(), kTight);
  EXPECT_NEAR(clustered.standard_error, golden["se_clustered_CR1"].get<double>(), kTight);
  EXPECT_EQ(clustered.degrees, golden["clusters"].get<double>() - 1);
  EXPECT_NEAR(EstimateMean(harmful).standard_error, golden["se_iid"].get<double>(), 1e-6);
}

}  // namespace
}  // namespace lem
