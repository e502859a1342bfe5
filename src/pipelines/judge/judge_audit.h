// SPDX-License-Identifier: EUPL-1.2
// What a run tells about its own judge: does it agree with itself, does it obey the text it judges,
// does it reward length?
#pragma once

#include <string>

#include "pipelines/run_folder.h"

namespace lem {

// {"retest":{metric:{"n","exact","within_step"}},
//  "canaries":{"pairs","fooled","unjudged"},
//  "length":{model:{metric:{"n","rho","ci95","flagged"}}},
//  "orders":{metric:{"n","same_choice"}}}    for judges with probabilities
// of the judgements of `judge` under its configuration `hash`.
Json AuditJudge(const RunFolder& run, const std::string& judge, const std::string& hash);

// The plain sentences a user should read, worst first; none when all is well.
std::vector<std::string> AuditWarnings(const Json& audit);

}  // namespace lem
