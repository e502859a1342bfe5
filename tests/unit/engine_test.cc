// SPDX-License-Identifier: EUPL-1.2
// The engine's promises on tiny models: a request's result does not depend on its company, on
// sharing, on the number of threads or on the size of batches and pieces.
#include "model/engine.h"

#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "base/threads.h"
#include "model/prefix_groups.h"
#include "tests/support/error_text.h"
#include "tests/support/tiny_models.h"

namespace lem {
namespace {

using namespace testing;

std::vector<int32_t> RandomIds(size_t count, unsigned seed) {
  std::mt19937 bits(seed);
  std::vector<int32_t> ids(count);
  for (int32_t& id : ids) id = 3 + static_cast<int32_t>(bits() % 61);
  return ids;
}

// Prompts of 1 to 70 tokens; the last four share 40.
std::vector<GenerateRequest> Requests() {
  std::vector<GenerateRequest> requests;
  for (const size_t size : {1, 5, 17, 70})
    requests.push_back({.prompt = RandomIds(size, static_cast<unsigned>(size)),
                        .max_tokens = 12,
                        .end_ids = {},
                        .sampling = {},
                        .stream = {}});
  for (unsigned i = 0; i < 4; ++i) {
    std::vector<int32_t> prompt = RandomIds(40, 99);
    for (const int32_t id : RandomIds(3 + i, i)) prompt.push_back(id);
    requests.push_back(
        {.prompt = prompt, .max_tokens = 12, .end_ids = {}, .sampling = {}, .stream = {}});
  }
  for (size_t i = 1; i < requests.size(); i += 2) {
    requests[i].sampling.temperature = 1;
    requests[i].sampling.top_p = 0.9f;
    requests[i].sampling.seed = 5;
  }
  for (size_t i = 0; i < requests.size(); ++i) requests[i].stream = i;
  return requests;
}

void ExpectSame(const Generation& a, const Generation& b, const std::string& what) {
  EXPECT_EQ(a.ids, b.ids) << what;
  EXPECT_EQ(a.log_probs, b.log_probs) << what;
  EXPECT_EQ(a.finish, b.finish) << what;
}

class EngineTest : public ::testing::TestWithParam<const char*> {};

TEST_P(EngineTest, ARequestsResultDoesNotDependOnItsCompany) {
  TinyModel model(GetParam(), Precision::kBFloat16);
  const std::vector<GenerateRequest> requests = Requests();
  Engine plain(*model.decoder,
               {.max_batch = 1, .prefill_chunk = 512, .kv_memory = 0, .share_prefixes = false});
  std::vector<Generation> alone;
  for (const GenerateRequest& r : requests) alone.push_back(plain.Generate({&r, 1})[0]);
  for (const EngineOptions& options :
       {EngineOptions{.max_batch = 16, .prefill_chunk = 512},
        {.max_batch = 3, .prefill_chunk = 512},
        {.max_batch = 8, .prefill_chunk = 16},
        {.max_batch = 8, .prefill_chunk = 512, .kv_memory = 1},
        {.max_batch = 8, .prefill_chunk = 512, .kv_memory = 0, .share_prefixes = false}}) {
    Engine engine(*model.decoder, options);
    const auto together = engine.Generate(requests);
    for (size_t i = 0; i < requests.size(); ++i)
      ExpectSame(alone[i], together[i], std::to_string(i));
  }
}

TEST_P(EngineTest, ThreadsDoNotChangeABit) {
  TinyModel model(GetParam(), Precision::kBFloat16);
  std::vector<std::vector<Generation>> results;
  const int before = Threads();
  for (const int threads : {1, 2}) {
    SetThreads(threads);
    Engine engine(*model.decoder, {});
    results.push_back(engine.Generate(Requests()));
  }
  SetThreads(before);
  for (size_t i = 0; i < results[0].size(); ++i)
    ExpectSame(results[0][i], results[1][i], std::to_string(i));
}

std::vector<ScoreRequest> Questions() {
  std::vector<ScoreRequest> questions;
  for (unsigned q = 0; q < 3; ++q) {
    std::vector<int32_t> prefix = RandomIds(35, 7);
    for (const int32_t id : RandomIds(4 + 9 * q, q)) prefix.push_back(id);
    for (unsigned choice = 0; choice < 3; ++choice) {
      questions.push_back({prefix, RandomIds(1 + 2 * choice, 50 + 3 * q + choice)});
    }
  }
  questions.push_back({RandomIds(1, 3), RandomIds(20, 4)});
  return questions;
}

TEST_P(EngineTest, ScoresDoNotDependOnCompanyAndSumToTheForwardPass) {
  TinyModel model(GetParam(), Precision::kBFloat16);
  const auto questions = Questions();
  Engine together(*model.decoder, {});
  Engine small(*model.decoder,
               {.max_batch = 1, .prefill_chunk = 8, .kv_memory = 1, .share_prefixes = true});
  size_t reported = 0;
  const auto results = together.Score(questions, [&](size_t done) { reported = done; });
  EXPECT_EQ(reported, questions.size());
  const auto pieces = small.Score(questions);
  for (size_t i = 0; i < questions.size(); ++i) {
    const auto alone = Engine(*model.decoder, {}).Score({&questions[i], 1})[0];
    EXPECT_EQ(alone.token_log_probs, results[i].token_log_probs) << i;
    EXPECT_EQ(alone.token_log_probs, pieces[i].token_log_probs) << i;
    EXPECT_EQ(alone.greedy, results[i].greedy) << i;
    // The same through one pass over prefix and continuation.
    std::vector<int32_t> all = questions[i].prefix;
    all.insert(all.end(), questions[i].continuation.begin(), questions[i].continuation.end());
    const double nll =
        Engine(*model.decoder, {}).NegativeLogLikelihood(all, questions[i].prefix.size());
    EXPECT_NEAR(-nll, alone.log_prob, 1e-5 * std::abs(nll)) << i;
  }
}

TEST_P(EngineTest, AGreedyContinuationScoresAsGreedy) {
  TinyModel model(GetParam(), Precision::kBFloat16);
  Engine engine(*model.decoder, {});
  GenerateRequest request = Requests()[2];
  const Generation made = engine.Generate({&request, 1})[0];
  ScoreRequest score = {request.prompt, made.ids};
  EXPECT_TRUE(engine.Score({&score, 1})[0].greedy);
  score.continuation.back() = score.continuation.back() == 5 ? 6 : 5;
  EXPECT_FALSE(engine.Score({&score, 1})[0].greedy);
}

INSTANTIATE_TEST_SUITE_P(Tiny, EngineTest, ::testing::ValuesIn(kFamilies),
                         [](const auto& info) { return std::string(info.param); });

TEST(Engine, StopsWhereItIsTold) {
  TinyModel model("llama");
  Engine engine(*model.decoder, {});
  GenerateRequest request = Requests()[2];
  const Generation all = engine.Generate({&request, 1})[0];
  EXPECT_EQ(all.finish, FinishReason::kLength);
  EXPECT_EQ(all.ids.size(), 12u);
  EXPECT_EQ(all.generation_tokens, 12);
  EXPECT_EQ(all.prompt_tokens, 17);

  request.end_ids = {all.ids[3]};
  const Generation stopped = engine.Generate({&request, 1})[0];
  const size_t first =
      static_cast<size_t>(std::find(all.ids.begin(), all.ids.end(), all.ids[3]) - all.ids.begin());
  EXPECT_EQ(stopped.finish, FinishReason::kStop);
  EXPECT_EQ(stopped.ids.size(), first);
  EXPECT_EQ(stopped.generation_tokens, static_cast<int>(first) + 1);

  request.end_ids = {};
  int seen = 0;
  const Generation cancelled =
      engine.Generate({&request, 1}, [&](size_t, int32_t) { return ++seen < 5; })[0];
  EXPECT_EQ(cancelled.finish, FinishReason::kCancelled);
  EXPECT_EQ(cancelled.ids.size(), 5u);
}

TEST(Engine, RefusesWhatItCannotRun) {
  TinyModel model("llama");
  Engine engine(*model.decoder, {});
  GenerateRequest empty;
  EXPECT_EQ(ErrorText([&] {
              engine.Generate({&empty, 1});
            }),
            "generate: a prompt should have at least one token, found none");
  GenerateRequest foreign{
      .prompt = {64}, .max_tokens = 1, .end_ids = {}, .sampling = {}, .stream = {}};
  EXPECT_EQ(ErrorText([&] {
              engine.Generate({&foreign, 1});
            }),
            "generate: the prompt: the model has ids 0 to 63, found 64; the tokenizer is of "
            "another model");
  GenerateRequest longest{
      .prompt = RandomIds(129, 1), .max_tokens = 1, .end_ids = {}, .sampling = {}, .stream = {}};
  EXPECT_EQ(ErrorText([&] {
              engine.Generate({&longest, 1});
            }),
            "generate: the prompt: 129 tokens, but the model's context holds 128; shorten it");
  ScoreRequest score{{1}, {}};
  EXPECT_NE(ErrorText([&] {
              engine.Score({&score, 1});
            }).find("at least one token each"),
            std::string::npos);
}

TEST(Engine, StopsAtTheEndOfTheContext) {
  TinyModel model("llama");
  Engine engine(*model.decoder, {});
  const GenerateRequest request{
      .prompt = RandomIds(120, 1), .max_tokens = 100, .end_ids = {}, .sampling = {}, .stream = {}};
  const Generation made = engine.Generate({&request, 1})[0];
  EXPECT_EQ(made.ids.size(), 8u);
  EXPECT_EQ(made.finish, FinishReason::kLength);
}

TEST(Engine, LongTextsAreScoredInWindowsOfTheContext) {
  TinyModel model("llama");
  Engine engine(*model.decoder, {.max_batch = 1, .prefill_chunk = 50});
  const std::vector<int32_t> ids = RandomIds(300, 2);
  const double whole = engine.NegativeLogLikelihood(ids, 1);
  double parts = 0;
  for (size_t at = 0; at < 299; at += 128) {
    const size_t size = std::min<size_t>(129, 300 - at);
    parts += engine.NegativeLogLikelihood(std::span(ids).subspan(at, size), 1);
  }
  EXPECT_NEAR(whole, parts, 1e-9 * whole);
  EXPECT_GT(engine.NegativeLogLikelihood(ids, 1), engine.NegativeLogLikelihood(ids, 200));
}

TEST(PrefixGroups, FindWhatIsShared) {
  const std::vector<int32_t> common = RandomIds(40, 1);
  std::vector<std::vector<int32_t>> sequences = {RandomIds(50, 2), common, common, {1, 2}};
  sequences[1].push_back(7), sequences[2].push_back(8), sequences[2].push_back(9);
  const std::vector<std::span<const int32_t>> views(sequences.begin(), sequences.end());
  const auto groups = GroupByPrefix(views);
  ASSERT_EQ(groups.size(), 3u);
  EXPECT_EQ(groups[0].length, 0u);
  EXPECT_EQ(groups[1].members, (std::vector<size_t>{1, 2}));
  EXPECT_EQ(groups[1].length, 40u);
}

}  // namespace
}  // namespace lem
