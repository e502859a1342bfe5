// SPDX-License-Identifier: EUPL-1.2
// Judgements -> scores. Which attempt counts: the last one of the current judge configuration with
// purpose "main"; a failed attempt never hides an earlier good one of the same configuration.
#pragma once

#include <string>
#include <vector>

#include "pipelines/run_folder.h"

namespace lem {

// For one answer and one judged metric. The manifest's current judge gives the plain name;
// `judge` picks another. No judgement: kSkipped.
Score JudgedScore(const RunFolder& run, const Sample& sample, const std::string& metric,
                  const std::string& judge);

}  // namespace lem
