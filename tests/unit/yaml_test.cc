// SPDX-License-Identifier: EUPL-1.2
// Configuration files mean what they mean to PyYAML's SafeLoader with mlx-lm's rule for floating
// numbers.
#include "formats/yaml.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/error_text.h"
#include "tests/support/scratch_folder.h"

namespace lem {
namespace {

using testing::ErrorText;

std::string Parsed(std::string_view text) { return ParseYaml(text, "c.yaml").Dump(); }
std::string ParseError(std::string_view text) {
  return ErrorText([&] { ParseYaml(text, "c.yaml"); });
}

TEST(Yaml, ReadsAConfiguration) {
  EXPECT_EQ(Parsed("model: \"path/to\"  # comment\ntrain: true\nlora_parameters:\n  keys: [\"q\", "
                   "'k']\n  rank: 8\n"
                   "lr_schedule:\n  arguments: [1e-5, 1000, 1e-7]\n"),
            R"({"model":"path/to","train":true,"lora_parameters":{"keys":["q","k"],"rank":8},)"
            R"("lr_schedule":{"arguments":[1e-05,1000,1e-07]}})");
  EXPECT_EQ(Parsed(""), "null");
  EXPECT_EQ(Parsed("a: |\n  two\n  lines\nb: >\n  one\n  line\n"),
            R"({"a":"two\nlines\n","b":"one line\n"})");
}

TEST(Yaml, ResolvesWordsAsPyYamlDoes) {
  const std::pair<const char*, const char*> kWords[] = {
      {"true", "true"},
      {"True", "true"},
      {"TRUE", "true"},
      {"tRue", "\"tRue\""},
      {"yes", "true"},
      {"No", "false"},
      {"on", "true"},
      {"OFF", "false"},
      {"y", "\"y\""},
      {"null", "null"},
      {"~", "null"},
      {"Null", "null"},
      {"nUll", "\"nUll\""},
      {"12", "12"},
      {"-12", "-12"},
      {"+12", "12"},
      {"1_000", "1000"},
      {"010", "8"},
      {"0x1F", "31"},
      {"0b101", "5"},
      {"09", "\"09\""},
      {"0", "0"},
      {"1.5", "1.5"},
      {"1.", "1.0"},
      {".5", "0.5"},
      {"-1.5e3", "-1500.0"},
      {"1e-5", "1e-05"},
      {"1E5", "100000.0"},
      {"1e", "\"1e\""},
      {"e5", "\"e5\""},
      {"1.2.3", "\"1.2.3\""},
      {"-", "[null]"},
      {"1-2", "\"1-2\""},
      {".", "\".\""},
      {"_1", "\"_1\""},
      {"0-373", "\"0-373\""},
      {"0x-5", "\"0x-5\""},
      {"--1", "\"--1\""},
      {"2024-01-02", "\"2024-01-02\""},
      {"12:30:45", "\"12:30:45\""},
      {"9223372036854775808", "9223372036854775808.0"},
      {"1e999", "\"1e999\""},
      {"\"12\"", "\"12\""},
      {"'yes'", "\"yes\""},
      {"''", "\"\""},
      {"!!str 12", "\"12\""},
      {"!!float 12", "12.0"},
      {"!!int \"3\"", "3"},
  };
  for (const auto& [text, json] : kWords) {
    std::string expected = json;
    if (expected == "9223372036854775808.0") expected = "9.223372036854776e+18";
    EXPECT_EQ(Parsed(text), expected) << text;
  }
  EXPECT_EQ(ParseYaml(".inf", "c").number(), INFINITY);
  EXPECT_EQ(ParseYaml("-.inf", "c").number(), -INFINITY);
  EXPECT_TRUE(std::isnan(ParseYaml(".nan", "c").number()));
}

TEST(Yaml, CopiesAliasesAndMerges) {
  EXPECT_EQ(Parsed("a: &x [1, 2]\nb: *x\n"), R"({"a":[1,2],"b":[1,2]})");
  EXPECT_EQ(Parsed("base: &b {rank: 8, scale: 20}\nown:\n  <<: *b\n  rank: 4\n"),
            R"({"base":{"rank":8,"scale":20},"own":{"rank":4,"scale":20}})");
  EXPECT_EQ(Parsed("p: &p {a: 1}\nq: &q {a: 2, b: 3}\nr: {<<: [*p, *q]}\n"),
            R"({"p":{"a":1},"q":{"a":2,"b":3},"r":{"a":1,"b":3}})");
}

TEST(Yaml, SaysWhereTheTextIsWrong) {
  EXPECT_EQ(ParseError("a: 1\nb: [1, 2\n"),
            "c.yaml:3:1: not valid YAML: end of sequence flow not found");
  EXPECT_EQ(ParseError("a: 1\na: 2\n"), "c.yaml:2:1: the key a appears twice");
  EXPECT_EQ(ParseError("a: 1\n---\nb: 2\n"), "c.yaml:2:1: expected one document, found a second");
  EXPECT_EQ(ParseError("? [1]\n: 2\n"), "c.yaml:1:3: expected a key, found a list or a map");
  EXPECT_EQ(ParseError("a: !!python/object:os.system x\n").substr(0, 66),
            "c.yaml:1:4: the tag tag:yaml.org,2002:python/object:os.system does");
  EXPECT_EQ(ParseError("a: !!int x\n"),
            "c.yaml:1:4: the tag tag:yaml.org,2002:int does not fit \"x\" or is not supported");
  EXPECT_EQ(ParseError("a: {<<: 5}\n"), "c.yaml:1:4: << expects a map or a list of maps");
  EXPECT_EQ(ParseError("a: *none\n").substr(0, 29), "c.yaml:1:4: not valid YAML: t");
}

TEST(Yaml, RefusesCycles) {
  EXPECT_EQ(ParseError("a: &x [1, *x]\n"),
            "c.yaml:1:11: an alias stands inside the value it names");
  EXPECT_EQ(ParseError("&x {a: *x}\n"), "c.yaml:1:8: an alias stands inside the value it names");
}

TEST(Yaml, BoundsDepthSizeAndAliases) {
  EXPECT_EQ(ParseError(std::string(65, '[') + std::string(65, ']')),
            "c.yaml:1:65: nested more than 64 deep");
  EXPECT_NE(ParseError(std::string(100000, '[')), "no error");
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string n = std::to_string(i), previous = "*a" + std::to_string(i - 1);
    bomb += "a" + n + ": &a" + n + " [" + previous;
    for (int k = 0; k < 9; ++k) bomb += ", " + previous;
    bomb += "]\n";
  }
  EXPECT_NE(ParseError(bomb).find("larger than a configuration can be"), std::string::npos);
  std::string ladder = "- &a0 [x]\n";  // each alias adds a level
  for (int i = 1; i < 100; ++i)
    ladder += "- &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]\n";
  EXPECT_NE(ParseError(ladder).find("nested more than 64 deep"), std::string::npos);
  EXPECT_EQ(ParseError(std::string((1 << 22) + 1, ' ')),
            "c.yaml: 4194305 bytes, expected at most 4194304");
}

TEST(Yaml, ReadsAFile) {
  const testing::ScratchFolder folder;
  EXPECT_EQ(ReadYamlFile(folder.Write("c.yaml", "a: 1")).Dump(), R"({"a":1})");
}

}  // namespace
}  // namespace lem
