// SPDX-License-Identifier: EUPL-1.2
// Metrics of written answers.
#pragma once

#include <string>

#include "pipelines/run_record.h"

namespace lem {

// 1 if the extracted number is the gold one, 0 if not or if there is none. detail: extracted (null:
// none), rule, span (bytes of the response). Skipped without a reference.
Score Gsm8kLem(const Sample& sample, const std::string& metric);
Score Gsm8kStrict(const Sample& sample, const std::string& metric);
Score Gsm8kFlexible(const Sample& sample, const std::string& metric);
Score Gsm8kFinal(const Sample& sample, const std::string& metric);
// 1 if the answer has its number behind ####, whatever the number.
Score Gsm8kFormat(const Sample& sample, const std::string& metric);
// 1 if the four extractors do not agree whether the answer is right: the queue of what to read.
Score Gsm8kDisagreement(const Sample& sample, const std::string& metric);

Score LekV1Metric(const Sample& sample, const std::string& metric);
Score LekV2Metric(const Sample& sample, const std::string& metric);
Score LekV3Metric(const Sample& sample, const std::string& metric);

// Of answer_quality.h. truncated: the token limit ended it; skipped when the reason is unknown.
Score Truncated(const Sample& sample, const std::string& metric);
Score Unfinished(const Sample& sample, const std::string& metric);
Score Looping(const Sample& sample, const std::string& metric);
Score Empty(const Sample& sample, const std::string& metric);
Score Refused(const Sample& sample, const std::string& metric);
Score RunOn(const Sample& sample, const std::string& metric);
Score Words(const Sample& sample, const std::string& metric);

}  // namespace lem
