// SPDX-License-Identifier: EUPL-1.2
// Where lm-evaluation-harness cuts between a prompt and an answer, case by case; and that a task's
// choices are scored exactly there.
#include <gtest/gtest.h>

#include "base/error.h"
#include "model/engine.h"
#include "pipelines/bench/choice_requests.h"
#include "pipelines/continuation.h"
#include "pipelines/run_folder.h"
#include "tests/support/silent_progress.h"
#include "tests/support/tiny_bench.h"

namespace lem {
namespace {

using testing::SilentProgress;
using testing::TinyBench;

// "ab" is one token where the letters meet.
Tokenizer WithMerge() {
  Json json = testing::TinyTokenizerJson();
  Json& model = *json.Find("model");
  model.Find("vocab")->Set("ab", Json(63));
  model.Set("merges", Json(Json::Array{Json("a b")}));
  return Tokenizer::FromJson(json, testing::TinyTokenizerConfig(), "tiny");
}

std::vector<int32_t> Ids(const Tokenizer& tokenizer, std::string_view text) {
  return tokenizer.Encode(text, false);
}

TEST(Continuation, IsWhatTheWholeHasBeyondTheContext) {
  const Tokenizer tokenizer = testing::TinyTokenizer();
  const SplitPair pair = SplitContinuation(tokenizer, "Say", " yes");
  EXPECT_EQ(pair.context, Ids(tokenizer, "Say"));
  EXPECT_EQ(pair.continuation, Ids(tokenizer, " yes"));
}

TEST(Continuation, TrailingSpaceOfTheContextBelongsToIt) {
  const Tokenizer tokenizer = testing::TinyTokenizer();
  const SplitPair pair = SplitContinuation(tokenizer, "Say \n", "yes");
  EXPECT_EQ(pair.context, Ids(tokenizer, "Say"));
  EXPECT_EQ(pair.continuation, Ids(tokenizer, " \nyes"));
}

TEST(Continuation, ATokenAcrossTheBorderIsCountedByTheContextsLength) {
  const Tokenizer tokenizer = WithMerge();
  ASSERT_EQ(Ids(tokenizer, "ab"), std::vector<int32_t>{63});
  // encode("ca") has 2 tokens, encode("cabd") is c, ab, d: what remains is d alone.
  const SplitPair pair = SplitContinuation(tokenizer, "ca", "bd");
  EXPECT_EQ(pair.context, Ids(tokenizer, "ca"));
  EXPECT_EQ(pair.continuation, Ids(tokenizer, "d"));
  EXPECT_TRUE(SplitContinuation(tokenizer, "ca", "b").continuation.empty());
}

TEST(Continuation, AnEmptyContextIsTheBeginningOfText) {
  const Tokenizer tokenizer = testing::TinyTokenizer();
  const SplitPair pair = SplitContinuation(tokenizer, "", "yes");
  EXPECT_EQ(pair.context, std::vector<int32_t>{1});
  EXPECT_EQ(pair.continuation, Ids(tokenizer, "yes"));
}

TEST(Continuation, BosIsNotDoubledWhenTheTextHasIt) {
  Json config = testing::TinyTokenizerConfig();
  config.Set("add_bos_token", Json(true));
  const Tokenizer tokenizer = Tokenizer::FromJson(testing::TinyTokenizerJson(), config, "tiny");
  const std::vector<int32_t> ids = EncodeContext(tokenizer, "<s>Say");
  EXPECT_EQ(std::count(ids.begin(), ids.end(), 1), 1);
}

TEST(Continuation, TheContextLosesItsBeginningNeverItsEnd) {
  SplitPair pair = {{1, 2, 3, 4, 5}, {6, 7, 8}};
  ASSERT_TRUE(FitIntoContext(5, pair));  // 5 inputs: 3 of the context, 2 of the continuation
  EXPECT_EQ(pair.context, (std::vector<int32_t>{3, 4, 5}));
  EXPECT_EQ(pair.continuation, (std::vector<int32_t>{6, 7, 8}));
  SplitPair fits = {{1, 2}, {3}};
  ASSERT_TRUE(FitIntoContext(2, fits));
  EXPECT_EQ(fits.context.size(), 2u);
  SplitPair long_one = {{1}, {2, 3, 4}};
  EXPECT_FALSE(FitIntoContext(2, long_one));
}

// Each choice alone, without sharing, through the plain engine.
TEST(ChoiceTask, ChoicesOfOneQuestionAreScoredAsEachAlone) {
  TinyBench bench;
  SilentProgress progress;
  BenchOptions options = bench.Options();
  options.tasks = {bench.choices_task()};
  options.model.chat_template = "none";
  RunBench(options, progress);
  const RunFolder run(bench.out(), RunFolder::Access::kRead, progress);
  const auto model = LoadedModel::Open(options.model, progress);
  EngineOptions plain;
  plain.share_prefixes = false;
  Engine engine(*model->decoder, plain);
  ASSERT_EQ(run.samples().size(), 12u);
  for (const Sample* sample : run.samples()) {
    ASSERT_EQ(sample->choices.size(), 3u);
    EXPECT_TRUE(sample->choices[0].right);
    for (const ChoiceScore& choice : sample->choices) {
      const SplitPair pair = SplitContinuation(model->tokenizer, "Say a word.\n" + sample->question,
                                               " " + choice.text);
      const ScoreRequest request = {pair.context, pair.continuation};
      const ScoreResult alone = engine.Score({&request, 1})[0];
      EXPECT_EQ(choice.log_prob, alone.log_prob) << sample->item << " " << choice.text;
      EXPECT_EQ(choice.tokens, static_cast<int>(pair.continuation.size()));
    }
  }
}

TEST(ChoiceTask, AChoiceWithoutTokensIsAFailedAnswerWithItsReason) {
  TinyBench bench(2);
  bench.folder().Write("data/rows.jsonl",
                       "{\"id\":\"a\",\"question\":\"q\",\"best\":\"yes\",\"wrong\":[\"no\"]}\n"
                       "{\"id\":\"b\",\"question\":\"q\",\"best\":\"\",\"wrong\":[\"no\"]}\n");
  bench.folder().Write(
      "choose.yaml",
      "name: choose\nversion: 1\nkind: choices\ndata: [{path: rows.jsonl}]\n"
      "format: jsonl\nid: {field: id}\ndelimiter: \"\"\n"
      "sets:\n  - {name: mc1, prompt: \"{{question}}\", right: [best], wrong: [wrong]}\n"
      "metrics: [truthfulqa.mc1]\nprimary: truthfulqa.mc1\n");
  SilentProgress progress;
  BenchOptions options = bench.Options();
  options.tasks = {bench.choices_task()};
  options.model.chat_template = "none";
  const BenchResult result = RunBench(options, progress);
  EXPECT_EQ(result.tasks[0].failed, 1);
  const RunFolder run(bench.out(), RunFolder::Access::kRead, progress);
  EXPECT_TRUE(run.samples()[0]->answered());
  EXPECT_EQ(run.samples()[1]->state, State::kError);
  EXPECT_NE(run.samples()[1]->problem.find("choice 1 of mc1"), std::string::npos);
}

}  // namespace
}  // namespace lem
