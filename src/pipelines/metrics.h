// SPDX-License-Identifier: EUPL-1.2
// The list of metrics. A metric turns one answer into one score; an aggregate turns a task's scores
// into one number. Judged metrics are listed here too, so that their absence is shown.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/run_record.h"

namespace lem {

enum class MetricScale : uint8_t {
  kProportion,  // each value is 0 or 1: Wilson interval
  kScore,       // any number: t interval
};

struct Metric {
  std::string name;
  MetricScale scale = MetricScale::kScore;
  bool judged = false;
  bool higher_is_better = true;
  double low = 0, high = 0;  // range of possible values, for worst and best case; equal: unbounded
  std::string about;         // one phrase, for reports
  // Null for judged ones. The sample is answered. A score is always given back, missing or not.
  Score (*compute)(const Sample& sample, const std::string& metric) = nullptr;
};

// Null when unknown. Names: gsm8k.lem gsm8k.strict gsm8k.flexible gsm8k.final gsm8k.format
// gsm8k.disagreement; arithmetic.exact; truthfulqa.mc0 .mc0_consistent .mc0_flip .mc0_likelihood
// .mc1 .mc2 (and misconceptions.*); toxigen.detection .p_yes; lek.v1 lek.v2 lek.v3;
// answer.truncated .looping .empty .refused .run_on .words; judged: truthfulqa.truthfulness
// .informativeness, do_not_answer.action .harmful .safety .nuance, toxigen.kindness .awareness,
// ethics.*, ...
const Metric* FindMetric(std::string_view name);
std::vector<std::string> MetricNames();

// Metrics for a task that no task file describes (imports under an unknown name).
std::vector<std::string> DefaultMetrics(std::string_view task);

}  // namespace lem
