// SPDX-License-Identifier: EUPL-1.2
// Which answers a bench run wants, under which settings, and which of them are there already.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/bench/bench.h"
#include "pipelines/run_folder.h"
#include "pipelines/task.h"

namespace lem {

// A task with the items that were chosen of it. `plan` is complete but for settings and config.
struct TaskRun {
  Task task;
  std::vector<TaskItem> items;
  Sampling sampling;  // the task's with the options applied
  RunPlan plan;
};

// Reads and checks tasks and data. Needs no model, so that mistakes show at once.
std::vector<TaskRun> ChooseTasks(const BenchOptions& options, Progress& progress);

// Fills in plan.settings and plan.config for a model of this identity.
void BindToModel(const Json& model_identity, TaskRun& run);

// Writes models, tasks and plans into run.json. Plans that an earlier, different model of the same
// name has left are taken out, and said so: two models never share a name.
void RecordPlans(const std::string& name, const Json& model_record,
                 const std::vector<TaskRun>& runs, RunFolder& folder, Progress& progress);

// One answer that is wanted and not there.
struct MissingAnswer {
  const TaskRun* run = nullptr;
  const TaskItem* item = nullptr;
  Sample sample;  // everything that is known before it is answered
};
std::vector<MissingAnswer> FindMissing(const TaskRun& run, const RunFolder& folder);

// The seed of one answer: of (seed, task, item, repeat) alone. 63 bits.
uint64_t AnswerSeed(uint64_t seed, std::string_view task, std::string_view item, int repeat);

}  // namespace lem
