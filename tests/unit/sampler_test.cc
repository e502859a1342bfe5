// SPDX-License-Identifier: EUPL-1.2
#include "model/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace lem {
namespace {

std::vector<float> Logs(std::vector<double> probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)) + 3);
  return logits;
}

// How often each id is drawn out of `draws`.
std::map<int, int> Draw(const SamplingOptions& options, const std::vector<float>& logits,
                        int draws = 4000) {
  Sampler sampler(options, 1);
  std::map<int, int> counts;
  for (int i = 0; i < draws; ++i) {
    std::vector<float> copy = logits;
    ++counts[sampler.Sample(copy, {})];
  }
  return counts;
}

TEST(Sampler, TakesTheLowestIdOfTheLargestAtTemperatureZero) {
  std::vector<float> logits(100, -1.0f);
  logits[40] = logits[77] = 2;
  EXPECT_EQ(Sampler({}, 0).Sample(logits, {}), 40);
  logits[99] = 3;  // beyond the last whole set of lanes
  EXPECT_EQ(Sampler({}, 0).Sample(logits, {}), 99);
}

TEST(Sampler, DrawsWithTheTemperaturesFrequencies) {
  SamplingOptions options;
  options.temperature = 0.5f;  // probabilities squared: 1 : 4 : 9 of 14
  const auto counts = Draw(options, Logs({0.1, 0.2, 0.3}), 14000);
  // Four standard errors of a binomial count near 9,000 are 230.
  EXPECT_NEAR(counts.at(0), 1000, 230);
  EXPECT_NEAR(counts.at(1), 4000, 230);
  EXPECT_NEAR(counts.at(2), 9000, 230);
}

TEST(Sampler, IsAFunctionOfItsSeedAndStream) {
  SamplingOptions options;
  options.temperature = 1, options.seed = 3;
  const auto draw = [&](uint64_t stream) {
    Sampler sampler(options, stream);
    std::vector<int> ids;
    for (int i = 0; i < 30; ++i) {
      std::vector<float> logits(50, 0.0f);
      ids.push_back(sampler.Sample(logits, {}));
    }
    return ids;
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
}

TEST(Sampler, TopPKeepsTheTokenThatCrossesTheMass) {
  SamplingOptions options;
  options.temperature = 1, options.top_p = 0.7f;
  // 0.5 + 0.3 reaches 0.7; 0.15 and 0.05 go.
  const auto counts = Draw(options, Logs({0.05, 0.5, 0.15, 0.3}));
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_TRUE(counts.contains(1) && counts.contains(3));
}

TEST(Sampler, MinPComparesWithTheMostLikelyToken) {
  SamplingOptions options;
  options.temperature = 1, options.min_p = 0.4f;  // at least 0.2 here
  EXPECT_EQ(Draw(options, Logs({0.05, 0.5, 0.15, 0.3})).size(), 2u);
  options.min_tokens_to_keep = 3;
  EXPECT_EQ(Draw(options, Logs({0.05, 0.5, 0.15, 0.3})).size(), 3u);
}

TEST(Sampler, TopKActsAfterTheOthers) {
  SamplingOptions options;
  options.temperature = 1, options.top_k = 1;
  EXPECT_EQ(Draw(options, Logs({0.2, 0.5, 0.3})).size(), 1u);
  options.top_k = 2;
  EXPECT_FALSE(Draw(options, Logs({0.2, 0.5, 0.3})).contains(0));
}

TEST(Sampler, XtcRemovesTheTopChoicesExceptTheLeast) {
  SamplingOptions options;
  options.temperature = 1, options.xtc_probability = 1, options.xtc_threshold = 0.15f;
  const auto counts = Draw(options, Logs({0.4, 0.3, 0.2, 0.1}));
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_TRUE(counts.contains(2) && counts.contains(3));
  options.xtc_never = {0};
  EXPECT_TRUE(Draw(options, Logs({0.4, 0.3, 0.2, 0.1})).contains(0));
}

TEST(Sampler, PenaltiesLookAtTheLastTokens) {
  SamplingOptions options;
  options.repetition_penalty = 2, options.repetition_context = 2;
  std::vector<float> logits = {4, 3, -1};
  const std::vector<int32_t> history = {1, 0, 0};
  std::vector<float> copy = logits;
  EXPECT_EQ(Sampler(options, 0).Sample(copy, history), 1);
  EXPECT_EQ(copy, (std::vector<float>{2, 3, -1}));  // once, however often; id 1 is too long ago
  options = {};
  options.presence_penalty = 0.5f, options.frequency_penalty = 1;
  copy = logits;
  Sampler(options, 0).Sample(copy, history);
  EXPECT_EQ(copy, (std::vector<float>{4 - 0.5f - 2, 3 - 0.5f - 1, -1}));
  options = {};
  options.logit_bias = {{2, 9.0f}};
  copy = logits;
  EXPECT_EQ(Sampler(options, 0).Sample(copy, history), 2);
}

}  // namespace
}  // namespace lem
