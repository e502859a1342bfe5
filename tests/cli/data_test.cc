// SPDX-License-Identifier: EUPL-1.2
// lem data as a user runs it: exit codes, findings, files.
#include <gtest/gtest.h>

#include <filesystem>

#include "formats/json.h"
#include "tests/support/lem_program.h"
#include "tests/support/shared_data.h"

namespace lem {
namespace {

using testing::ProgramOutput;
using testing::RunLem;

constexpr char kGood[] =
    "Put the bread in at eight and take it out at twenty to nine. The crust tells you more than "
    "the clock does, so look at it before you look at your watch.";

std::string Row(const std::string& prompt, const std::string& answer) {
  return "{\"prompt\":" + Json(prompt).Dump() + ",\"completion\":" + Json(answer).Dump() + "}\n";
}

TEST(DataCommand, LintPassesOnTheProjectsTrainingData) {
  const std::string folder = std::string(LEM_SOURCE_DIR) + "/training/";
  const ProgramOutput run =
      RunLem({"data", "lint", folder + "train.jsonl", folder + "valid.jsonl",
              folder + "composure/train.jsonl", folder + "composure/valid.jsonl"});
  EXPECT_EQ(run.exit_code, 0) << run.out;
  EXPECT_NE(run.out.find("0 errors, 0 warnings"), std::string::npos);
}

TEST(DataCommand, LintNamesFileLineRuleAndSpan) {
  const testing::ScratchFolder scratch;
  const std::string file =
      scratch.Write("t.jsonl", Row("When?", kGood) + Row("Why?", "Certainly! It rains, so the"));
  const ProgramOutput run = RunLem({"data", "lint", file, "--min-words", "2"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.out.find("t.jsonl:2: error [truncated]: the answer ends in the middle"),
            std::string::npos);
  EXPECT_NE(run.out.find("t.jsonl:2: error [preamble]: the answer opens with the stock phrase "
                         "\"certainly\"\n    > Certainly\n"),
            std::string::npos)
      << run.out;
  const Json report =
      Json::Parse(RunLem({"data", "lint", file, "--min-words", "2", "--json"}).out, "");
  EXPECT_EQ(report.Find("errors")->integer(), 2);
  EXPECT_EQ(report.Find("findings")->array()[0].Find("line")->integer(), 2);
}

TEST(DataCommand, LintWithWarningsOnlyIsCodeZero) {
  const testing::ScratchFolder scratch;
  const std::string file =
      scratch.Write("t.jsonl", Row("When is it done?", std::string("I can't help. ") + kGood));
  const ProgramOutput run = RunLem({"data", "lint", file});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_NE(run.out.find("warning [refusal]"), std::string::npos);
}

TEST(DataCommand, OverlapIsCodeOneWithTheSpan) {
  const testing::ScratchFolder scratch;
  const std::string train = scratch.Write("t.jsonl", Row("When?", kGood));
  const std::string test = scratch.Write(
      "e.csv", "id,question\n1,\"The crust tells you more than the clock does, does it?\"\n");
  const ProgramOutput run = RunLem({"data", "overlap", train, "--against", test});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.out.find("9 words\n    > The crust tells you more than the clock does"),
            std::string::npos)
      << run.out;
  EXPECT_EQ(RunLem({"data", "overlap", train, "--against", test, "--ngram", "12"}).exit_code, 0);
}

TEST(DataCommand, OverlapFindsWhatShipsByItself) {
  const testing::ScratchFolder scratch;
  const std::string train = scratch.Write("t.jsonl", Row("When?", kGood));
  const ProgramOutput run =
      RunLem({"data", "overlap", train, "--json"}, {"LEM_DATA=" + (scratch / "none").string()});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const std::string files = Json::Parse(run.out, "").Find("files")->Dump();
  EXPECT_NE(files.find("seeds/P001-P020-sovereignty.json"), std::string::npos);
  EXPECT_NE(files.find("benchmarks/arithmetic/items.jsonl"), std::string::npos);
}

TEST(DataCommand, SplitWritesBothSides) {
  const testing::ScratchFolder scratch;
  std::string rows;
  for (int i = 0; i < 10; ++i) {
    rows += Row("question " + std::to_string(i), "answer number " + std::to_string(i * 7919));
  }
  const std::string file = scratch.Write("all.jsonl", rows);
  const std::string to = (scratch / "out").string();
  const ProgramOutput run =
      RunLem({"data", "split", file, "--valid", "3", "--to", to, "--near", "0.9", "--json"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(Json::Parse(run.out, "").Find("valid_rows")->integer(), 3);
  EXPECT_EQ(ReadTextFile(to + "/train.jsonl").size() + ReadTextFile(to + "/valid.jsonl").size(),
            rows.size());
  EXPECT_EQ(RunLem({"data", "split", file, "--valid", "3", "--to", to}).exit_code, 1);
  EXPECT_EQ(RunLem({"data", "split", file, "--valid", "3", "--ratio", "0.1"}).exit_code, 2);
}

TEST(DataCommand, FetchListsAndCopies) {
  const testing::ScratchFolder scratch;
  const std::string to = (scratch / "data").string();
  EXPECT_NE(RunLem({"data", "fetch", "--list", "--to", to}).out.find("gsm8k/test.jsonl"),
            std::string::npos);
  EXPECT_EQ(RunLem({"data", "fetch"}).exit_code, 2);
  EXPECT_EQ(RunLem({"data", "fetch", "gsm9k"}).exit_code, 2);
  std::filesystem::create_directories(scratch / "from/gsm8k");
  scratch.Write("from/gsm8k/test.jsonl", "{}\n");
  const ProgramOutput wrong = RunLem(
      {"data", "fetch", "gsm8k/test.jsonl", "--from", (scratch / "from").string(), "--to", to});
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_NE(wrong.err.find("expected SHA-256 3730d312"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(scratch / "data/gsm8k/test.jsonl"));
}

TEST(DataCommand, FetchTakesTheRealFiles) {
  const auto datasets = testing::FindSharedData("datasets");
  if (datasets.empty()) GTEST_SKIP() << "set LEM_TEST_DATA to the folder that holds datasets/";
  const testing::ScratchFolder scratch;
  const std::string to = (scratch / "data").string();
  const ProgramOutput run =
      RunLem({"data", "fetch", "toxigen", "--from", datasets.string(), "--to", to});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_TRUE(std::filesystem::exists(scratch / "data/toxigen/annotated_train.csv"));
}

TEST(DataCommand, MisuseIsCodeTwo) {
  EXPECT_EQ(RunLem({"data"}).exit_code, 2);
  EXPECT_EQ(RunLem({"data", "lint"}).exit_code, 2);
  EXPECT_EQ(RunLem({"data", "lint", "x", "--near", "1.5"}).exit_code, 2);
  EXPECT_EQ(RunLem({"data", "lint", "x", "--max-tokens", "5"}).exit_code, 2);
  EXPECT_EQ(RunLem({"data", "lint", "/nowhere"}).exit_code, 1);
}

}  // namespace
}  // namespace lem
