// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/distill/distill.h"

#include <algorithm>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/stop.h"
#include "pipelines/distill/receipts.h"

namespace lem {
namespace fs = std::filesystem;

namespace {

struct Place {
  size_t prompt;
  int sample;
};

// A number that follows from the id, so that a prompt keeps its seed when others come or go.
uint64_t StreamOf(const std::string& id) {
  return std::stoull(Sha256Hex(id).substr(0, 16), nullptr, 16);
}

std::string Trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin);
}

void AskMissing(const std::vector<DistillPrompt>& prompts, const Kernel& kernel,
                const DistillOptions& options, Teacher& teacher, Receipts& receipts,
                Progress& progress) {
  std::vector<Place> places;
  std::vector<TeacherTask> tasks;
  for (size_t i = 0; i < prompts.size(); ++i) {
    for (int sample = 0; sample < options.samples; ++sample) {
      if (receipts.Has(i, sample)) continue;
      places.push_back({i, sample});
      tasks.push_back(MakeTask(prompts[i], sample, kernel, options));
    }
  }
  if (tasks.empty()) return;
  int64_t done = 0;
  progress.Begin("answers", static_cast<int64_t>(tasks.size()), "answers");
  teacher.Answer(tasks, options.request,
                 [&](size_t task, int attempt, const TeacherAnswer& answer, bool settled) {
                   const Place& place = places[task];
                   if (attempt >= 0) receipts.Add(place.prompt, place.sample, answer);
                   if (settled) progress.Update(++done);
                 });
  progress.End();
}

// Every place has its final answer, or the user is told what to do.
void RequireAll(const std::vector<DistillPrompt>& prompts, const DistillOptions& options,
                const Receipts& receipts, const fs::path& path) {
  int64_t missing = 0;
  std::string first;
  for (size_t i = 0; i < prompts.size(); ++i) {
    for (int sample = 0; sample < options.samples; ++sample) {
      if (receipts.Has(i, sample)) continue;
      if (++missing == 1) first = prompts[i].id;
    }
  }
  if (missing == 0) return;
  if (options.allow_missing && !StopRequested()) return;
  if (StopRequested()) {
    throw Interrupted("interrupted with " + std::to_string(missing) +
                      " answers to come; the others are kept, run again to continue");
  }
  Fail(
      path.string(), ": ", missing, " answers could not be had (the first to prompt ", first,
      "); the receipts say why; run again to ask for them once more, or give --allow-missing to go "
      "without them");
}

std::string TrainingRow(const DistillPrompt& prompt, const std::string& answer) {
  Json messages = Json::MakeArray(), row = Json::MakeObject();
  for (const auto& [role, content] :
       {std::pair("user", prompt.text), std::pair("assistant", Trimmed(answer))}) {
    Json message = Json::MakeObject();
    message.Set("role", Json(role));
    message.Set("content", Json(content));
    messages.Append(message);
  }
  row.Set("id", Json(prompt.id));
  row.Set("messages", messages);
  return row.Dump() + "\n";
}

RejectedPrompt Rejection(const DistillPrompt& prompt, const Candidate& candidate) {
  for (const GateDecision& decision : candidate.gates) {
    if (!decision.passed) return {prompt.id, decision.gate, decision.detail};
  }
  return {prompt.id, "", ""};
}

DistillResult WriteResult(const std::vector<DistillPrompt>& prompts,
                          const std::vector<Candidate>& candidates, const DistillOptions& options) {
  DistillResult result;
  result.prompts = static_cast<int64_t>(prompts.size());
  result.answers = static_cast<int64_t>(candidates.size());
  std::string text;
  for (size_t i = 0; i < prompts.size(); ++i) {
    const Candidate *chosen = nullptr, *last = nullptr;
    for (const Candidate& candidate : candidates) {
      if (candidate.prompt != i) continue;
      last = &candidate;
      if (candidate.chosen) chosen = &candidate;
    }
    if (chosen) {
      ++result.accepted;
      text += TrainingRow(prompts[i], chosen->answer);
    } else {
      result.rejected.push_back(last ? Rejection(prompts[i], *last)
                                     : RejectedPrompt{prompts[i].id, "given", "no answer was had"});
    }
  }
  WriteFileAtomically(options.output, text);
  result.output = options.output;
  result.output_sha256 = Sha256Hex(text);
  return result;
}

}  // namespace

TeacherTask MakeTask(const DistillPrompt& prompt, int sample, const Kernel& kernel,
                     const DistillOptions& options) {
  TeacherTask task;
  task.messages = RenderKernel(kernel, options.form, prompt.text);
  CounterRandom random(options.seed, StreamOf(prompt.id));
  random.set_position(static_cast<uint64_t>(sample) * 2);
  task.seed = uint64_t{random.NextWord()} << 32;
  task.seed |= random.NextWord();
  return task;
}

DistillResult Distill(const std::vector<DistillPrompt>& prompts, const Kernel& kernel,
                      const DistillOptions& options, Teacher& teacher, Progress& progress) {
  const fs::path path = options.output.string() + ".receipts.jsonl";
  if (fs::exists(options.output) && !fs::exists(path) && !options.overwrite) {
    Fail(options.output.string(),
         ": this file exists and has no receipts; give --overwrite to replace it, or another "
         "--output");
  }
  Receipts receipts(
      path,
      DistillConfiguration(kernel, options.form, teacher.Identity(), options.request, options.seed),
      prompts, progress);
  const auto reused = static_cast<int64_t>(receipts.Candidates(options.samples).size());
  if (reused > 0) {
    progress.Note(std::to_string(reused) + " answers are there already, from an earlier run");
  }
  AskMissing(prompts, kernel, options, teacher, receipts, progress);
  RequireAll(prompts, options, receipts, path);
  std::vector<Candidate> candidates = receipts.Candidates(options.samples);
  ChooseAnswers(prompts, KernelEcho(kernel), options.gates, &candidates);
  receipts.WriteDecisions(candidates);
  DistillResult result = WriteResult(prompts, candidates, options);
  result.reused = reused;
  result.receipts = path;
  result.kernel_sha256 = kernel.text_sha256;
  return result;
}

}  // namespace lem
