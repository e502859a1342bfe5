// SPDX-License-Identifier: EUPL-1.2
// Each gate stops what it is for, and the choice among samples is the one that is promised.
#include "pipelines/distill/gates.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"

namespace lem {
namespace {

const std::string kBread =
    "Put the bread in at eight and take it out at twenty to nine. The crust tells you more than "
    "the clock does, so look at it before you look at your watch.";
const std::string kLadder =
    "Ask the neighbour whether the ladder is his, and if it is, take it back to him before Sunday "
    "with a word of thanks and some plums from the tree.";

const KernelEcho& Echo() {
  static const KernelEcho echo(LoadKernel({}));
  return echo;
}

Candidate Answer(size_t prompt, int sample, const std::string& text,
                 const std::string& state = "ok") {
  Candidate candidate;
  candidate.prompt = prompt;
  candidate.sample = sample;
  candidate.state = state;
  candidate.answer = text;
  return candidate;
}

std::vector<Candidate> Choose(std::vector<Candidate> candidates, const GateOptions& options = {}) {
  const std::vector<DistillPrompt> prompts = {{"a", "When is bread done?", std::nullopt},
                                              {"b", "Whose ladder is it?", std::nullopt}};
  ChooseAnswers(prompts, Echo(), options, &candidates);
  return candidates;
}

std::string StoppedBy(const Candidate& candidate) {
  std::string gates;
  for (const GateDecision& decision : candidate.gates) {
    if (!decision.passed) gates += (gates.empty() ? "" : " ") + decision.gate;
  }
  return gates;
}

std::string StoppedBy(const std::string& text, const std::string& state = "ok") {
  const auto candidates = Choose({Answer(0, 0, text, state)});
  EXPECT_EQ(candidates[0].chosen, StoppedBy(candidates[0]).empty());
  return StoppedBy(candidates[0]);
}

TEST(Gates, EachStopsWhatItIsFor) {
  EXPECT_EQ(StoppedBy(kBread), "");
  EXPECT_EQ(StoppedBy(""), "given");
  EXPECT_EQ(StoppedBy("", "blocked"), "given");
  EXPECT_EQ(StoppedBy(kBread, "truncated"), "truncated");
  EXPECT_EQ(StoppedBy(kBread + " And then"), "truncated");
  EXPECT_EQ(StoppedBy("Certainly! " + kBread), "preamble");
  EXPECT_EQ(StoppedBy(kBread + " I hope this helps."), "closing");
  EXPECT_EQ(StoppedBy(kBread + " My axioms say so."), "echo");
  EXPECT_EQ(StoppedBy("At nine."), "length");
  EXPECT_EQ(StoppedBy(kBread + " Caf\xEF\xBF\xBD."), "encoding");
}

TEST(Gates, ARefusalCountsWhenTheRowSaysTheRequestIsBenign) {
  const std::string refusal = "I can't help with ovens. " + kBread;
  for (const bool benign : {true, false}) {
    std::vector<Candidate> candidates = {Answer(0, 0, refusal)};
    ChooseAnswers({{"a", "How hot?", benign}}, Echo(), {}, &candidates);
    EXPECT_EQ(StoppedBy(candidates[0]), benign ? "refusal" : "");
  }
}

TEST(Gates, TheFirstSampleThatPassesIsTaken) {
  const auto candidates =
      Choose({Answer(0, 0, "Sure! " + kBread), Answer(0, 1, kBread), Answer(0, 2, kLadder)});
  EXPECT_FALSE(candidates[0].chosen);
  EXPECT_TRUE(candidates[1].chosen);
  EXPECT_FALSE(candidates[2].chosen);
  EXPECT_EQ(StoppedBy(candidates[2]), "");
}

TEST(Gates, FewerWarningsGoFirst) {
  const auto candidates =
      Choose({Answer(0, 0, "I can't help with ovens. " + kBread), Answer(0, 1, kLadder)});
  EXPECT_EQ(candidates[0].warnings, 1);
  EXPECT_TRUE(candidates[1].chosen);
}

TEST(Gates, AnAnswerNearOneThatWasTakenIsStopped) {
  const auto candidates =
      Choose({Answer(0, 0, kBread), Answer(1, 0, kBread + " So there."), Answer(1, 1, kLadder)});
  EXPECT_TRUE(candidates[0].chosen);
  EXPECT_EQ(StoppedBy(candidates[1]), "duplicate");
  EXPECT_TRUE(candidates[2].chosen);
}

TEST(Gates, CanBeSkippedByName) {
  GateOptions options;
  options.skipped = {"preamble"};
  const auto candidates = Choose({Answer(0, 0, "Sure! " + kBread)}, options);
  EXPECT_TRUE(candidates[0].chosen);
  CheckGates(options);
  options.skipped = {"preambel"};
  EXPECT_THROW(CheckGates(options), UsageError);
}

}  // namespace
}  // namespace lem
