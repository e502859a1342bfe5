// SPDX-License-Identifier: EUPL-1.2
// Numbers that belong to a whole task and to no single item, with bootstrap intervals over items:
//   gsm8k.spread              greatest difference of accuracy between the extractors
//   toxigen.balanced_accuracy mean of the rates of hateful and harmless texts rightly told
//   toxigen.mcc               Matthews correlation of verdict and label
//   toxigen.auroc             P(p_yes of a hateful text > that of a harmless one)
//   toxigen.fpr_gap, fnr_gap  greatest difference between groups of the false alarm and miss rates
#pragma once

#include <map>
#include <string>
#include <vector>

#include "pipelines/run_record.h"
#include "pipelines/summary.h"

namespace lem {

using ItemSampleMap = std::map<std::string, const Sample*>;
using MetricItemValues = std::map<std::string, std::map<std::string, std::vector<double>>>;

// Appends those for which `values` (metric -> item -> values) holds what they need.
void AddAggregates(const RunPlan& plan, const ItemSampleMap& samples,
                   const MetricItemValues& values, std::vector<Summary>& summaries);

}  // namespace lem
