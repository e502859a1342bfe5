// SPDX-License-Identifier: EUPL-1.2
// Exported logs have lm-eval's layout, and come back as the same answers.
#include "pipelines/export/export.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "base/atomic_file.h"
#include "formats/json.h"
#include "pipelines/import/import.h"
#include "pipelines/run_folder.h"
#include "pipelines/score/score.h"
#include "tests/support/error_text.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/silent_progress.h"

namespace lem {
namespace {

constexpr char kAnswers[] =
    R"({"task":"gsm8k","item":"gsm8k-0","model":"a","question":"q","reference":"18","response":"#### 18"})"
    "\n"
    R"({"task":"gsm8k","item":"gsm8k-1","model":"a","question":"q","reference":"7","response":"so 8"})"
    "\n"
    R"({"task":"truthfulqa-mc-v1","item":"tqa-0","model":"a","question":"q","choices":[)"
    R"({"set":"mc1","text":"r","right":true,"log_prob":-1.5},)"
    R"({"set":"mc1","text":"w","right":false,"log_prob":-2},)"
    R"({"set":"mc2","text":"r","right":true,"log_prob":-1.5},)"
    R"({"set":"mc2","text":"w","right":false,"log_prob":-2}]})"
    "\n";

class Exporting : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("LEM_SHARE", LEM_SOURCE_DIR, 1);
    ImportRun({"answers", folder_.Write("a.jsonl", kAnswers), Path("run")}, progress_);
    RunFolder run(Path("run"), RunFolder::Access::kWrite, progress_);
    ScoreRun(run, {}, progress_);
  }
  std::string Path(const char* name) { return (folder_ / name).string(); }

  testing::ScratchFolder folder_;
  testing::SilentProgress progress_;
};

std::string FileOf(const ExportResult& result, const std::string& part) {
  for (const std::string& file : result.files) {
    if (file.find(part) != std::string::npos) return file;
  }
  return "";
}

TEST_F(Exporting, HasLmEvalsRowsAndResults) {
  const ExportResult result = ExportRun({Path("run"), Path("out"), {}}, progress_);
  EXPECT_EQ(result.files.size(), 4u);
  const auto rows = ReadJsonLines(FileOf(result, "samples_gsm8k"));
  ASSERT_EQ(rows.size(), 4u);  // two documents, two filters
  const Json& row = rows[0].value;
  for (const char* key :
       {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics",
        "doc_hash", "prompt_hash", "target_hash", "exact_match"}) {
    EXPECT_TRUE(row.Has(key)) << key;
  }
  EXPECT_EQ(*row.Find("filter"), Json("strict-match"));
  EXPECT_EQ(*row.Find("exact_match"), Json(1.0));
  EXPECT_EQ(*rows[2].value.Find("filtered_resps"), Json(Json::Array{Json("[invalid]")}));
  const Json results = Json::ParseFile(FileOf(result, "results_"));
  const Json& gsm8k = *results.Find("results")->Find("gsm8k");
  EXPECT_EQ(*gsm8k.Find("exact_match,strict-match"), Json(0.5));
  EXPECT_EQ(*gsm8k.Find("exact_match_stderr,strict-match"), Json(0.5));
  const auto mc2 = ReadJsonLines(FileOf(result, "samples_truthfulqa_mc2"));
  EXPECT_NEAR(mc2[0].value.Find("acc")->number(), 0.6224593312018546, 1e-12);
}

TEST_F(Exporting, ComesBackAsTheSameAnswers) {
  ExportRun({Path("run"), Path("out"), {}}, progress_);
  ImportRun({"lm-eval", Path("out"), Path("again")}, progress_);
  const RunFolder before(Path("run"), RunFolder::Access::kRead, progress_);
  const RunFolder after(Path("again"), RunFolder::Access::kRead, progress_);
  for (const char* task : {"gsm8k", "truthfulqa-mc-v1"}) {
    const auto a = before.samples("a", task), b = after.samples("a", task);
    ASSERT_EQ(a.size(), b.size()) << task;
    for (size_t i = 0; i < a.size(); ++i) {
      EXPECT_EQ(a[i]->item, b[i]->item);
      EXPECT_EQ(a[i]->response, b[i]->response);
      ASSERT_EQ(a[i]->choices.size(), b[i]->choices.size());
      for (size_t c = 0; c < a[i]->choices.size(); ++c) {
        EXPECT_EQ(a[i]->choices[c].log_prob, b[i]->choices[c].log_prob);
        EXPECT_EQ(a[i]->choices[c].right, b[i]->choices[c].right);
        EXPECT_EQ(a[i]->choices[c].text, b[i]->choices[c].text);
      }
    }
  }
  EXPECT_TRUE(progress_.warnings.empty());  // our verdicts are lm-eval's
}

TEST_F(Exporting, TheSameRunGivesTheSameBytes) {
  const ExportResult a = ExportRun({Path("run"), Path("out"), {}}, progress_);
  const ExportResult b = ExportRun({Path("run"), Path("out2"), {}}, progress_);
  for (size_t i = 0; i < a.files.size(); ++i) {
    EXPECT_EQ(ReadTextFile(a.files[i]), ReadTextFile(b.files[i]));
  }
}

TEST_F(Exporting, AnUnknownModelIsRefused) {
  EXPECT_NE(testing::ErrorText([&] {
              ExportRun({Path("run"), Path("out"), {"zzz"}}, progress_);
            }).find("no model zzz"),
            std::string::npos);
}

}  // namespace
}  // namespace lem
