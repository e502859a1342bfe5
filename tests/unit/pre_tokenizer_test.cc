// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/pre_tokenizer.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/error_text.h"
#include "tokenizer/gguf_pre_tokenizers.h"
#include "tokenizer/normalizer.h"

namespace lem {
namespace {

using testing::ErrorText;

std::vector<std::string> Cut(const std::string& json, std::string_view text, bool at_start = true) {
  const auto pre = PreTokenizer::FromJson(Json::Parse(json, "json"), "t");
  PreTokens tokens;
  pre.Apply(text, at_start, &tokens);
  std::vector<std::string> parts;
  for (const TextSpan& span : tokens.spans) {
    parts.emplace_back(tokens.text.substr(span.begin, span.end - span.begin));
  }
  return parts;
}

using Parts = std::vector<std::string>;

std::string RandomText(std::mt19937* random) {
  static const std::vector<std::string> parts = {"a",
                                                 "Z",
                                                 "\xC3\xA9",
                                                 "\xCE\xA3",
                                                 "\xE4\xBD\xA0",
                                                 "1",
                                                 "\xD9\xA3",
                                                 "\xC2\xBD",
                                                 " ",
                                                 " ",
                                                 "\n",
                                                 "\r",
                                                 "\t",
                                                 "\xC2\xA0",
                                                 "\xE3\x80\x80",
                                                 "\xC2\x85",
                                                 "'s",
                                                 "'LL",
                                                 "'",
                                                 "'\xC5\xBF",
                                                 "!",
                                                 "-",
                                                 "\xF0\x9F\x98\x80",
                                                 "e\xCC\x81",
                                                 "\xE2\x80\x8B",
                                                 "\xE1\xA0\x8E",
                                                 "_",
                                                 "'re",
                                                 "'VE"};
  std::string text;
  for (size_t i = (*random)() % 20; i > 0; --i) text += parts[(*random)() % parts.size()];
  return text;
}

// The patterns and the scanners are two writings of the same rule.
TEST(Scanners, CutAsTheirPatternsDo) {
  std::mt19937 random(3);
  for (const char* source : {kGpt2Pattern, kLlama3Pattern, kQwen2Pattern}) {
    const Scanner scanner = ScannerFor(source);
    const Pattern pattern(source, "t");
    for (int round = 0; round < 4000; ++round) {
      const std::string text = RandomText(&random);
      std::vector<size_t> ends, expected;
      for (size_t at = 0; at < text.size();) ends.push_back(at = scanner(text, at));
      pattern.FindAll(text, [&](TextSpan span) { expected.push_back(span.end); });
      ASSERT_EQ(ends, expected) << source << "\n" << text;
    }
  }
}

TEST(PreTokenizer, CutsDigitsOutBeforeGpt2sPatternSeesThem) {
  const Json smollm = GgufPreTokenizerNamed("smollm", "t").pre_tokenizer;
  EXPECT_EQ(Cut(smollm.Dump(), "a 12b  c"), (Parts{"a", " ", "1", "2", "b", " ", " c"}));
}

TEST(PreTokenizer, SplitsInEveryBehavior) {
  const auto split = [](const std::string& behavior, bool invert = false) {
    return Cut(R"({"type":"Split","pattern":{"String":"-"},"behavior":")" + behavior +
                   R"(","invert":)" + (invert ? "true}" : "false}"),
               "a--b-");
  };
  EXPECT_EQ(split("Removed"), (Parts{"a", "b"}));
  EXPECT_EQ(split("Isolated"), (Parts{"a", "-", "-", "b", "-"}));
  EXPECT_EQ(split("MergedWithPrevious"), (Parts{"a-", "-", "b-"}));
  EXPECT_EQ(split("MergedWithNext"), (Parts{"a", "-", "-b", "-"}));
  EXPECT_EQ(split("Contiguous"), (Parts{"a", "--", "b", "-"}));
  EXPECT_EQ(split("Removed", true), (Parts{"-", "-", "-"}));
}

TEST(PreTokenizer, MarksSpacesAsMetaspaceSays) {
  const std::string mark = "\xE2\x96\x81";
  const auto cut = [&](const std::string& scheme, bool at_start) {
    return Cut(R"({"type":"Metaspace","replacement":"\u2581","prepend_scheme":")" + scheme + "\"}",
               "a b", at_start);
  };
  EXPECT_EQ(cut("always", false), (Parts{mark + "a", mark + "b"}));
  EXPECT_EQ(cut("first", true), (Parts{mark + "a", mark + "b"}));
  EXPECT_EQ(cut("first", false), (Parts{"a", mark + "b"}));
  EXPECT_EQ(cut("never", true), (Parts{"a", mark + "b"}));
}

TEST(PreTokenizer, RefusesByNameWhatItDoesNotKnow) {
  EXPECT_EQ(
      ErrorText([] { Cut(R"({"type":"BertPreTokenizer"})", ""); }),
      "t: expected a pre-tokenizer of a supported type (Sequence, ByteLevel, Split, Digits, "
      "Metaspace, "
      "WhitespaceSplit), found \"BertPreTokenizer\"; try another tokenizer file of the same model");
  EXPECT_NE(ErrorText([] {
              Cut(R"({"type":"Sequence","pretokenizers":[{"type":"ByteLevel"},{"type":"Digits"}]})",
                  "");
            }).find("expected ByteLevel to be the last"),
            std::string::npos);
  EXPECT_NE(ErrorText([] {
              GgufPreTokenizerNamed("nonesuch", "t");
            }).find("expected tokenizer.ggml.pre to be one of gpt-2, phi-2"),
            std::string::npos);
}

TEST(Pattern, StopsAtItsLimits) {
  const Pattern bomb("(a+)+$", "t");
  const std::string text = std::string(5000, 'a') + "b";
  EXPECT_NE(ErrorText([&] {
              bomb.FindAll(text, [](TextSpan) {});
            }).find("t: expected the pattern \"(a+)+$\" to match within its limits"),
            std::string::npos);
}

TEST(Pattern, RefusesWhatWouldMeanSomethingElse) {
  for (const char* source :
       {R"(\h)", "[a[b]]", "[a&&b]", "(?m:.)", "(unclosed", R"([\W])", "a\\"}) {
    EXPECT_NE(ErrorText([&] { Pattern(source, "t"); }).find("t: expected a"), std::string::npos)
        << source;
  }
}

TEST(Pattern, KnowsWhiteSpaceAsUnicodeDefinesIt) {
  const Pattern space(R"(\s)", "t"), other(R"([^\S ])", "t");
  const auto count = [](const Pattern& pattern, std::string_view text) {
    int found = 0;
    pattern.FindAll(text, [&](TextSpan) { ++found; });
    return found;
  };
  EXPECT_EQ(count(space, " \t\xC2\x85\xE3\x80\x80"), 4);
  EXPECT_EQ(count(space, "\xE1\xA0\x8E"), 0);  // U+180E is white space to PCRE2 alone
  EXPECT_EQ(count(other, " \t\xC2\x85\xE1\xA0\x8E"), 2);
}

TEST(Normalizer, AppliesItsSteps) {
  const auto apply = [](const char* json, std::string_view text) {
    return Normalizer::FromJson(Json::Parse(json, "json"), "t").Apply(text);
  };
  EXPECT_EQ(apply(R"({"type":"NFC"})", "e\xCC\x81"), "\xC3\xA9");
  EXPECT_EQ(apply(R"({"type":"NFKC"})", "\xEF\xAC\x81"), "fi");
  EXPECT_EQ(apply(R"({"type":"Prepend","prepend":"_"})", ""), "");
  EXPECT_EQ(apply(R"({"type":"Sequence","normalizers":[{"type":"Lowercase"},{"type":"Strip"},
      {"type":"Replace","pattern":{"Regex":"b+"},"content":"-"}]})",
                  " ABBa "),
            "a-a");
  EXPECT_NE(
      ErrorText([&] { apply(R"({"type":"Precompiled"})", ""); }).find("found \"Precompiled\""),
      std::string::npos);
}

}  // namespace
}  // namespace lem
