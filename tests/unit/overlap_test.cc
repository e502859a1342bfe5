// SPDX-License-Identifier: EUPL-1.2
// Common runs are found in every format, with the words and both places; the project's training
// data shares none with what it is measured on.
#include "pipelines/data/overlap.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/support/error_text.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/shared_data.h"

namespace lem {
namespace {

struct Silent final : Progress {
  void Begin(std::string_view, int64_t, std::string_view) override {}
  void Update(int64_t) override {}
  void End() override {}
  void Note(std::string_view) override {}
  void Warn(std::string_view) override {}
};

OverlapReport Compare(const OverlapOptions& options) {
  Silent silent;
  return FindOverlap(options, silent);
}

constexpr char kTrain[] =
    "{\"messages\":[{\"role\":\"user\",\"content\":\"Hello there.\"},{\"role\":\"assistant\","
    "\"content\":\"Well: the Old ferry \\u2014 leaves at nine from the northern pier, "
    "mostly.\"}]}\n";

TEST(Overlap, FindsARunInJsonlJsonAndCsvWhateverItsCaseAndPunctuation) {
  const testing::ScratchFolder scratch;
  const std::string train = scratch.Write("train.jsonl", kTrain);
  const std::string text = "so the old ferry leaves, at NINE from the northern pier today";
  const std::vector<std::string> files = {
      scratch.Write("a.jsonl", "{\"q\":\"none\"}\n{\"deep\":{\"list\":[\"" + text + "\"]}}\n"),
      scratch.Write("b.json", "[{\"id\":\"X7\",\"prompt\":\"" + text + "\"}]"),
      scratch.Write("c.csv", "id,question\n1,\"two\nlines\"\n2,\"" + text + "\"\n"),
      scratch.Write("d.json", "{\"prompts\":[{\"id\":\"P1\",\"choices\":{\"" + text + "\":1}}]}")};
  const OverlapReport report = Compare({train, files, 8});
  ASSERT_EQ(report.spans.size(), 4);
  for (const OverlapSpan& span : report.spans) {
    EXPECT_EQ(span.train_at, train + ":1");
    EXPECT_EQ(span.text, "the Old ferry \xE2\x80\x94 leaves at nine from the northern pier");
    EXPECT_EQ(span.words, 10);
  }
  EXPECT_EQ(report.spans[0].against_at, files[0] + ":2");
  EXPECT_EQ(report.spans[1].against_at, files[1] + ":X7");
  EXPECT_EQ(report.spans[2].against_at, files[2] + ":4");
  EXPECT_EQ(report.spans[3].against_at, files[3] + ":P1");
  EXPECT_EQ(report.train_rows, 1);
}

TEST(Overlap, ShorterRunsDoNotCount) {
  const testing::ScratchFolder scratch;
  const std::string train = scratch.Write("train.jsonl", kTrain);
  const std::string test =
      scratch.Write("t.jsonl", "{\"q\":\"old ferry leaves at nine from the\"}\n");
  EXPECT_TRUE(Compare({train, {test}, 8}).spans.empty());
  EXPECT_EQ(Compare({train, {test}, 7}).spans.size(), 1);
}

TEST(Overlap, EscapesOfPythonBytesSeparateWords) {
  const testing::ScratchFolder scratch;
  const std::string train = scratch.Write("train.jsonl", kTrain);
  const std::string test = scratch.Write(
      "t.csv", "text\r\nb'the old ferry\\nleaves at nine from the northern pier'\r\n");
  EXPECT_EQ(Compare({train, {test}, 8}).spans.size(), 1);
}

TEST(Overlap, SaysWhatItCannotRead) {
  const testing::ScratchFolder scratch;
  const std::string train = scratch.Write("train.jsonl", kTrain);
  EXPECT_EQ(testing::ErrorText([&] {
              Compare({train, {"/nowhere"}, 8});
            }),
            "/nowhere: no such file or folder");
  EXPECT_NE(testing::ErrorText([&] {
              Compare({train, {train}, 2});
            }).find("--ngram"),
            std::string::npos);
  const std::string other = scratch.Write("t.parquet", "x");
  EXPECT_NE(testing::ErrorText([&] {
              Compare({train, {other}, 8});
            }).find("expected a .jsonl"),
            std::string::npos);
}

void ExpectClean(const std::vector<std::string>& against) {
  const std::string folder = std::string(LEM_SOURCE_DIR) + "/training/";
  for (const char* file :
       {"train.jsonl", "valid.jsonl", "composure/train.jsonl", "composure/valid.jsonl"}) {
    for (const OverlapSpan& span : Compare({folder + file, against, 8}).spans) {
      ADD_FAILURE() << span.train_at << " and " << span.against_at << ": " << span.text;
    }
  }
}

TEST(Overlap, TrainingSharesNothingWithSeedsAndBenchmarks) {
  const std::string root = LEM_SOURCE_DIR;
  ExpectClean({root + "/seeds", root + "/benchmarks/arithmetic",
               root + "/benchmarks/misconceptions", root + "/benchmarks/safety",
               root + "/benchmarks/kindness"});
}

TEST(Overlap, TrainingSharesNothingWithOtherPeoplesBenchmarks) {
  const auto datasets = testing::FindSharedData("datasets");
  if (datasets.empty()) GTEST_SKIP() << "set LEM_TEST_DATA to the folder that holds datasets/";
  ExpectClean({datasets.string()});
}

}  // namespace
}  // namespace lem
