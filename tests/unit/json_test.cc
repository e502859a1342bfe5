// SPDX-License-Identifier: EUPL-1.2
#include "formats/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/error_text.h"
#include "tests/support/scratch_folder.h"

namespace lem {
namespace {

using testing::ErrorText;

std::string ParseError(std::string_view text, const JsonLimits& limits = {}) {
  return ErrorText([&] { Json::Parse(text, "f.json", limits); });
}

TEST(Json, ReadsEveryKind) {
  const Json json =
      Json::Parse(R"( {"n": null, "t": true, "i": -7, "d": 2.5e-3, "s": "a\u00e9\ud83d\ude00\n",
                                     "a": [1, [], {}], "o": {"x": 1}} )",
                  "f");
  EXPECT_TRUE(json.At("n", "f").IsNull());
  EXPECT_TRUE(json.At("t", "f").boolean());
  EXPECT_EQ(json.At("i", "f").integer(), -7);
  EXPECT_EQ(json.At("d", "f").number(), 0.0025);
  EXPECT_EQ(json.At("s", "f").string(), "a\xc3\xa9\xf0\x9f\x98\x80\n");
  EXPECT_EQ(json.At("a", "f").size(), 3u);
  EXPECT_EQ(json.At("o", "f").object()[0].first, "x");
  EXPECT_EQ(json.Find("absent"), nullptr);
  EXPECT_EQ(Json(5).Find("absent"), nullptr);
}

TEST(Json, KeepsNumbersExactlyWhereTheyFit) {
  EXPECT_EQ(Json::Parse("9223372036854775807", "f").integer(), INT64_MAX);
  EXPECT_EQ(Json::Parse("-9223372036854775808", "f").integer(), INT64_MIN);
  EXPECT_EQ(Json::Parse("9223372036854775808", "f").number(), 0x1p63);
  EXPECT_EQ(Json::Parse("1e3", "f").number(), 1000);
  EXPECT_FALSE(Json::Parse("1e3", "f").IsInteger());
  EXPECT_EQ(Json::Parse("1e3", "f").AsInteger("f"), 1000);
  EXPECT_EQ(Json(uint64_t{1} << 63).number(), 0x1p63);
}

TEST(Json, KeepsTheOrderOfKeys) {
  EXPECT_EQ(Json::Parse(R"({"b":1,"a":2})", "f").Dump(), R"({"b":1,"a":2})");
  EXPECT_EQ(Json::Parse(R"({"b":1,"a":2})", "f").Dump({.sort_keys = true}), R"({"a":2,"b":1})");
}

TEST(Json, SaysWhereTheTextIsWrong) {
  EXPECT_EQ(ParseError("{\"a\": 1,\n  \"b\" 2}"),
            "f.json:2:7: not valid JSON: syntax error while parsing object separator - unexpected "
            "number literal; "
            "expected ':'");
  EXPECT_EQ(ParseError(""),
            "f.json:1:1: not valid JSON: syntax error while parsing value - unexpected end of "
            "input; expected '[', '{', or a literal");
  EXPECT_EQ(ParseError("[1] x").substr(0, 36), "f.json:1:5: not valid JSON: syntax e");
  EXPECT_EQ(ParseError("{\"a\": 1,\n \"b\": {\"c\": 2, \"c\": 3}}"),
            "f.json:2:18: the key \"c\" appears twice in one object; expected each key once");
  for (const char* text : {"[1,]", "{'a':1}", "NaN", "[01]", "\"\\ud800\"", "\"\xff\"", "1e999",
                           "\"\n\"", "[", "nul"}) {
    EXPECT_EQ(ParseError(text).substr(0, 9), "f.json:1:") << text;
  }
}

TEST(Json, TheMessageStaysShortAndPrintable) {
  const std::string error = ParseError("\"" + std::string(100000, 'x') + "\x01\"");
  EXPECT_LT(error.size(), 300u);
  for (const char c : error) EXPECT_TRUE(c >= 0x20 && c < 0x7f);
}

TEST(Json, BoundsDepthAndSize) {
  const std::string deep = std::string(65, '[') + std::string(65, ']');
  EXPECT_EQ(ParseError(deep),
            "f.json:1:65: nested more than 64 deep, the most allowed in a file of this kind");
  EXPECT_EQ(ParseError(deep, {.max_depth = 65}), "no error");
  EXPECT_EQ(ParseError(std::string(10'000'000, '[')).substr(0, 25), "f.json:1:65: nested more ");
  EXPECT_EQ(ParseError("[1,2,3]", {.max_values = 3}),
            "f.json:1:7: more than 3 values, the most allowed in a file of this kind");
  EXPECT_EQ(ParseError("{\"a\":1,\"a\":2}", {.refuse_duplicate_keys = false}), "no error");
}

TEST(Json, TypedAccessSaysWhatItFound) {
  const Json json = Json::Parse(R"({"s": "text", "d": 1.5, "n": null, "a": []})", "f");
  EXPECT_EQ(ErrorText([&] { json.At("s", "f").AsInteger("f: s"); }),
            "f: s: expected an integer, found a string (\"text\")");
  EXPECT_EQ(ErrorText([&] { json.At("d", "f").AsInteger("f: d"); }),
            "f: d: expected an integer, found a number (1.5)");
  EXPECT_EQ(ErrorText([&] { json.At("n", "f").AsBool("f: n"); }),
            "f: n: expected true or false, found null");
  EXPECT_EQ(ErrorText([&] { json.At("s", "f").AsNumber("f: s"); }),
            "f: s: expected a number, found a string (\"text\")");
  EXPECT_EQ(ErrorText([&] { json.At("s", "f").AsArray("f: s"); }),
            "f: s: expected an array, found a string (\"text\")");
  EXPECT_EQ(ErrorText([&] { json.At("n", "f").AsObject("f: n"); }),
            "f: n: expected an object, found null");
  EXPECT_EQ(ErrorText([&] { json.At("a", "f").AsString("f: a"); }),
            "f: a: expected a string, found an array");
  EXPECT_EQ(ErrorText([&] { json.At("x", "f"); }),
            "f: expected a key \"x\", found none of that name");
  EXPECT_EQ(ErrorText([&] { Json(1).At("x", "f"); }),
            "f: expected an object, found an integer (1)");
  EXPECT_EQ(ErrorText([&] { Json(1e300).AsInteger("f"); }),
            "f: expected an integer, found a number (1e+300)");
}

TEST(Json, BuildsAndReplaces) {
  Json json;
  json.Set("a", 1);
  json.Set("b", Json::MakeArray());
  json.Find("b")->Append("x");
  json.Set("a", 2.5f);
  EXPECT_EQ(json.Dump(), R"({"a":2.5,"b":["x"]})");
}

TEST(JsonDump, NumbersReadBackEqual) {
  for (const double value :
       {0.1, 1e-5, 1e16, 123456789012345680.0, 5e-324, 1.7976931348623157e308, -0.0, 1.0 / 3}) {
    EXPECT_EQ(Json::Parse(Json(value).Dump(), "f").number(), value);
    EXPECT_FALSE(Json::Parse(Json(value).Dump(), "f").IsInteger()) << value;
  }
  EXPECT_EQ(Json(1e-5).Dump(), "1e-05");  // as Python's repr
  EXPECT_EQ(Json(20.0).Dump(), "20.0");
  EXPECT_EQ(Json(1e16).Dump(), "1e+16");
  EXPECT_EQ(Json(std::nan("")).Dump(), "null");
  EXPECT_EQ(Json(std::numeric_limits<double>::infinity()).Dump(), "null");
}

TEST(JsonDump, EscapesStrings) {
  EXPECT_EQ(Json("\"\\/\b\f\n\r\t\x01\x7f").Dump(), "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\x7f\"");
  EXPECT_EQ(Json("\xc3\xa9\xf0\x9f\x98\x80").Dump(), "\"\xc3\xa9\xf0\x9f\x98\x80\"");
  EXPECT_EQ(Json("\xc3\xa9\xf0\x9f\x98\x80").Dump({.ascii = true}), "\"\\u00e9\\ud83d\\ude00\"");
}

TEST(JsonDump, KeepsTheEdgesOfUtf8) {
  // The last and first code points of each length: U+007F, 0080, 07FF, 0800, FFFF, 10000, 10FFFF.
  const std::string edges =
      "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf";
  EXPECT_EQ(Json(edges).Dump(), "\"" + edges + "\"");
  EXPECT_EQ(Json::Parse(Json(edges).Dump({.ascii = true}), "f").string(), edges);
}

TEST(JsonDump, ReplacesInvalidUtf8) {
  const std::string kBad = "\xef\xbf\xbd";
  EXPECT_EQ(Json("a\xff").Dump(), "\"a" + kBad + "\"");
  EXPECT_EQ(Json("\xc3").Dump(), "\"" + kBad + "\"");
  EXPECT_EQ(Json("\xc0\x80").Dump(), "\"" + kBad + kBad + "\"");             // overlong
  EXPECT_EQ(Json("\xed\xa0\x80").Dump(), "\"" + kBad + kBad + kBad + "\"");  // a surrogate
  EXPECT_EQ(Json("\xf4\x90\x80\x80").Dump().size(), 2 + 4 * kBad.size());    // beyond U+10FFFF
}

TEST(JsonDump, IndentsAsPythonDoes) {
  const Json json = Json::Parse(R"({"b":[1,2],"a":{},"c":[],"d":"\u00e9"})", "f");
  EXPECT_EQ(json.Dump({.indent = 4, .sort_keys = true, .python_style = true}),
            "{\n    \"a\": {},\n    \"b\": [\n        1,\n        2\n    ],\n    \"c\": [],\n    "
            "\"d\": \"\\u00e9\"\n}");
  EXPECT_EQ(json.Dump({.python_style = true}),
            "{\"b\": [1, 2], \"a\": {}, \"c\": [], \"d\": \"\\u00e9\"}");
}

TEST(JsonLines, NumbersItsLines) {
  const auto lines = ParseJsonLines("{\"a\":1}\r\n\n  \n2", "d.jsonl");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].line, 1);
  EXPECT_EQ(lines[1].line, 4);
  EXPECT_EQ(lines[1].value.integer(), 2);
  EXPECT_EQ(ErrorText([] { ParseJsonLines("1\n[", "d.jsonl"); }).substr(0, 13), "d.jsonl:2:2: ");
  EXPECT_EQ(ErrorText([] { ParseJsonLines("1\n\n2", "d.jsonl", false); }).substr(0, 13),
            "d.jsonl:2:1: ");
}

TEST(JsonLines, ReadsAFile) {
  const testing::ScratchFolder folder;
  EXPECT_EQ(ReadJsonLines(folder.Write("d.jsonl", "1\n2\n")).size(), 2u);
  EXPECT_EQ(ReadJsonLines(folder.Write("e.jsonl", "")).size(), 0u);
  EXPECT_EQ(ErrorText([&] { Json::ParseFile((folder / "none").string()); }),
            (folder / "none").string() + ": cannot open this file (No such file or directory)");
}

}  // namespace
}  // namespace lem
