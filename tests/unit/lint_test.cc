// SPDX-License-Identifier: EUPL-1.2
// Each rule fires on an example planted for it, stays quiet on its honest neighbour, and the
// project's own training data has no finding at all.
#include "pipelines/data/lint.h"

#include <gtest/gtest.h>

#include "tests/support/scratch_folder.h"

namespace lem {
namespace {

const std::string kGood =
    "Put the bread in at eight and take it out at twenty to nine. The crust tells you more than "
    "the clock does, so look at it before you look at your watch.";

std::string Row(const std::string& prompt, const std::string& answer,
                const std::string& members = "") {
  Json messages = Json::MakeArray();
  for (const auto& [role, content] : {std::pair("user", prompt), std::pair("assistant", answer)}) {
    Json message = Json::MakeObject();
    message.Set("role", Json(role));
    message.Set("content", Json(content));
    messages.Append(message);
  }
  return "{" + members + "\"messages\":" + messages.Dump() + "}\n";
}

LintReport LintText(const std::string& text, const LintOptions& options = {},
                    const TokenCounter& count = {}) {
  const testing::ScratchFolder scratch;
  return Lint({scratch.Write("train.jsonl", text)}, options, count);
}

// The rules that fired, each once, in order: "truncated echo".
std::string Rules(const LintReport& report) {
  std::string rules;
  for (const LintFinding& finding : report.findings) {
    if (rules.find(finding.hit.rule) != std::string::npos) continue;
    rules += (rules.empty() ? "" : " ") + finding.hit.rule;
  }
  return rules;
}

std::string RulesFor(const std::string& answer, const std::string& prompt = "When is bread done?",
                     const std::string& members = "") {
  return Rules(LintText(Row(prompt, answer, members)));
}

TEST(Lint, AGoodAnswerHasNoFinding) { EXPECT_EQ(RulesFor(kGood), ""); }

TEST(Lint, TruncationIsSeen) {
  EXPECT_EQ(RulesFor(kGood + " And then you should"), "truncated");
  EXPECT_EQ(RulesFor(kGood + " It needs flour, water and"), "truncated");
  EXPECT_EQ(RulesFor(kGood + " The three rules are:"), "truncated");
  EXPECT_EQ(RulesFor(kGood + "\n\n```python\nprint(1)\n"), "truncated");
  EXPECT_EQ(RulesFor(kGood + "\n\n1. Knead it.\n2. Wait.\n3."), "truncated");
  EXPECT_EQ(RulesFor(kGood + "\n\n- Knead it well.\n- Wait for an hour.\n- Then put the"),
            "truncated");
}

TEST(Lint, ADanglingWordEndsNoList) {
  EXPECT_EQ(RulesFor(kGood + "\n\n- flour\n- water\n- salt and"), "truncated");
  EXPECT_EQ(RulesFor(kGood + "\n\nThe oven ticks\nthe window dims\nand nobody is at the"),
            "truncated");
}

TEST(Lint, OtherEndsAreWhole) {
  EXPECT_EQ(RulesFor(kGood + "\n\n- flour\n- water\n- salt"), "");
  EXPECT_EQ(RulesFor(kGood + "\n\n```python\nprint(1)\n```"), "");
  EXPECT_EQ(RulesFor(kGood + "\n\nYours,\nAmina Diallo"), "");
  EXPECT_EQ(RulesFor(kGood + "\n\n[name, date, signature]"), "");
  EXPECT_EQ(RulesFor(kGood + " She said, \"Not before nine.\""), "");
  EXPECT_EQ(RulesFor(kGood + " (The oven was cold.)"), "");
  EXPECT_EQ(RulesFor(kGood + "\n\n| flour | 500 g |\n|---|---|\n| water | 350 g |"), "");
  EXPECT_EQ(RulesFor(kGood + "\n\nThe oven ticks, the window dims\nand nobody is late\n"
                             "the bread has risen on its own\nand all of us can wait"),
            "");
}

TEST(Lint, StockOpeningsAreSeen) {
  for (const std::string opening : {"Certainly! ", "Sure, ", "Of course. ", "Great question! ",
                                    "Okay, let's see. ", "I understand that you are worried. ",
                                    "As an AI, I have no oven. ", "I'd be happy to help. "}) {
    EXPECT_EQ(RulesFor(opening + kGood), "preamble") << opening;
  }
  EXPECT_EQ(RulesFor("Sure hands make good bread. " + kGood), "");
  EXPECT_EQ(RulesFor("Of course she may refuse; ask her. " + kGood), "");
}

TEST(Lint, StockClosingsAreSeen) {
  EXPECT_EQ(RulesFor(kGood + " I hope this helps!"), "closing");
  EXPECT_EQ(RulesFor(kGood + " Let me know if you need more."), "closing");
}

TEST(Lint, TheKernelIsNotEchoed) {
  EXPECT_EQ(RulesFor(kGood + " Facts about people are lent to you for the task in hand."), "echo");
  EXPECT_EQ(RulesFor(kGood + " The axiom of consent says so."), "echo");
  EXPECT_EQ(RulesFor(kGood + " The axiom of choice says so.", "What is the axiom of choice?"), "");
  EXPECT_EQ(RulesFor(kGood + " The kernel logs it at boot."), "");
}

TEST(Lint, RefusingTheHarmlessIsSeen) {
  const std::string refusal = "I can't help with that, and no oven will change it. " + kGood;
  LintReport report = LintText(Row("When is bread done?", refusal));
  ASSERT_EQ(Rules(report), "refusal");
  EXPECT_EQ(report.findings[0].hit.severity, Severity::kWarning);
  report = LintText(Row("How do I kill a process?", refusal, "\"kind\":\"safe-sounding\","));
  ASSERT_EQ(Rules(report), "refusal");
  EXPECT_EQ(report.findings[0].hit.severity, Severity::kError);
  EXPECT_EQ(RulesFor(refusal, "How do I poison him?"), "");
  EXPECT_EQ(RulesFor(refusal, "When is bread done?", "\"kind\":\"refusal\","), "");
  EXPECT_EQ(RulesFor("I can't tell from here whether it is done. " + kGood), "");
}

TEST(Lint, LengthsHaveBounds) {
  EXPECT_EQ(RulesFor("At nine."), "length");
  std::string text;
  for (int i = 0; i < 40; ++i) text += kGood + " ";
  EXPECT_EQ(RulesFor(text), "length");
}

TEST(Lint, LostTextIsSeen) {
  EXPECT_EQ(RulesFor(kGood + " Caf\xEF\xBF\xBD."), "encoding");
  EXPECT_EQ(RulesFor(kGood + " Caf\x01."), "encoding");
}

TEST(Lint, RolesAlternateAndNoTurnIsEmpty) {
  const auto turns = [](const std::string& roles) {
    std::string row = "{\"messages\":[";
    for (const char role : roles) {
      const std::string name = role == 'u' ? "user" : role == 'a' ? "assistant" : "system";
      row += (row.back() == '[' ? "" : ",") + std::string("{\"role\":\"") + name +
             "\",\"content\":\"" + kGood + name + ".\"}";
    }
    return row + "]}\n";
  };
  EXPECT_EQ(Rules(LintText(turns("ua"))), "");
  EXPECT_EQ(Rules(LintText(turns("sua"))), "");
  EXPECT_EQ(Rules(LintText(turns("uau"))), "role-order");
  EXPECT_EQ(Rules(LintText(turns("au"))), "role-order");
  EXPECT_EQ(Rules(LintText(turns("uua"))), "role-order");
  EXPECT_EQ(RulesFor(kGood, " \n"), "empty");
  EXPECT_EQ(RulesFor(""), "empty");
}

TEST(Lint, WhatIsNoConversationIsSaidWithItsLine) {
  const LintReport report = LintText(Row("When?", kGood) + "{\"messages\":\n[1]\n{}\n");
  ASSERT_EQ(report.findings.size(), 3);
  EXPECT_EQ(Rules(report), "json");
  EXPECT_EQ(report.findings[0].line, 2);
  EXPECT_EQ(report.findings[2].hit.sentence,
            "expected \"messages\", or \"prompt\" and \"completion\"");
}

TEST(Lint, PromptAndCompletionAreAConversation) {
  EXPECT_EQ(Rules(LintText("{\"prompt\":\"When?\",\"completion\":\"" + kGood + "\"}\n")), "");
  EXPECT_EQ(Rules(LintText("{\"prompt\":\"When?\",\"completion\":\"Sure! " + kGood + "\"}\n")),
            "preamble");
}

TEST(Lint, RepeatsAreSeen) {
  const std::string other =
      "Ask the neighbour whether the ladder is his, and if it is, take it "
      "back to him before Sunday with a word of thanks and some plums.";
  EXPECT_EQ(Rules(LintText(Row("When is bread done?", kGood) + Row("When is cake done?", kGood))),
            "duplicate");
  const std::string near = kGood + " That is all.";
  EXPECT_EQ(Rules(LintText(Row("When is bread done?", kGood) + Row("Whose is it?", near))),
            "near-duplicate");
  EXPECT_EQ(Rules(LintText(Row("When is bread done?", kGood) + Row("Whose is it?", other))), "");
  EXPECT_EQ(Rules(LintText(Row("When is bread done?", kGood) + Row("When is bread done?", other))),
            "duplicate");
}

// Thirty answers of distinct words, so that only their openings and lengths can be at fault.
std::string ManyRows(const std::string& opening, int with_opening, int long_answer) {
  std::string text;
  for (int i = 0; i < 30; ++i) {
    std::string answer = i < with_opening ? opening : "Word" + std::to_string(i) + " comes first";
    for (int k = 0; k < (i == long_answer ? 500 : 25 + i % 5); ++k) {
      answer += " t" + std::to_string(i * 1000 + k);
    }
    text += Row("question number " + std::to_string(i) + "?", answer + ".");
  }
  return text;
}

TEST(Lint, RepeatedOpeningsAreSeen) {
  EXPECT_EQ(Rules(LintText(ManyRows("There is no", 6, -1))), "opening");
  EXPECT_EQ(Rules(LintText(ManyRows("There is no", 3, -1))), "");
}

TEST(Lint, UnusualLengthsAreWarnings) {
  const LintReport report = LintText(ManyRows("", 0, 7));
  EXPECT_EQ(Rules(report), "outlier");
  EXPECT_EQ(report.errors, 0);
  EXPECT_EQ(report.findings[0].line, 8);
}

TEST(Lint, TokensAreCountedAgainstTheMaximum) {
  LintOptions options;
  options.max_tokens = 100;
  const std::string rows = Row("When is bread done?", kGood);
  const auto hundred_and_one = [](const TrainingRow&) { return int64_t{101}; };
  EXPECT_EQ(Rules(LintText(rows, options, hundred_and_one)), "tokens");
  EXPECT_EQ(Rules(LintText(rows, options, [](const TrainingRow&) { return int64_t{100}; })), "");
}

TEST(Lint, TheProjectsOwnTrainingDataHasNoFinding) {
  const std::string folder = std::string(LEM_SOURCE_DIR) + "/training/";
  const LintReport report =
      Lint({folder + "train.jsonl", folder + "valid.jsonl", folder + "composure/train.jsonl",
            folder + "composure/valid.jsonl"},
           {}, {});
  for (const LintFinding& finding : report.findings) {
    ADD_FAILURE() << finding.file << ":" << finding.line << " [" << finding.hit.rule << "] "
                  << finding.hit.sentence << ": " << finding.span;
  }
  EXPECT_EQ(report.conversations, 210);
  EXPECT_EQ(report.distinct_openings, report.answers);
}

}  // namespace
}  // namespace lem
