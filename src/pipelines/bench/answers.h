// SPDX-License-Identifier: EUPL-1.2
// Missing answers -> answers in the run folder, each on the disk as soon as it is finished.
#pragma once

#include <vector>

#include "model/engine.h"
#include "pipelines/bench/bench_plan.h"

namespace lem {

// Tasks that generate, all in one continuous batch. After Ctrl-C it returns, with what is finished
// kept. An item that cannot be asked becomes a failed answer with its reason.
void GenerateAnswers(const LoadedModel& model, Engine& engine, std::vector<MissingAnswer> missing,
                     RunFolder& folder, Progress& progress);

// One task whose choices are scored, a few dozen items at a time.
void ScoreChoices(const LoadedModel& model, Engine& engine, std::vector<MissingAnswer> missing,
                  RunFolder& folder, Progress& progress);

}  // namespace lem
