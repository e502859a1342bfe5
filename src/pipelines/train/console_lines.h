// SPDX-License-Identifier: EUPL-1.2
// The console lines of mlx_lm.lora up to v0.31.3 (mlx-lm 2.9), which scripts parse. Formatted here,
// printed by the command line.
#pragma once

#include <string>

#include "pipelines/train/observer.h"

namespace lem {

std::string PhaseLine(TrainPhase phase);                    // "Loading pretrained model"
std::string ConfigLine(std::string_view file);              // "Loading configuration file FILE"
std::string TrainableLine(int64_t trained, int64_t total);  // "Trainable parameters: 0.123% ..."
std::string ModeLine(bool compat);                          // which rules are in force
std::string StartLine(int64_t iterations);                  // "Starting training..., iters: N"
std::string ValidationLine(const ValidationEvent& event);
std::string ReportLine(const ReportEvent& event);
std::string SaveLine(const SaveEvent& event);
std::string TestLine(double loss);
std::string TruncationLine(int64_t max_seq_length, size_t longest);  // a warning
// The plan as a few lines of text, for --plan and refusals: memory by kind, steps, time.
std::string PlanText(const TrainPlan& plan);

}  // namespace lem
