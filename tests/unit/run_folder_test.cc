// SPDX-License-Identifier: EUPL-1.2
// A run folder keeps what it was given, whatever happens to the process that gave it.
#include "pipelines/run_folder.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "pipelines/run_index.h"
#include "tests/support/error_text.h"
#include "tests/support/silent_progress.h"

namespace lem {
namespace {

namespace fs = std::filesystem;

std::string Slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

void Spill(const fs::path& path, const std::string& text, bool append = false) {
  std::ofstream(path, append ? std::ios::app : std::ios::trunc) << text;
}

Sample MakeSample(const std::string& item, const std::string& response, int repeat = 0) {
  Sample s;
  s.task = "t";
  s.item = item;
  s.model = "m";
  s.repeat = repeat;
  s.config = "c1";
  s.key = AnswerKey(s.config, item, "content", repeat, 0);
  s.question = "q " + item;
  s.reference = Json("18");
  s.fields = Json::MakeObject();
  s.response = response;
  s.finish_reason = "stop";
  return s;
}

RunManifest WithPlan(RunManifest manifest, std::vector<std::string> items, int repeats = 1) {
  RunPlan plan;
  plan.model = "m";
  plan.task = "t";
  plan.config = "c1";
  plan.settings = Json::MakeObject();
  plan.items = std::move(items);
  plan.items_in_data = 10;
  plan.repeats = repeats;
  plan.seed = 18446744073709551615u;
  plan.subset = "first 2";
  manifest.models.Set("m", Json::MakeObject());
  manifest.tasks.Set("t", Json::MakeObject());
  manifest.SetPlan(std::move(plan));
  return manifest;
}

class Folder : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = fs::path(::testing::TempDir()) /
            ("run_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(path_);
  }
  RunFolder Open(RunFolder::Access access = RunFolder::Access::kCreate) {
    return RunFolder(path_, access, progress_);
  }
  fs::path path_;
  testing::SilentProgress progress_;
};

TEST_F(Folder, KeepsAnswersJudgementsScoresAndManifest) {
  Judgement judgement;
  judgement.key = "k";
  judgement.judge = "j";
  judgement.judge_config = "h";
  judgement.task = "t";
  judgement.item = "a";
  judgement.model = "m";
  judgement.values = Json::Parse(R"({"lek.v1":1.5})", "");
  Sample choices = MakeSample("b", "");
  choices.choices = {{"mc1", "yes", true, -1.25, 2, true}};
  choices.seed = 18446744073709551615u;
  {
    RunFolder run = Open();
    run.SetManifest(WithPlan(run.manifest(), {"a", "b"}));
    run.Append(MakeSample("a", "one\ntwo \xE2\x82\xAC"));
    run.Append(choices);
    run.Append(judgement);
    run.ReplaceScores({Score::Of(MakeSample("a", ""), "x", 0.1),
                       Score::Missing(choices, "x", State::kBlocked, "why")});
  }
  const RunFolder run = Open(RunFolder::Access::kRead);
  ASSERT_EQ(run.samples().size(), 2u);
  EXPECT_EQ(ToJson(*run.samples()[0]), ToJson(MakeSample("a", "one\ntwo \xE2\x82\xAC")));
  EXPECT_EQ(ToJson(*run.samples()[1]), ToJson(choices));
  EXPECT_EQ(ToJson(run.judgements()[0]), ToJson(judgement));
  EXPECT_EQ(run.scores()[0].value, 0.1);
  EXPECT_EQ(run.scores()[1].state, State::kBlocked);
  EXPECT_FALSE(run.scores()[1].value.has_value());
  EXPECT_EQ(run.manifest().plans[0].seed, 18446744073709551615u);
  EXPECT_EQ(run.manifest().plans[0].subset, "first 2");
  EXPECT_TRUE(progress_.warnings.empty());
}

TEST_F(Folder, DropsATornLastLineWhereverItTears) {
  std::string whole;
  {
    RunFolder run = Open();
    run.SetManifest(WithPlan(run.manifest(), {"a", "b"}));
    run.Append(MakeSample("a", "1"));
    run.Append(MakeSample("b", "2"));
    whole = Slurp(path_ / "samples.jsonl");
  }
  const size_t first = whole.find('\n') + 1;
  for (size_t cut = first; cut < whole.size(); cut += 7) {
    Spill(path_ / "samples.jsonl", whole.substr(0, cut));
    progress_.warnings.clear();
    RunFolder run = Open(RunFolder::Access::kWrite);
    EXPECT_EQ(run.all_samples().size(), 1u) << cut;
    EXPECT_EQ(progress_.warnings.size(), cut == first ? 0u : 1u) << cut;
    run.Append(MakeSample("b", "2"));
    EXPECT_EQ(Slurp(path_ / "samples.jsonl"), whole) << cut;
  }
}

TEST_F(Folder, ALineThatLacksOnlyItsEndIsWhole) {
  {
    RunFolder run = Open();
    run.Append(MakeSample("a", "1"));
  }
  std::string text = Slurp(path_ / "samples.jsonl");
  text.pop_back();
  Spill(path_ / "samples.jsonl", text);
  RunFolder run = Open(RunFolder::Access::kWrite);
  EXPECT_EQ(run.all_samples().size(), 1u);
  run.Append(MakeSample("b", "2"));
  EXPECT_EQ(Open(RunFolder::Access::kRead).all_samples().size(), 2u);
}

TEST_F(Folder, AMalformedLineInTheMiddleIsAnErrorWithItsNumber) {
  {
    RunFolder run = Open();
    run.Append(MakeSample("a", "1"));
  }
  Spill(path_ / "samples.jsonl", "{\"key\":\n", true);
  Spill(path_ / "samples.jsonl", ToJson(MakeSample("b", "2")).Dump() + "\n", true);
  EXPECT_NE(testing::ErrorText([&] { Open(RunFolder::Access::kRead); }).find("samples.jsonl:2"),
            std::string::npos);
}

TEST_F(Folder, ASecondWriterIsRefusedWithTheFirstOnesProcess) {
  RunFolder first = Open();
  const std::string message = testing::ErrorText([&] { Open(RunFolder::Access::kWrite); });
  EXPECT_NE(message.find(std::to_string(getpid())), std::string::npos) << message;
  EXPECT_EQ(testing::ErrorText([&] { Open(RunFolder::Access::kRead); }), "no error");
}

TEST_F(Folder, AKilledWriterLeavesNoLockAndWholeLines) {
  for (int round = 0; round < 5; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      RunFolder run = Open();
      for (int i = 0;; ++i) {
        run.Append(MakeSample(std::to_string(round) + "-" + std::to_string(i), "x"));
      }
    }
    // At least one line, however slow the machine is; then a little more.
    for (int i = 0; i < 1000 && Slurp(path_ / "samples.jsonl").empty(); ++i) usleep(10000);
    usleep(3000 + 7000 * round);
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    RunFolder run = Open();  // opens: the lock went with the process
    EXPECT_GT(run.all_samples().size(), 0u);
  }
}

TEST_F(Folder, OnlyTheCurrentConfigurationCounts) {
  RunFolder run = Open();
  run.SetManifest(WithPlan(run.manifest(), {"a", "b"}, 2));
  Sample stale = MakeSample("a", "old");
  stale.config = "c0";
  stale.key = "other";
  Sample failed = MakeSample("b", "");
  failed.state = State::kError;
  failed.problem = "out of memory";
  run.Append(stale);
  run.Append(MakeSample("a", "new"));
  run.Append(failed);
  run.Append(MakeSample("a", "again", 1));
  const auto samples = run.samples();
  ASSERT_EQ(samples.size(), 3u);
  EXPECT_EQ(samples[0]->response, "new");
  EXPECT_EQ(samples[1]->response, "again");
  EXPECT_FALSE(samples[2]->answered());
  run.Append(MakeSample("b", "at last"));
  EXPECT_EQ(run.samples()[2]->response, "at last");
  run.Append(failed);  // a later failure does not hide an answer
  EXPECT_EQ(run.samples("m", "t")[2]->response, "at last");
}

TEST_F(Folder, RefusesFoldersThatAreSomethingElse) {
  EXPECT_NE(
      testing::ErrorText([&] { Open(RunFolder::Access::kRead); }).find("expected a run folder"),
      std::string::npos);
  fs::create_directories(path_);
  Spill(path_ / "thesis.tex", "x");
  EXPECT_NE(testing::ErrorText([&] { Open(); }).find("other files"), std::string::npos);
  EXPECT_FALSE(fs::exists(path_ / "run.json"));
}

TEST_F(Folder, KilledWhileItWasMadeItCanBeMadeAgain) {
  fs::create_directories(path_);
  Spill(path_ / "lock", "1");
  Spill(path_ / ".run.json.HqWNxh", "{\"half");
  Open();
  EXPECT_TRUE(IsRunFolder(path_));
}

TEST_F(Folder, ReadersCannotWrite) {
  Open();
  RunFolder run = Open(RunFolder::Access::kRead);
  EXPECT_NE(testing::ErrorText([&] { run.Append(MakeSample("a", "1")); }).find("reading only"),
            std::string::npos);
}

TEST_F(Folder, AValueAndItsStateMustAgree) {
  EXPECT_NE(testing::ErrorText([] {
              ScoreFromJson(Json::Parse(R"({"task":"t","item":"i","model":"m","metric":"x",
                "value":5,"state":"error","detail":null})",
                                        ""),
                            "s:1");
            }).find("if and only if"),
            std::string::npos);
  EXPECT_EQ(Score::Of(MakeSample("a", ""), "x", 0.0 / 0.0).state, State::kError);
}

TEST_F(Folder, TheIndexIsBuiltAgainAtWill) {
  RunFolder run = Open();
  run.SetManifest(WithPlan(run.manifest(), {"a"}));
  run.Append(MakeSample("a", "1"));
  run.ReplaceScores({Score::Of(MakeSample("a", ""), "x", 1)});
  RebuildIndex(run);
  const std::string once = Slurp(path_ / "index.sqlite");
  fs::remove(path_ / "index.sqlite");
  RebuildIndex(run);
  EXPECT_EQ(Slurp(path_ / "index.sqlite"), once);
  EXPECT_TRUE(once.starts_with("SQLite format 3"));
}

TEST(AnswerKeys, DependOnEverything) {
  const std::string key = AnswerKey("c", "i", "h", 0, 0);
  EXPECT_EQ(key, AnswerKey("c", "i", "h", 0, 0));
  EXPECT_NE(key, AnswerKey("d", "i", "h", 0, 0));
  EXPECT_NE(key, AnswerKey("c", "j", "h", 0, 0));
  EXPECT_NE(key, AnswerKey("c", "i", "g", 0, 0));
  EXPECT_NE(key, AnswerKey("c", "i", "h", 1, 0));
  EXPECT_NE(key, AnswerKey("c", "i", "h", 0, 1));
  EXPECT_EQ(HashJson(Json::Parse(R"({"a":1,"b":2})", "")),
            HashJson(Json::Parse(R"({"b":2,"a":1})", "")));
}

}  // namespace
}  // namespace lem
