// SPDX-License-Identifier: EUPL-1.2
// Records to tokens, and which tokens are learnt.
#include "pipelines/train/dataset.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/support/error_text.h"
#include "tests/support/tiny_model.h"

namespace lem {
namespace {

class DatasetTest : public ::testing::Test {
 protected:
  DatasetTest() {
    encoding_.tokenizer = &tokenizer_;
    encoding_.chat_template = &template_;
  }
  Dataset Parse(std::string_view text) const { return ParseDataset(text, "d.jsonl", encoding_); }
  std::string Refusal(std::string_view text) const {
    return testing::ErrorText([&] { Parse(text); });
  }
  std::string Text(const Example& e) const { return tokenizer_.Decode(e.ids); }
  // What is learnt, spans separated by "|".
  std::string Learnt(const Example& e) const {
    std::string text;
    for (const TokenSpan& span : e.learnt) {
      if (!text.empty()) text += "|";
      text += tokenizer_.Decode(std::span(e.ids).subspan(span.begin, span.end - span.begin));
    }
    return text;
  }

  Tokenizer tokenizer_ = testing::TinyTokenizer();
  ChatTemplate template_ = testing::TinyChatTemplate();
  Encoding encoding_;
};

constexpr char kTwoTurns[] =
    R"({"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes"},)"
    R"({"role":"user","content":"so"},{"role":"assistant","content":"no"}]})";

TEST_F(DatasetTest, TheFirstRecordDecides) {
  EXPECT_EQ(Parse(R"({"prompt":"a","completion":"b","text":"c"})").kind, RecordKind::kCompletions);
  EXPECT_EQ(Parse(R"({"messages":[{"role":"user","content":"a"}],"text":"c"})").kind,
            RecordKind::kChat);
  EXPECT_EQ(Parse(R"({"text":"c"})").kind, RecordKind::kText);
  EXPECT_NE(Refusal("{\"text\":\"a\"}\n{\"prompt\":\"a\",\"completion\":\"b\"}").find("d.jsonl:2"),
            std::string::npos);
  EXPECT_NE(Refusal(R"({"question":"a"})").find("found question"), std::string::npos);
}

TEST_F(DatasetTest, TextEndsWithItsEos) {
  const Dataset d = Parse("{\"text\":\"ab\"}\n{\"text\":\"a</s>\"}\n");
  EXPECT_EQ(Text(d.examples[0]), "ab</s>");
  EXPECT_EQ(Learnt(d.examples[0]), "b</s>");
  EXPECT_EQ(Text(d.examples[1]), "a</s>");
}

TEST_F(DatasetTest, CompletionsAreAConversation) {
  const Dataset d = Parse(R"({"prompt":"hi","completion":"yes"})");
  EXPECT_EQ(Text(d.examples[0]),
            "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nyes<|im_end|>\n");
  EXPECT_EQ(d.examples[0].learnt.size(), 1u);
  EXPECT_EQ(d.examples[0].learnt[0].begin, 1u);
  EXPECT_EQ(d.examples[0].json_keys, 2u);
}

TEST_F(DatasetTest, MaskPromptLearnsTheLastMessage) {
  encoding_.mask = MaskMode::kPrompt;
  for (const bool compat : {false, true}) {
    encoding_.mlx_compat = compat;
    EXPECT_EQ(Learnt(Parse(kTwoTurns).examples[0]), "no<|im_end|>\n");
    EXPECT_EQ(Learnt(Parse(R"({"prompt":"hi","completion":"yes"})").examples[0]),
              "yes<|im_end|>\n");
  }
  // A last message of the user's is learnt with its header.
  EXPECT_EQ(Learnt(Parse(R"({"messages":[{"role":"user","content":"a"},)"
                         R"({"role":"user","content":"b"}]})")
                       .examples[0]),
            "<|im_start|>user\nb<|im_end|>\n");
}

TEST_F(DatasetTest, MaskAssistantLearnsEveryAnswerWithItsEnd) {
  encoding_.mask = MaskMode::kAssistant;
  EXPECT_EQ(Learnt(Parse(kTwoTurns).examples[0]), "yes<|im_end|>|no<|im_end|>");
  const Dataset d = Parse(R"({"messages":[{"role":"user","content":"a"}]})");
  EXPECT_TRUE(d.examples[0].learnt.empty());
}

TEST_F(DatasetTest, ATemplateThatRewritesEarlierTurnsIsRefused) {
  // Like those that drop the reasoning of earlier turns: only the last answer is written whole.
  template_ = ChatTemplate::Parse(
      "{% for m in messages %}{% if loop.last %}{{ m['content'] }}{% else %}{{ m['role'] }}"
      "{% endif %}{% endfor %}",
      "rewriting");
  encoding_.mask = MaskMode::kAssistant;
  EXPECT_NE(Refusal(kTwoTurns).find("d.jsonl:1: the chat template rewrites earlier turns"),
            std::string::npos);
}

TEST_F(DatasetTest, MasksNeedTurns) {
  encoding_.mask = MaskMode::kPrompt;
  EXPECT_NE(Refusal(R"({"text":"a"})").find("no prompt to mask"), std::string::npos);
}

TEST_F(DatasetTest, WithoutATemplateOnlyTextWorks) {
  encoding_.chat_template = nullptr;
  EXPECT_NE(Refusal(kTwoTurns).find("needs a chat template"), std::string::npos);
  EXPECT_EQ(Parse(R"({"text":"ab"})").examples.size(), 1u);
}

TEST_F(DatasetTest, BlankLinesAreSkippedExceptAsMlxDoes) {
  EXPECT_EQ(Parse("{\"text\":\"a\"}\n\n{\"text\":\"b\"}").examples.size(), 2u);
  encoding_.mlx_compat = true;
  EXPECT_NE(Refusal("{\"text\":\"a\"}\n\n{\"text\":\"b\"}").find("d.jsonl:2"), std::string::npos);
}

TEST_F(DatasetTest, BrokenRecordsNameTheirLine) {
  EXPECT_NE(Refusal("{\"text\":\"a\"}\n{\"text\":").find("d.jsonl:2"), std::string::npos);
  EXPECT_NE(Refusal("[1]").find("d.jsonl:1"), std::string::npos);
  EXPECT_NE(Refusal(R"({"messages":[]})").find("an empty list"), std::string::npos);
  EXPECT_NE(Refusal(R"({"prompt":1,"completion":"b"})").find("prompt"), std::string::npos);
}

TEST_F(DatasetTest, OtherFeatureNames) {
  encoding_.prompt_feature = "question", encoding_.completion_feature = "answer";
  EXPECT_EQ(Parse(R"({"question":"a","answer":"b"})").kind, RecordKind::kCompletions);
}

TEST_F(DatasetTest, FittingReportsWhatItCutAndLeftOut) {
  encoding_.mask = MaskMode::kPrompt;
  Dataset d = Parse(
      "{\"prompt\":\"a\",\"completion\":\"abcdefghij\"}\n"
      "{\"prompt\":\"abcdefghijklmnopqrstuvwxyz\",\"completion\":\"b\"}\n"
      "{\"prompt\":\"a\",\"completion\":\"b\"}\n");
  const size_t shortest = d.examples[2].ids.size();
  const FitReport fit = FitDataset(static_cast<int64_t>(shortest), &d);
  EXPECT_EQ(fit.truncated, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(fit.unlearnt, std::vector<int64_t>{2});  // its answer lies beyond the cut
  ASSERT_EQ(d.examples.size(), 2u);
  EXPECT_EQ(d.examples[0].ids.size(), shortest);
  EXPECT_EQ(d.examples[0].learnt.back().end, shortest);
  EXPECT_NE(testing::ErrorText([&] { FitDataset(3, &d); }).find("expected tokens to learn"),
            std::string::npos);
}

TEST(DescribeLines, NamesEightAtMost) {
  EXPECT_EQ(DescribeLines({7}), "line 7");
  EXPECT_EQ(DescribeLines({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}),
            "lines 1, 2, 3, 4, 5, 6, 7, 8 and 2 more");
}

}  // namespace
}  // namespace lem
