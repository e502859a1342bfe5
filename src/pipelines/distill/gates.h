// SPDX-License-Identifier: EUPL-1.2
// What an answer has to pass before it becomes training data, and which of several is taken. A
// pure function of the recorded answers, so that a run can be resumed or looked at again.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lek/answer_rules.h"
#include "pipelines/distill/prompts.h"

namespace lem {

// The gates by name, in order. All but the last judge an answer alone: it was given and whole; no
// stock phrase; no word of the kernel; no refusal of the harmless; length; lost text. The last:
// not near an answer taken before it.
inline constexpr std::string_view kGates[] = {"given",   "truncated", "preamble",
                                              "closing", "echo",      "refusal",
                                              "length",  "encoding",  "duplicate"};

struct GateOptions {
  AnswerBounds bounds;
  double near = 0.6;
  std::vector<std::string> skipped;  // names of gates
};
void CheckGates(const GateOptions& options);  // throws UsageError for an unknown name

struct GateDecision {
  std::string gate;
  bool passed = true;
  std::string detail;  // why not
};

struct Candidate {
  size_t prompt = 0;
  int sample = 0;
  std::string state;  // "ok", or why there is no whole answer
  std::string answer;
  std::vector<GateDecision> gates;
  int warnings = 0;  // of the rules
  bool chosen = false;
};

// Fills gates and warnings of every candidate and chooses at most one for each prompt: prompts in
// order; of a prompt's candidates the one with the fewest warnings, then the earliest sample,
// that passes every gate.
void ChooseAnswers(const std::vector<DistillPrompt>& prompts, const KernelEcho& echo,
                   const GateOptions& options, std::vector<Candidate>* candidates);

}  // namespace lem
