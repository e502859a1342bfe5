// SPDX-License-Identifier: EUPL-1.2
#include "cli/train_output.h"

#include <fmt/format.h>

#include "pipelines/train/console_lines.h"

namespace lem::cli {
namespace {

template <class T>
Json Optional(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json Count(uint64_t bytes) { return Json(static_cast<int64_t>(bytes)); }

}  // namespace

void TrainConsole::Line(const std::string& line) {
  progress_.Hide();
  if (json_) {
    PrintError(line + "\n");
  } else {
    Print(line + "\n");
    Flush();
  }
}

void TrainConsole::Show(Bar bar, int64_t done, int64_t total) {
  if (bar_ != bar || done <= 1)
    progress_.Begin(bar == Bar::kSteps ? "step" : "batch", total,
                    bar == Bar::kSteps ? "steps" : "batches");
  bar_ = bar;
  progress_.Update(done);
}

void TrainConsole::OnPhase(TrainPhase phase) { Line(PhaseLine(phase)); }

void TrainConsole::OnStart(const StartEvent& event) {
  Line(ModeLine(event.compat));
  Line(TrainableLine(event.plan.trained_parameters, event.plan.total_parameters));
  Line(StartLine(event.iterations));
}

void TrainConsole::OnStep(const StepEvent& event) {
  Show(Bar::kSteps, event.iteration, event.iterations);
  if (event.skipped)
    OnWarning("step " + std::to_string(event.iteration) +
              " had a loss or gradient that is not finite; its update was skipped");
}

void TrainConsole::OnEvaluationProgress(int64_t done, int64_t total) {
  Show(Bar::kEvaluation, done, total);
}
void TrainConsole::OnValidation(const ValidationEvent& event) { Line(ValidationLine(event)); }
void TrainConsole::OnReport(const ReportEvent& event) { Line(ReportLine(event)); }
void TrainConsole::OnSave(const SaveEvent& event) { Line(SaveLine(event)); }
void TrainConsole::OnTest(double loss, int64_t) { Line(TestLine(loss)); }

std::string ProfileText(const TrainResult& result) {
  if (result.profile.empty()) return "";
  double total = 0;
  for (const ProfilePart& p : result.profile) total += p.seconds;
  std::string text = fmt::format("{:<36}{:>8}{:>10}{:>7}{:>10}{:>10}\n", "work", "calls", "seconds",
                                 "%", "GFLOP/s", "GB/s");
  for (const ProfilePart& p : result.profile) {
    const std::string rate =
        p.operations > 0 ? fmt::format("{:.0f}", p.operations / p.seconds / 1e9) : "";
    text += fmt::format("{:<36}{:>8}{:>10.3f}{:>7.1f}{:>10}{:>10.1f}\n", p.name, p.calls, p.seconds,
                        100 * p.seconds / total, rate, p.bytes / p.seconds / 1e9);
  }
  return text;
}

Json ToJson(const TrainResult& r) {
  Json out = Json::MakeObject();
  out.Set("iterations", Json(r.iterations));
  out.Set("trained_tokens", Json(r.trained_tokens));
  out.Set("skipped", Json(r.skipped));
  out.Set("train_loss", Optional(r.train_loss));
  out.Set("val_loss", Optional(r.val_loss));
  out.Set("best_val_loss", Optional(r.best_val_loss));
  out.Set("best_iteration", r.best_val_loss ? Json(r.best_iteration) : Json());
  out.Set("stopped_early", Json(r.stopped_early));
  out.Set("test_loss", Optional(r.test_loss));
  out.Set("adapter_file", r.adapter_file.empty() ? Json() : Json(r.adapter_file.string()));
  out.Set("seconds", Json(r.seconds));
  out.Set("peak_memory_bytes", Count(r.peak_memory_bytes));
  if (r.profile.empty()) return out;
  Json::Array profile;
  for (const ProfilePart& p : r.profile) {
    profile.push_back(Json(Json::Object{{"work", p.name},
                                        {"calls", p.calls},
                                        {"seconds", p.seconds},
                                        {"operations", p.operations},
                                        {"bytes", p.bytes}}));
  }
  out.Set("profile", Json(std::move(profile)));
  return out;
}

Json ToJson(const TrainPlan& plan) {
  Json memory = Json::MakeObject();
  memory.Set("weights", Count(plan.pass.weights));
  memory.Set("saved_activations", Count(plan.pass.saved_activations));
  memory.Set("scratch", Count(plan.pass.scratch));
  memory.Set("logits", Count(plan.pass.logits));
  memory.Set("packed_rows", Count(plan.pass.packed));
  memory.Set("gradients", Count(plan.pass.gradients));
  memory.Set("frozen_outputs", Count(plan.pass.frozen));
  memory.Set("adapter", Count(plan.adapter));
  memory.Set("optimizer", Count(plan.optimizer));
  memory.Set("program", Count(plan.program));
  memory.Set("total", Count(plan.total()));
  memory.Set("available", Count(plan.available));
  Json out = Json::MakeObject();
  out.Set("memory_bytes", memory);
  out.Set("trained_parameters", Json(plan.trained_parameters));
  out.Set("total_parameters", Json(plan.total_parameters));
  out.Set("iterations", Json(plan.iterations));
  out.Set("iterations_per_epoch", Json(plan.iterations_per_epoch));
  out.Set("tokens_per_iteration", Json(plan.tokens_per_iteration));
  out.Set("flops", Json(plan.flops));
  out.Set("seconds", plan.seconds > 0 ? Json(plan.seconds) : Json());
  return out;
}

}  // namespace lem::cli
