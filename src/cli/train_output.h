// SPDX-License-Identifier: EUPL-1.2
// What a training run shows: mlx-lm's classic lines, a live bar, and one JSON object with --json.
#pragma once

#include "cli/terminal.h"
#include "formats/json.h"
#include "pipelines/train/train.h"

namespace lem::cli {

// Lines go to stdout, or to stderr when stdout is kept for JSON.
class TrainConsole final : public TrainObserver {
 public:
  explicit TrainConsole(bool json) : json_(json) {}
  void OnPhase(TrainPhase phase) override;
  void OnStart(const StartEvent& event) override;
  void OnStep(const StepEvent& event) override;
  void OnEvaluationProgress(int64_t done, int64_t total) override;
  void OnValidation(const ValidationEvent& event) override;
  void OnReport(const ReportEvent& event) override;
  void OnSave(const SaveEvent& event) override;
  void OnTest(double loss, int64_t tokens) override;
  void OnNote(std::string_view line) override { progress_.Note(line); }
  void OnWarning(std::string_view line) override { progress_.Warn(line); }
  void Line(const std::string& line);

 private:
  enum class Bar : uint8_t { kNone, kSteps, kEvaluation };
  void Show(Bar bar, int64_t done, int64_t total);
  bool json_;
  Bar bar_ = Bar::kNone;
  TerminalProgress progress_;
};

Json ToJson(const TrainResult& result);
std::string ProfileText(const TrainResult& result);  // empty without --profile
Json ToJson(const TrainPlan& plan);

}  // namespace lem::cli
