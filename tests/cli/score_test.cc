// SPDX-License-Identifier: EUPL-1.2
// import, score and export as a user runs them: output, exit codes, and kill -9 at any point.
#include <gtest/gtest.h>

#include <filesystem>

#include "formats/json.h"
#include "tests/support/lem_program.h"

namespace lem {
namespace {

namespace fs = std::filesystem;

using testing::LemProgram;
using testing::ProgramOutput;
using testing::RunLem;

class ScoreProgram : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

  // `count` invented answers of each of two models.
  std::string WriteAnswers(int count) const {
    std::string text;
    for (const char* model : {"a", "b"}) {
      for (int i = 0; i < count; ++i) {
        Json row = Json::MakeObject();
        row.Set("task", Json("gsm8k"));
        row.Set("item", Json("q" + std::to_string(i)));
        row.Set("model", Json(model));
        row.Set("question", Json("How many?"));
        row.Set("reference", Json(std::to_string(i)));
        const int said = model[0] == 'a' || i % 3 != 0 ? i : i + 1;
        row.Set("response", Json("I count them.\n#### " + std::to_string(said)));
        text += row.Dump() + "\n";
      }
    }
    return folder_.Write("answers.jsonl", text);
  }

  ProgramOutput Import(const std::string& run) const {
    return RunLem({"import", "--format", "answers", "--from", Path("answers.jsonl"), "--to",
                   Path(run), "--json"});
  }

  testing::ScratchFolder folder_;
};

TEST_F(ScoreProgram, PrintsOneJsonObjectPerModel) {
  WriteAnswers(30);
  const ProgramOutput import = Import("run");
  ASSERT_EQ(import.exit_code, 0) << import.err;
  EXPECT_EQ(*Json::Parse(import.out, "").Find("answers"), Json(60));
  const ProgramOutput score = RunLem({"score", Path("run"), "--json"});
  ASSERT_EQ(score.exit_code, 0) << score.err;
  const Json models = *Json::Parse(score.out, "").Find("models");
  const Json& strict = *models.Find("b")->Find("gsm8k")->Find("gsm8k.strict");
  EXPECT_NEAR(strict.Find("value")->number(), 2.0 / 3, 1e-12);
  EXPECT_EQ(*strict.Find("n"), Json(30));
  EXPECT_EQ(*strict.Find("missing"), Json(0));
  EXPECT_LT(strict.Find("ci95")->array()[0].number(), 2.0 / 3);
  EXPECT_EQ(*models.Find("a")->Find("gsm8k")->Find("gsm8k.final")->Find("value"), Json(1.0));
}

TEST_F(ScoreProgram, MetricsCanBeChosenAndUnknownOnesAreMisuse) {
  WriteAnswers(3);
  Import("run");
  const ProgramOutput some =
      RunLem({"score", Path("run"), "--metric", "gsm8k.lem,gsm8k.spread", "--json"});
  ASSERT_EQ(some.exit_code, 0) << some.err;
  EXPECT_EQ(Json::Parse(some.out, "").Find("models")->Find("a")->Find("gsm8k")->size(), 2u);
  const ProgramOutput wrong = RunLem({"score", Path("run"), "--metric", "gsm8k.lam"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_NE(wrong.err.find("gsm8k.lam"), std::string::npos);
  EXPECT_EQ(RunLem({"score", Path("nothing")}).exit_code, 1);
  EXPECT_EQ(RunLem({"import", "--format", "xyz", "--from", "a", "--to", "b"}).exit_code, 2);
}

TEST_F(ScoreProgram, ASingleModelHasScoresAtTheTop) {
  folder_.Write("answers.jsonl",
                R"({"task":"gsm8k","item":"1","model":"m","reference":"2","response":"#### 2"})"
                "\n");
  Import("run");
  const ProgramOutput score = RunLem({"score", Path("run"), "--json"});
  EXPECT_EQ(*Json::Parse(score.out, "")
                 .Find("scores")
                 ->Find("gsm8k")
                 ->Find("gsm8k.strict")
                 ->Find("value"),
            Json(1.0));
}

TEST_F(ScoreProgram, KilledAtAnyPointAndRunAgainGivesTheSameBytes) {
  constexpr int kKills = 20;
  WriteAnswers(400);
  ASSERT_EQ(Import("whole").exit_code, 0);
  ASSERT_EQ(RunLem({"score", Path("whole")}).exit_code, 0);
  const std::string expected = ReadTextFile(Path("whole/scores.jsonl"));
  const std::vector<std::string> import = {
      "import", "--format", "answers", "--from", Path("answers.jsonl"), "--to", Path("killed")};
  for (int i = 0; i < kKills; ++i) {
    LemProgram program(i % 2 == 0 ? import : std::vector<std::string>{"score", Path("killed")});
    std::this_thread::sleep_for(std::chrono::milliseconds(3 + 11 * i));
    program.Kill(SIGKILL);
    program.Wait();
  }
  ASSERT_EQ(Import("killed").exit_code, 0);
  const ProgramOutput score = RunLem({"score", Path("killed")});
  ASSERT_EQ(score.exit_code, 0) << score.err;
  EXPECT_EQ(ReadTextFile(Path("killed/scores.jsonl")), expected);
}

TEST_F(ScoreProgram, ExportsAndTakesItBack) {
  WriteAnswers(5);
  Import("run");
  RunLem({"score", Path("run")});
  const ProgramOutput out = RunLem({"export", Path("run"), "--to", Path("logs"), "--json"});
  ASSERT_EQ(out.exit_code, 0) << out.err;
  EXPECT_EQ(*Json::Parse(out.out, "").Find("rows"), Json(20));
  const ProgramOutput back = RunLem(
      {"import", "--format", "lm-eval", "--from", Path("logs"), "--to", Path("again"), "--json"});
  ASSERT_EQ(back.exit_code, 0) << back.err;
  EXPECT_EQ(*Json::Parse(back.out, "").Find("answers"), Json(10));
}

}  // namespace
}  // namespace lem
