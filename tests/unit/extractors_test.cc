// SPDX-License-Identifier: EUPL-1.2
// The four readings of a number, on the strings that tell them apart, and on recorded answers.
#include "pipelines/score/extractors.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "formats/json.h"
#include "pipelines/score/number_text.h"
#include "pipelines/score/python_text.h"
#include "tests/support/shared_data.h"

namespace lem {
namespace {

namespace fs = std::filesystem;

struct Case {
  const char* answer;
  const char* gold;
  bool strict, flexible, lem, final;
};

// evaluation.md, section 3: gold 18 unless the text says otherwise.
constexpr Case kHard[] = {
    {"#### 18", "18", true, true, true, true},
    {"#### $18", "18", false, true, false, true},
    {"#### **18**", "18", false, true, false, true},
    {"So she makes $18 every day.", "18", false, true, false, true},
    {"The answer is **18**.", "18", false, true, false, true},
    {"\\boxed{18}", "18", false, true, false, true},
    {"18 dollars, thanks for asking!", "18", false, true, true, true},
    {"The answer is 18... hope that helps...", "18", false, false, true, true},
    {"Final answer: $18.00", "18", false, false, false, true},
    {"She earns 18. (That is 9 * 2.)", "18", false, false, false, false},
    {"#### 18 dollars per day, or 126 per week", "18", true, false, true, true},
    {"\u221218", "-18", false, false, false, true},
    {"18/1", "18", false, false, true, true},
    {"...is 18\n\nQuestion: Tom has 5 apples", "18", false, false, false, true},
    {"#### 1,800", "1800", true, true, true, true},
    {"#### 1,800", "1,800", true, true, true, true},
    {"", "18", false, false, false, false}};

TEST(Extractors, AgreeWithTheTableOfHardStrings) {
  for (const Case& c : kHard) {
    EXPECT_EQ(ExtractStrict(c.answer, c.gold).correct, c.strict) << c.answer;
    EXPECT_EQ(ExtractFlexible(c.answer, c.gold).correct, c.flexible) << c.answer;
    EXPECT_EQ(ExtractLem(c.answer, c.gold).correct, c.lem) << c.answer;
    EXPECT_EQ(ExtractFinal(c.answer, c.gold).correct, c.final) << c.answer;
  }
}

// Extracted text; "(none)" when there is none.
std::string Lem(const char* answer) {
  const Extraction e = ExtractLem(answer, "0");
  return e.found ? e.text : "(none)";
}

TEST(ExtractLem, KeepsTheOriginalsEdges) {
  EXPECT_EQ(Lem("#### 50."), "50.");
  EXPECT_TRUE(ExtractLem("#### 50.", "50").correct);
  EXPECT_EQ(Lem("####."), ".");
  EXPECT_EQ(Lem("#### ,"), "");
  EXPECT_EQ(Lem("#### 1.2.3"), "1.2.3");
  EXPECT_TRUE(ExtractLem("#### 1.2.3", "1.2.3").correct);
  EXPECT_EQ(Lem("so 12 , then"), "");
  EXPECT_EQ(Lem("$70"), "(none)");
  EXPECT_EQ(Lem("#### $50"), "(none)");
  EXPECT_EQ(Lem("**29**"), "(none)");
  EXPECT_EQ(Lem("\\boxed{160}"), "(none)");
  EXPECT_EQ(Lem("= .5"), "(none)");
  EXPECT_EQ(Lem("#### 5 wait #### 6"), "5");
  EXPECT_EQ(Lem("####\n72"), "72");
  EXPECT_EQ(Lem("ERROR: 5"), "(none)");
  EXPECT_TRUE(ExtractLem("= \u0661\u0668", "18").correct);  // \d takes digits of any script
  EXPECT_TRUE(ExtractLem("x 17.995", "18").correct);        // within 0.01
  EXPECT_TRUE(ExtractLem("so 12 , then", "").correct);      // its bug with a missing question
}

struct FinalCase {
  const char* answer;
  const char* text;
  const char* rule;
};

TEST(ExtractFinal, TakesTheLastHitOfTheFirstRule) {
  constexpr FinalCase kCases[] = {
      {"#### 5 wait #### 6", "6", "marker"},
      {"#### \n**$1,234.50**", "1234.50", "marker"},
      {"#### 9 * 2 = 18", "18", "marker"},
      {"#### 2: count the eggs\nThere are 7.", "7", "last"},
      {"#### 1. Count the eggs\nThere are 7.", "7", "last"},
      {"Final Answer: The final answer is ####. It was 7.", "7", "last"},
      {"so $\\boxed{x = \\frac{9}{20}}$ or 3", "9/20", "boxed"},
      {"The answer is 3. No: the final answer is: **$18**, not 5", "18", "stated"},
      {"**Final Answer:** 18 eggs in 3 boxes", "18", "stated"},
      {"The answer is 9 * 2 = 18. I used 4 steps", "18", "stated"},
      {"It is **18** eggs, as 9 and 2 say", "18", "bold"},
      {"**Step 1: add** 4\n**9 + 2 = 11 eggs** (2 left)", "11", "bold"},
      {"He has 2 1/2 pies", "5/2", "last"},
      {"The range was 10-12", "12", "last"},
      {"It fell to -7 degrees", "-7", "last"},
      {"It is 5 - 3", "3", "last"},
      {"1,450,000 people in 3 towns: 1,450,001", "1450001", "last"},
      {"Take 12.\n\n2. Then stop", "12", "last"},
      {"<think>maybe 5</think>It is 6", "6", "last"},
      {"It is 6<think>or 7", "6", "last"},
      {"\uFF11\uFF18 \u20AC", "18", "last"},
      {"1\u200B8", "18", "last"},
      {"model A4 has 3x of b2", "3", "last"},
      {"12 is it\nQ: what are 3 and 4?", "12", "last"}};
  for (const FinalCase& c : kCases) {
    const Extraction e = ExtractFinal(c.answer, "0");
    EXPECT_EQ(e.text, c.text) << c.answer;
    EXPECT_EQ(e.rule, c.rule) << c.answer;
  }
  EXPECT_FALSE(ExtractFinal("<think>it is 5", "5").found);
  EXPECT_FALSE(ExtractFinal("no number", "5").found);
}

TEST(ExtractFinal, SpansPointIntoTheAnswer) {
  const std::string answer = "caf\u00e9 \u2212\uFF11\uFF18 ok";
  const Extraction e = ExtractFinal(answer, "-18");
  EXPECT_TRUE(e.correct);
  EXPECT_EQ(answer.substr(e.span.begin, e.span.end - e.span.begin), "\u2212\uFF11\uFF18");
  EXPECT_EQ(NumbersIn("3 of 4 are 75%", 9).size(), 3u);
  EXPECT_EQ(NumbersIn("3 of 4 are 75%", 2).size(), 2u);
}

TEST(Numbers, AreComparedExactly) {
  EXPECT_TRUE(SameNumber("18.00", "18"));
  EXPECT_TRUE(SameNumber("0.45", "9/20"));
  EXPECT_TRUE(SameNumber("36/2", "18"));
  EXPECT_TRUE(SameNumber("-0.50", "-1/2"));
  EXPECT_TRUE(SameNumber("007", "7"));
  EXPECT_FALSE(SameNumber("276004", "276000"));
  EXPECT_FALSE(SameNumber("0.333", "1/3"));
  EXPECT_TRUE(SameNumber("123456789012345678901234567890", "123456789012345678901234567890.0"));
  EXPECT_FALSE(SameNumber("123456789012345678901234567890", "123456789012345678901234567891"));
  EXPECT_EQ(WholeNumber("$1,800"), "1800");
  EXPECT_EQ(WholeNumber("\\frac{9}{20}"), "9/20");
  EXPECT_EQ(WholeNumber("many"), std::nullopt);
  EXPECT_EQ(WholeNumber("1/0"), std::nullopt);
}

TEST(Extractors, AreLinearOnHostileText) {
  constexpr size_t kSize = 400000;
  for (const char* piece : {"####", "\\boxed{", "**", "answer is ", "1 1/", "9,", "- ", "=",
                            "#### 1", "1.", "answer", "\\frac{1", "$", "(", " "}) {
    std::string text;
    while (text.size() < kSize) text += piece;
    ExtractLem(text, "1");
    ExtractStrict(text, "1");
    ExtractFlexible(text, "1");
    ExtractFinal(text, "1");
  }
}

TEST(PythonFloats, AreReadAsPythonDoes) {
  EXPECT_EQ(PythonFloat(" 1_000.5e1 "), 10005.0);
  EXPECT_EQ(PythonFloat("50."), 50.0);
  EXPECT_EQ(PythonFloat(".5"), 0.5);
  EXPECT_TRUE(PythonFloat("inf").has_value());
  for (const char* bad : {"", ".", "-", "1.2.3", "0x10", "1__0", "_1", "1e", "--1", "1 2"}) {
    EXPECT_FALSE(PythonFloat(bad).has_value()) << bad;
  }
}

TEST(RecordedAnswers, GiveTheOriginalsStoredResultInEveryRow) {
  const fs::path folder = testing::FindSharedData("upstream/benchmarks");
  if (folder.empty()) GTEST_SKIP() << "the original's records are not there (LEM_TEST_DATA)";
  std::map<std::string, std::string> gold;
  for (const JsonLine& line : ReadJsonLines((folder / "gsm8k.jsonl").string())) {
    gold[line.value.Find("id")->string()] = line.value.Find("correct_answer")->string();
  }
  const Json stored = Json::ParseFile((folder / "standard_scores.json").string());
  const std::map<std::string, int> right = {{"base_pt", 1},
                                            {"instruction_tuned", 17},
                                            {"abliterated", 14},
                                            {"lem_ethics", 13},
                                            {"lem_ethics_allen", 14}};
  // Ours, where the original's extractor missed \boxed{160}, **$694** and the like.
  const std::map<std::string, int> right_final = {{"base_pt", 1},
                                                  {"instruction_tuned", 19},
                                                  {"abliterated", 18},
                                                  {"lem_ethics", 18},
                                                  {"lem_ethics_allen", 17}};
  for (const auto& [model, count] : right) {
    const Json& rows = stored.Find("scores")->At("gsm8k", "").At(model, "");
    int correct = 0, correct_final = 0;
    for (const JsonLine& line :
         ReadJsonLines((folder / "results" / ("gsm8k_" + model + ".jsonl")).string())) {
      const std::string& id = line.value.Find("id")->string();
      const std::string& answer = line.value.Find("response")->string();
      const Extraction e = ExtractLem(answer, gold[id]);
      const Json& row = rows.At(id, "");
      EXPECT_EQ(e.found ? Json(e.text) : Json(), row.At("extracted", "")) << model << " " << id;
      EXPECT_EQ(e.correct, row.At("correct", "").boolean()) << model << " " << id;
      correct += e.correct;
      correct_final += ExtractFinal(answer, gold[id]).correct;
    }
    EXPECT_EQ(correct, count) << model;
    EXPECT_EQ(correct_final, right_final.at(model)) << model;
  }
  const Json scale = Json::ParseFile((folder / "scale_scores.json").string());
  int rows = 0;
  for (const auto& [model, items] : scale.Find("scores")->At("gsm8k", "").object()) {
    for (const auto& [id, row] : items.object()) {
      const Json& extracted = row.At("extracted", "");
      const std::string text = extracted.IsNull() ? "" : "#### " + extracted.string();
      EXPECT_EQ(ExtractLem(text, row.At("expected", "").string()).correct,
                row.At("correct", "").boolean())
          << model << " " << id;
      ++rows;
    }
  }
  EXPECT_EQ(rows, 400);
}

TEST(RecordedAnswers, GiveTheKnownCountsOfFourOldSystems) {
  const fs::path path = testing::FindSharedData("datasets/gsm8k/example_model_solutions.jsonl");
  if (path.empty()) GTEST_SKIP() << "GSM8K is not there (LEM_TEST_DATA)";
  const std::map<std::string, int> right = {{"6b_finetuning", 286},
                                            {"6b_verification", 515},
                                            {"175b_finetuning", 458},
                                            {"175b_verification", 742}};
  std::map<std::string, int> flexible, strict;
  int final_differs = 0;
  for (const JsonLine& line : ReadJsonLines(path.string())) {
    const std::string& truth = line.value.Find("ground_truth")->string();
    const std::string gold = truth.substr(truth.rfind("A: ") + 3);
    for (const auto& [name, count] : right) {
      const Json& system = *line.value.Find(name);
      const std::string& answer = system.Find("solution")->string();
      const bool is_correct = system.Find("is_correct")->boolean();
      EXPECT_EQ(ExtractFlexible(answer, gold).correct, is_correct);
      flexible[name] += ExtractFlexible(answer, gold).correct;
      strict[name] += ExtractStrict(answer, gold).correct;  // none of them writes ####
      final_differs += ExtractFinal(answer, gold).correct != is_correct;
    }
  }
  for (const auto& [name, count] : right) {
    EXPECT_EQ(flexible[name], count);
    EXPECT_EQ(strict[name], 0);
  }
  EXPECT_LE(final_differs, 10);
}

}  // namespace
}  // namespace lem
