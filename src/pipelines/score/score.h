// SPDX-License-Identifier: EUPL-1.2
// Kept answers -> scores. Nothing is generated and nobody is asked here: the same folder gives the
// same bytes.
#pragma once

#include <string>
#include <vector>

#include "pipelines/progress.h"
#include "pipelines/run_folder.h"

namespace lem {

// The scores of every current answer: computed metrics from the answers, judged metrics from
// judgements.jsonl (kSkipped, "no judge was given", when there is none). Metrics are those of each
// task in run.json; `further` ones that no task of the run lists are computed for all of them.
// Ordered by plan, item, repeat, metric. Throws UsageError for an unknown metric.
std::vector<Score> ScoresOf(const RunFolder& run, const std::vector<std::string>& further);

// ScoresOf, kept in scores.jsonl, and the index rebuilt.
void ScoreRun(RunFolder& run, const std::vector<std::string>& further, Progress& progress);

}  // namespace lem
