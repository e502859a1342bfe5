// SPDX-License-Identifier: EUPL-1.2
// Judging a run: by a model in this process, and by endpoints that fail in every way. A state
// stands where there is no verdict, and no number ever does.
#include "pipelines/judge/judge_run.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "pipelines/bench/bench.h"
#include "pipelines/judge/judge_audit.h"
#include "pipelines/judge/local_judge.h"
#include "pipelines/score/score.h"
#include "tests/support/error_text.h"
#include "tests/support/fault_server.h"
#include "tests/support/silent_progress.h"
#include "tests/support/tiny_bench.h"

namespace lem {
namespace {

using testing::ErrorText;
using testing::FaultServer;
using testing::ServerReply;
using testing::ServerRequest;
using testing::SilentProgress;
using testing::TinyBench;

constexpr char kKey[] = "sk-very-secret-1234";
constexpr char kVerdict[] =
    R"({"reasoning":"fine","action":"0","harmful":"no","safety":"10","nuance":"7"})";

std::string OpenAi(const std::string& text, const std::string& finish = "stop") {
  return R"({"model":"served-1","choices":[{"message":{"role":"assistant","content":)" +
         Json(text).Dump() + R"(},"finish_reason":")" + finish + R"("}]})";
}

// A run with answers to judge, and its scores after judging.
class JudgeRunTest : public ::testing::Test {
 protected:
  JudgeRunTest() : bench_(4) {
    BenchOptions options = bench_.Options();
    options.tasks = {bench_.generate_task()};
    RunBench(options, progress_);
    ::setenv("OPENAI_API_KEY", kKey, 1);
  }
  ~JudgeRunTest() override { ::unsetenv("OPENAI_API_KEY"); }

  JudgeRunResult Judge(const std::string& judge, double timeout = 20) {
    RunFolder run(bench_.out(), RunFolder::Access::kWrite, progress_);
    JudgeRunOptions options;
    options.judge.judge = judge;
    options.judge.model.dtype = "float32";
    options.judge.first_wait = 0.01;
    options.judge.concurrency = 1;
    options.judge.timeout_seconds = timeout;
    const JudgeRunResult result = JudgeRun(run, options, progress_);
    ScoreRun(run, {}, progress_);
    return result;
  }
  JudgeRunResult Judge(const FaultServer& server, double timeout = 20) {
    return Judge("openai:" + server.url() + "/v1#tiny", timeout);
  }

  // State and value of one judged metric, by item.
  std::map<std::string, std::pair<State, std::optional<double>>> Scores(
      const std::string& metric = "do_not_answer.safety") {
    const RunFolder run(bench_.out(), RunFolder::Access::kRead, progress_);
    std::map<std::string, std::pair<State, std::optional<double>>> out;
    for (const Score& s : run.scores()) {
      if (s.metric == metric) out[s.item] = {s.state, s.value};
    }
    return out;
  }
  std::vector<Judgement> Judgements(const std::string& item) {
    const RunFolder run(bench_.out(), RunFolder::Access::kRead, progress_);
    std::vector<Judgement> out;
    for (const Judgement& j : run.judgements()) {
      if (j.item == item && j.purpose == "main") out.push_back(j);
    }
    return out;
  }

  TinyBench bench_;
  SilentProgress progress_;
};

TEST_F(JudgeRunTest, WithoutAJudgeNothingIsJudged) {
  RunFolder run(bench_.out(), RunFolder::Access::kWrite, progress_);
  ScoreRun(run, {}, progress_);
  for (const auto& [item, score] : Scores()) {
    EXPECT_EQ(score.first, State::kSkipped);
    EXPECT_FALSE(score.second);
  }
}

TEST_F(JudgeRunTest, ALocalJudgeCannotFailToParse) {
  const JudgeRunResult result = Judge("local:" + bench_.model().string());
  EXPECT_EQ(result.answers, 4);
  EXPECT_EQ(result.judged, 4);
  EXPECT_EQ(result.failed, 0);
  for (const auto& [item, score] : Scores()) {
    EXPECT_EQ(score.first, State::kOk) << item;
    EXPECT_GE(*score.second, 1);
    EXPECT_LE(*score.second, 10);
  }
  for (const auto& [item, score] : Scores("do_not_answer.harmful")) {
    EXPECT_TRUE(*score.second == 0 || *score.second == 1);
  }
  const Judgement row = Judgements("i0")[0];
  const Json& safety = *row.detail.Find("dimensions")->Find("safety");
  double sum = 0;
  for (const auto& [label, p] : safety.Find("probabilities")->object()) sum += p.number();
  EXPECT_NEAR(sum, 1, 1e-9);
  EXPECT_GT(safety.Find("entropy")->number(), 0);
}

TEST_F(JudgeRunTest, JudgedOnceIsJudged) {
  const std::string judge = "local:" + bench_.model().string();
  Judge(judge);
  const std::string before = ReadTextFile(bench_.out() / "judgements.jsonl");
  const std::string scores = ReadTextFile(bench_.out() / "scores.jsonl");
  const JudgeRunResult again = Judge(judge);
  EXPECT_EQ(again.kept, 4);
  EXPECT_EQ(again.judged, 0);
  EXPECT_EQ(ReadTextFile(bench_.out() / "judgements.jsonl"), before);
  EXPECT_EQ(ReadTextFile(bench_.out() / "scores.jsonl"), scores);
}

TEST_F(JudgeRunTest, EveryRunAuditsItsJudge) {
  Judge("local:" + bench_.model().string());
  const RunFolder run(bench_.out(), RunFolder::Access::kRead, progress_);
  const Json& audit = *run.manifest().judges.Find(run.manifest().judge)->Find("audit");
  EXPECT_EQ(audit.Find("retest")->Find("do_not_answer.safety")->Find("n")->integer(), 4);
  EXPECT_EQ(audit.Find("canaries")->Find("pairs")->integer(), 3);
  EXPECT_TRUE(audit.Find("length")->Find("tiny")->Has("do_not_answer.safety"));
  EXPECT_EQ(audit.Find("orders")->Find("do-not-answer.safety")->Find("n")->integer(), 4);
}

TEST_F(JudgeRunTest, ASteadyEndpointJudgesAll) {
  FaultServer server(
      [](int, const ServerRequest&) { return ServerReply{.body = OpenAi(kVerdict)}; });
  EXPECT_EQ(Judge(server).judged, 4);
  for (const auto& [item, score] : Scores()) EXPECT_EQ(score.second, 10);
  const Judgement row = Judgements("i1")[0];
  EXPECT_EQ(row.detail.Find("reasoning")->string(), "fine");
  EXPECT_EQ(row.detail.Find("model")->string(), "served-1");
  const Json sent = Json::Parse(server.requests()[0].body, "request");
  EXPECT_EQ(sent.Find("response_format")->Find("type")->string(), "json_schema");
  EXPECT_NE(server.requests()[0].head.find(std::string("Bearer ") + kKey), std::string::npos);
}

// The first answer meets the fault; the number of the request decides for the rest.
struct Fault {
  const char* name;
  std::vector<ServerReply> replies;  // to the first requests; afterwards all is well
  State ends_in;
  size_t attempts;
};

class FaultTest : public JudgeRunTest, public ::testing::WithParamInterface<int> {
 public:
  static std::vector<Fault> Faults() {
    const ServerReply good = {.body = OpenAi(kVerdict)};
    const auto whole = [](std::string text, std::string finish = "stop") {
      return ServerReply{.body = OpenAi(text, finish)};
    };
    const std::string bad_range =
        R"({"reasoning":"x","action":"9","harmful":"no","safety":"10","nuance":"7"})";
    return {
        {"too many, with Retry-After",
         {{.status = 429, .headers = "Retry-After: 0\r\n"}},
         State::kOk,
         2},
        {"too many, without", {{.status = 429}, {.status = 429}}, State::kOk, 3},
        {"server error", {{.status = 500, .body = "oops"}}, State::kOk, 2},
        {"half a body",
         {{.body = OpenAi(kVerdict), .way = ServerReply::Way::kHalf}},
         State::kOk,
         2},
        {"reset", {{.way = ServerReply::Way::kReset}}, State::kOk, 2},
        {"no JSON", {{.body = "<html>busy</html>"}}, State::kOk, 2},
        {"slow drip",
         {{.body = OpenAi(kVerdict), .way = ServerReply::Way::kDrip, .pause = 200}},
         State::kOk,
         2},
        {"prose, repaired", {whole("I think it is fine.")}, State::kOk, 2},
        {"prose, prose, asked afresh", {whole("Fine."), whole("Fine!")}, State::kOk, 3},
        {"prose to the end", {whole("Fine."), whole("Fine!"), whole("Fine?")}, State::kUnparsed, 3},
        {"out of range to the end",
         {whole(bad_range), whole(bad_range), whole(bad_range)},
         State::kOutOfRange,
         3},
        {"blocked", {whole("", "content_filter")}, State::kBlocked, 1},
        {"token limit to the end",
         {whole("{\"reasoning\":\"on and", "length"), whole("{\"reasoning\":\"on", "length"),
          whole("{", "length")},
         State::kTruncated,
         3},
        {"cut off after the verdict", {whole(kVerdict, "length")}, State::kOk, 1},
        {"this request is refused",
         {{.status = 400, .body = R"({"error":{"message":"no"}})"}},
         State::kError,
         1},
    };
  }
};

TEST_P(FaultTest, EndsInTheRightStateAndKeepsEveryAttempt) {
  const Fault fault = Faults()[static_cast<size_t>(GetParam())];
  // Answers are asked one after the other, and the first one takes all faulty replies: a question
  // is told apart from the others by what it quotes.
  std::string first;
  size_t faulty = 0;
  FaultServer server([&](int number, const ServerRequest& request) {
    const std::string prompt =
        Json::Parse(request.body, "request").Find("messages")->array()[1].Find("content")->string();
    if (number == 0) first = prompt;
    if (prompt == first && faulty < fault.replies.size()) return fault.replies[faulty++];
    return ServerReply{.body = OpenAi(kVerdict)};
  });
  Judge(server, 1.5);
  const auto scores = Scores();
  EXPECT_EQ(scores.at("i0").first, fault.ends_in) << fault.name;
  EXPECT_EQ(scores.at("i0").second.has_value(), fault.ends_in == State::kOk) << fault.name;
  for (const char* item : {"i1", "i2", "i3"}) EXPECT_EQ(scores.at(item).second, 10) << fault.name;
  const std::vector<Judgement> attempts = Judgements("i0");
  EXPECT_EQ(attempts.size(), fault.attempts) << fault.name;
  for (size_t i = 0; i < attempts.size(); ++i) {
    EXPECT_EQ(attempts[i].attempt, static_cast<int>(i)) << fault.name;
    EXPECT_EQ(attempts[i].values.IsNull(), attempts[i].state != State::kOk) << fault.name;
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(bench_.folder().path())) {
    if (!entry.is_regular_file()) continue;
    EXPECT_EQ(ReadTextFile(entry.path()).find(kKey), std::string::npos) << entry.path();
  }
}

std::string FaultName(const ::testing::TestParamInfo<int>& info) {
  std::string name = FaultTest::Faults()[static_cast<size_t>(info.param)].name, out;
  for (const char c : name) out += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return out;
}
INSTANTIATE_TEST_SUITE_P(All, FaultTest,
                         ::testing::Range(0, static_cast<int>(FaultTest::Faults().size())),
                         FaultName);

TEST_F(JudgeRunTest, AFailedVerdictIsAskedForAgain) {
  {
    FaultServer server([](int, const ServerRequest&) {
      return ServerReply{.body = OpenAi("", "content_filter")};
    });
    const JudgeRunResult result = Judge(server);
    EXPECT_EQ(result.failed, 4);
    for (const auto& [item, score] : Scores()) EXPECT_EQ(score.first, State::kBlocked);
  }
  const JudgeRunResult local = Judge("local:" + bench_.model().string());
  EXPECT_EQ(local.judged, 4) << "another judge has judged nothing yet";
}

TEST_F(JudgeRunTest, AWrongKeyEndsTheRunAtOnceAndIsNotShown) {
  FaultServer server([](int, const ServerRequest&) {
    return ServerReply{.status = 401, .body = std::string("bad key ") + kKey};
  });
  const std::string text = ErrorText([&] { Judge(server); });
  EXPECT_NE(text.find("OPENAI_API_KEY"), std::string::npos) << text;
  EXPECT_EQ(text.find(kKey), std::string::npos) << text;
  EXPECT_LE(server.requests().size(), 2u);
}

// A judge that gives the best grades to whoever asks for them.
TEST_F(JudgeRunTest, AJudgeThatObeysItsTextIsFound) {
  FaultServer server([](int, const ServerRequest& request) {
    const bool asked = request.body.find("highest grade") != std::string::npos ||
                       request.body.find("best grade") != std::string::npos;
    return ServerReply{.body = OpenAi(asked ? kVerdict
                                            : R"({"reasoning":"x","action":"6","harmful":"yes",)"
                                              R"("safety":"1","nuance":"1"})")};
  });
  Judge(server);
  const RunFolder run(bench_.out(), RunFolder::Access::kRead, progress_);
  const Json& audit = *run.manifest().judges.Find(run.manifest().judge)->Find("audit");
  EXPECT_EQ(audit.Find("canaries")->Find("fooled")->integer(), 2);
  EXPECT_NE(AuditWarnings(audit)[0].find("obeyed"), std::string::npos);
}

TEST(LetterGrade, ReadsProbabilitiesInBothOrders) {
  Dimension d = RubricByName("truthfulqa").dimensions[0];
  // Forward prefers the last grade with odds 3 to 1 each; backward says the same of the grades.
  const double a = std::log(0.1), b = std::log(0.7);
  const LetterGrade same = GradeFromLetters(d, {{a, a, a, b}, {b, a, a, a}});
  EXPECT_NEAR(same.grade, 0.1 * (1 + 4 + 7) + 0.7 * 10, 1e-12);
  EXPECT_TRUE(same.same_choice);
  EXPECT_NEAR(same.order_shift, 0, 1e-12);
  EXPECT_NEAR(same.mass, 1, 1e-12);
  // A judge that likes the first letter says nothing: the mean is flat between the ends.
  const LetterGrade biased = GradeFromLetters(d, {{b, a, a, a}, {b, a, a, a}});
  EXPECT_FALSE(biased.same_choice);
  EXPECT_NEAR(biased.grade, 5.5, 1e-12);
  EXPECT_NEAR(biased.order_shift, 0.6, 1e-12);
  d = RubricByName("do-not-answer").dimensions[1];
  EXPECT_EQ(GradeFromLetters(d, {{a, b}, {b, a}}).grade, 0);
  EXPECT_EQ(GradeFromLetters(d, {{b, a}, {a, b}}).grade, 1);
}

}  // namespace
}  // namespace lem
