// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/distill/gates.h"

#include <algorithm>

#include "base/error.h"
#include "lek/minhash.h"

namespace lem {
namespace {

bool Skips(const GateOptions& options, std::string_view gate) {
  return std::ranges::find(options.skipped, gate) != options.skipped.end();
}

void Block(Candidate* candidate, std::string_view gate, const std::string& detail) {
  for (GateDecision& decision : candidate->gates) {
    if (decision.gate != gate || !decision.passed) continue;
    decision.passed = false;
    decision.detail = detail;
  }
}

// Every gate but the last, from the rules' hits.
void JudgeAlone(const DistillPrompt& prompt, const KernelEcho& echo, const GateOptions& options,
                Candidate* candidate) {
  candidate->gates.clear();
  candidate->warnings = 0;
  for (const std::string_view gate : kGates) {
    if (!Skips(options, gate)) candidate->gates.push_back({std::string(gate), true, ""});
  }
  if (candidate->state == "truncated") {
    Block(candidate, "truncated", "the answer reached the token limit");
  } else if (candidate->state != "ok") {
    Block(candidate, "given", "there is no answer: " + candidate->state);
  }
  AnswerContext context;
  context.prompt = prompt.text;
  context.benign = prompt.benign;
  context.echo = &echo;
  context.bounds = options.bounds;
  for (const RuleHit& hit : CheckAnswer(candidate->answer, context)) {
    if (hit.severity == Severity::kWarning)
      ++candidate->warnings;
    else
      Block(candidate, hit.rule == "empty" ? "given" : hit.rule, hit.sentence);
  }
}

bool Passed(const Candidate& candidate) {
  return std::ranges::all_of(candidate.gates, &GateDecision::passed);
}

// What has been taken, so that nothing near it is taken again.
class Accepted {
 public:
  explicit Accepted(double near) : index_(near) {}

  // Empty when nothing is near.
  std::string Near(const Shingles& shingles) const {
    const std::vector<NearPair> found = index_.Find(shingles);
    return found.empty() ? "" : ids_[found[0].a];
  }
  void Add(const std::string& id, Shingles shingles) {
    index_.Add(std::move(shingles));
    ids_.push_back(id);
  }

 private:
  NearIndex index_;
  std::vector<std::string> ids_;
};

void ChooseOne(const DistillPrompt& prompt, const std::vector<Candidate*>& candidates,
               Accepted* accepted) {
  for (Candidate* candidate : candidates) {
    if (const std::string near = accepted->Near(WordShingles(candidate->answer)); !near.empty()) {
      Block(candidate, "duplicate", "nearly the answer taken for " + near);
    }
  }
  const auto first =
      std::ranges::find_if(candidates, [](const Candidate* c) { return Passed(*c); });
  if (first == candidates.end()) return;
  (*first)->chosen = true;
  accepted->Add(prompt.id, WordShingles((*first)->answer));
}

}  // namespace

void CheckGates(const GateOptions& options) {
  for (const std::string& name : options.skipped) {
    if (std::ranges::find(kGates, name) != std::end(kGates)) continue;
    std::string names;
    for (const std::string_view gate : kGates) names += ", " + std::string(gate);
    FailUsage("--skip-gate: expected one of", names.substr(1), "; found ", name);
  }
}

void ChooseAnswers(const std::vector<DistillPrompt>& prompts, const KernelEcho& echo,
                   const GateOptions& options, std::vector<Candidate>* candidates) {
  std::vector<std::vector<Candidate*>> by_prompt(prompts.size());
  for (Candidate& candidate : *candidates) {
    candidate.chosen = false;
    JudgeAlone(prompts[candidate.prompt], echo, options, &candidate);
    by_prompt[candidate.prompt].push_back(&candidate);
  }
  Accepted accepted(options.near);
  for (size_t i = 0; i < prompts.size(); ++i) {
    std::ranges::sort(by_prompt[i], [](const Candidate* x, const Candidate* y) {
      return x->warnings != y->warnings ? x->warnings < y->warnings : x->sample < y->sample;
    });
    ChooseOne(prompts[i], by_prompt[i], &accepted);
  }
}

}  // namespace lem
