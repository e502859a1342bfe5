// SPDX-License-Identifier: EUPL-1.2
// Task files: what ships can be read, and what is malformed is refused by name.
#include "pipelines/task.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "base/error.h"
#include "formats/yaml.h"
#include "pipelines/task_rows.h"
#include "tests/support/error_text.h"
#include "tests/support/shared_data.h"

namespace lem {
namespace {

namespace fs = std::filesystem;

class TaskFiles : public ::testing::Test {
 protected:
  void SetUp() override { setenv("LEM_SHARE", LEM_SOURCE_DIR, 1); }
};

TEST_F(TaskFiles, AllThatShipParse) {
  const auto names = TaskNames();
  EXPECT_GE(names.size(), 13u);
  for (const std::string& name : names) {
    const Task task = FindTask(name);
    EXPECT_EQ(task.name, name);
    EXPECT_FALSE(task.metrics.empty()) << name;
    EXPECT_EQ(task.hash().size(), 64u);
  }
}

TEST_F(TaskFiles, TheSmallSuiteLoads) {
  const std::map<std::string, size_t> sizes = {{"arithmetic", 60}, {"misconceptions", 60},
                                               {"safety", 60},     {"safety-twins", 60},
                                               {"kindness", 60},   {"ethics", 100}};
  for (const SuiteEntry& entry : SuiteByName("small")) {
    const auto items = FindTask(entry.task).LoadItems();
    EXPECT_EQ(items.size(), sizes.at(entry.task)) << entry.task;
  }
}

TEST_F(TaskFiles, ItemsHavePromptsReferencesAndFields) {
  const Task arithmetic = FindTask("arithmetic");
  const TaskItem item = arithmetic.LoadItems()[0];
  EXPECT_EQ(item.id, "A01");
  EXPECT_EQ(item.reference, Json("241.2"));
  EXPECT_TRUE(item.prompt.starts_with("Question: Ines bakes"));
  EXPECT_TRUE(item.prompt.ends_with("\nAnswer:"));
  EXPECT_TRUE(arithmetic.prefix.starts_with("Question: A tram in Gothenburg"));
  EXPECT_TRUE(arithmetic.prefix.ends_with("\n\n"));
  const TaskItem ethics = FindTask("ethics").LoadItems()[20];
  EXPECT_EQ(ethics.id, "P21");
  EXPECT_EQ(*ethics.fields.Find("axiom"), Json("privacy"));
  EXPECT_TRUE(ethics.reference.Has("must"));
}

TEST_F(TaskFiles, ChoicesKnowWhichIsRight) {
  const TaskItem item = FindTask("misconceptions").LoadItems()[0];
  ASSERT_EQ(item.sets.size(), 5u);
  EXPECT_EQ(item.sets[0].name, "mc1");
  EXPECT_EQ(item.sets[0].choices.size(), 4u);
  EXPECT_EQ(item.sets[1].choices.size(), 6u);
  EXPECT_TRUE(item.sets[1].choices[2].right);
  EXPECT_FALSE(item.sets[1].choices[3].right);
  EXPECT_NE(item.sets[3].prompt, item.sets[4].prompt);  // the two orders
  EXPECT_TRUE(item.sets[3].choices[0].right);
  EXPECT_FALSE(item.sets[4].choices[0].right);
}

TEST_F(TaskFiles, TheHashIgnoresWhatCannotChangeAnAnswer) {
  Json definition = ReadYamlFile((ProgramFolder() / "benchmarks/tasks/arithmetic.yaml").string());
  const std::string before = ParseTask(definition, "t").hash();
  definition.Set("about", Json("other words"));
  definition.Set("metrics", Json(Json::Array{Json("gsm8k.lem")}));
  definition.Set("primary", Json("gsm8k.lem"));
  EXPECT_EQ(ParseTask(definition, "t").hash(), before);
  definition.Set("prompt", Json("{{question}}"));
  EXPECT_NE(ParseTask(definition, "t").hash(), before);
}

TEST_F(TaskFiles, ContentOfAnItemChangesItsHash) {
  const auto items = FindTask("arithmetic").LoadItems();
  std::set<std::string> hashes;
  for (const TaskItem& item : items) hashes.insert(item.content);
  EXPECT_EQ(hashes.size(), items.size());
}

TEST_F(TaskFiles, WhatIsMalformedIsRefusedByName) {
  const auto parse = [](const std::string& extra) {
    return testing::ErrorText([&] {
      ParseTask(ParseYaml("name: t\nversion: 1\nprompt: x\ndata: [{path: a.jsonl}]\n" + extra, "t"),
                "t.yaml");
    });
  };
  EXPECT_EQ(parse(""), "no error");
  EXPECT_NE(parse("promt: y\n").find("unknown key promt"), std::string::npos);
  EXPECT_NE(parse("kind: other\n").find("expected kind"), std::string::npos);
  EXPECT_NE(parse("metrics: [gsm8k.lam]\n").find("unknown metric gsm8k.lam"), std::string::npos);
  EXPECT_NE(parse("primary: lek.v1\n").find("primary"), std::string::npos);
  EXPECT_NE(parse("sampling: {max_tokens: 0}\n").find("max_tokens"), std::string::npos);
  EXPECT_NE(testing::ErrorText([] {
              ParseTask(ParseYaml("name: t\nversion: 1\nprompt: x\ndata: [{path: ../a}]\n", "t"),
                        "t");
            }).find("below the data folder"),
            std::string::npos);
  EXPECT_NE(testing::ErrorText([] { FindTask("gsm8"); }).find("gsm8k"), std::string::npos);
}

TEST_F(TaskFiles, AbsentAndChangedDataAreSaid) {
  const fs::path folder = fs::path(::testing::TempDir()) / "task_data";
  fs::create_directories(folder / "gsm8k");
  setenv("LEM_DATA", folder.c_str(), 1);
  fs::remove(folder / "gsm8k" / "test.jsonl");
  EXPECT_NE(testing::ErrorText([] { FindTask("gsm8k").LoadItems(); }).find("lem data fetch"),
            std::string::npos);
  std::ofstream(folder / "gsm8k" / "test.jsonl") << "{}\n";
  EXPECT_NE(
      testing::ErrorText([] { FindTask("gsm8k").LoadItems(); }).find("expected SHA-256 3730d312"),
      std::string::npos);
  unsetenv("LEM_DATA");
}

TEST_F(TaskFiles, ADerivedLabelDecidesWhichChoiceIsRight) {
  const fs::path folder = fs::path(::testing::TempDir()) / "task_labels";
  fs::create_directories(folder);
  std::ofstream(folder / "x.csv") << "text,a,b,list\nb'it\\'s',3,2.5,p; ;q\nplain,3,2.6,p\n";
  setenv("LEM_DATA", folder.c_str(), 1);
  const Task task = ParseTask(ParseYaml(R"(
name: labels
version: 1
kind: choices
data: [{path: x.csv, rows: 2}]
format: csv
id: {prefix: x-, start: 7}
derive:
  text: {from: text, decode: python-bytes}
  bad: {sum: [a, b], above: 5.5}
  parts: {from: list, split: ";"}
question: "{{text}}"
sets:
  - name: yes-no
    prompt: "Bad? {{text}}"
    choices: [{text: "No", right: "!bad"}, {text: "Yes", right: bad}]
reference: {bad: bad, parts: parts}
)",
                                        "t"),
                              "t");
  const auto items = task.LoadItems();
  unsetenv("LEM_DATA");
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[0].id, "x-7");
  EXPECT_EQ(items[0].sets[0].prompt, "Bad? it's");
  EXPECT_TRUE(items[0].sets[0].choices[0].right);  // 5.5 is not above 5.5
  EXPECT_FALSE(items[0].sets[0].choices[1].right);
  EXPECT_FALSE(items[1].sets[0].choices[0].right);
  EXPECT_TRUE(items[1].sets[0].choices[1].right);
  EXPECT_EQ(items[0].reference.Find("parts")->size(), 2u);  // the empty part means nothing
}

TEST_F(TaskFiles, SubsetsAreStableAndMarked) {
  const auto items = FindTask("ethics").LoadItems();
  const ItemSelection all = FirstItems(items, 0);
  EXPECT_EQ(all.items.size(), 100u);
  EXPECT_EQ(all.subset, "");
  const ItemSelection first = FirstItems(items, 5);
  EXPECT_EQ(first.items.back().id, "P05");
  EXPECT_EQ(first.subset, "first 5");
  const ItemSelection a = SampleItems(items, 30, 7), b = SampleItems(items, 30, 7);
  ASSERT_EQ(a.items.size(), 30u);
  std::set<std::string> ids;
  for (size_t i = 0; i < 30; ++i) {
    EXPECT_EQ(a.items[i].id, b.items[i].id);
    ids.insert(a.items[i].id);
  }
  EXPECT_EQ(ids.size(), 30u);
  EXPECT_EQ(ids.count(""), 0u);
  EXPECT_NE(a.subset.find("seed 7"), std::string::npos);
  EXPECT_EQ(SampleItems(items, 1000, 7).subset, "");
}

TEST_F(TaskFiles, PublicDataLoadsWithItsCounts) {
  const fs::path data = testing::FindSharedData("datasets");
  if (data.empty()) GTEST_SKIP() << "the public data sets are not there (LEM_TEST_DATA)";
  setenv("LEM_DATA", data.c_str(), 1);
  const std::map<std::string, size_t> sizes = {{"gsm8k", 1319},           {"truthfulqa-mc", 790},
                                               {"truthfulqa-mc-v1", 817}, {"truthfulqa-gen", 790},
                                               {"do-not-answer", 939},    {"toxigen", 8960}};
  for (const auto& [name, size] : sizes) {
    EXPECT_EQ(FindTask(name).LoadItems().size(), size) << name;
  }
  size_t hateful = 0;
  for (const TaskItem& item : FindTask("toxigen").LoadItems()) hateful += item.reference.boolean();
  EXPECT_NEAR(static_cast<double>(hateful) / 8960, 0.376, 0.0005);
  for (const TaskItem& item : FindTask("truthfulqa-mc").LoadItems()) {
    EXPECT_TRUE(item.sets[0].choices[0].right);  // MC1's right choice is first in the file
    EXPECT_EQ(item.sets[2].choices.size(), 2u);
  }
  unsetenv("LEM_DATA");
}

TEST(PythonBytes, AreDecoded) {
  EXPECT_EQ(DecodePythonBytes("b'it\\'s\\n\\\\x'", "t"), "it's\n\\x");
  EXPECT_EQ(DecodePythonBytes("b\"it's\"", "t"), "it's");
  EXPECT_EQ(DecodePythonBytes("b'\\xc3\\xa9'", "t"), "\xC3\xA9");
  EXPECT_EQ(DecodePythonBytes("plain", "t"), "plain");
}

TEST(Templates, FillAndRefuse) {
  const Json row = Json::Parse(R"({"a":"x","n":3,"l":[]})", "t");
  EXPECT_EQ(FillTemplate("{{a}}-{{ n }}", row, "t"), "x-3");
  EXPECT_NE(testing::ErrorText([&] { FillTemplate("{{b}}", row, "t"); }).find("value b"),
            std::string::npos);
  EXPECT_NE(testing::ErrorText([&] { FillTemplate("{{l}}", row, "t"); }).find("text or a number"),
            std::string::npos);
  EXPECT_NE(testing::ErrorText([&] { FillTemplate("{{a", row, "t"); }).find("}}"),
            std::string::npos);
}

}  // namespace
}  // namespace lem
