// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/task_aggregates.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "base/random.h"

namespace lem {
namespace {

constexpr int kDraws = 1000;
constexpr uint64_t kSeed = 20260131;  // fixed, so that a report can be redone
constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

// How often each item was drawn; all ones for the estimate itself.
using Weights = std::vector<int>;
using Statistic = std::function<double(const Weights& weights)>;

// Percentile bootstrap over items. Draws in which the statistic is undefined are left out.
void SetBootstrap(size_t n, const Statistic& statistic, Summary& summary) {
  CounterRandom random(kSeed, n);
  std::vector<double> draws;
  Weights weights(n);
  for (int d = 0; d < kDraws; ++d) {
    std::fill(weights.begin(), weights.end(), 0);
    for (size_t i = 0; i < n; ++i) ++weights[random.NextBelow(n)];
    const double value = statistic(weights);
    if (std::isfinite(value)) draws.push_back(value);
  }
  if (draws.size() < kDraws / 2) return;
  std::sort(draws.begin(), draws.end());
  const auto at = [&](double p) {
    return draws[static_cast<size_t>(p * static_cast<double>(draws.size() - 1))];
  };
  summary.low = std::min(at(0.025), *summary.value);
  summary.high = std::max(at(0.975), *summary.value);
  summary.interval = "bootstrap";
}

void Add(const RunPlan& plan, const char* name, size_t n, const Statistic& statistic,
         std::vector<Summary>& summaries) {
  Summary summary;
  summary.model = plan.model;
  summary.task = plan.task;
  summary.metric = name;
  summary.subset = plan.subset;
  summary.n = static_cast<int64_t>(n);
  summary.missing = static_cast<int64_t>(plan.items.size()) - summary.n;
  const double value = n == 0 ? kUndefined : statistic(Weights(n, 1));
  if (std::isfinite(value)) {
    summary.value = value;
    SetBootstrap(n, statistic, summary);
  }
  summaries.push_back(std::move(summary));
}

double MeanOf(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// --- spread over extractors
// -----------------------------------------------------------------------

void AddSpread(const RunPlan& plan, const MetricItemValues& values,
               std::vector<Summary>& summaries) {
  std::vector<const std::map<std::string, std::vector<double>>*> columns;
  for (const char* name :
       {"gsm8k.lem", "gsm8k.strict", "gsm8k.flexible", "gsm8k.final", "arithmetic.exact"}) {
    const auto found = values.find(name);
    if (found != values.end()) columns.push_back(&found->second);
  }
  if (columns.size() < 2) return;
  std::vector<std::vector<double>> rows;  // items for which every extractor has a verdict
  for (const std::string& item : plan.items) {
    std::vector<double> row;
    for (const auto* column : columns) {
      const auto found = column->find(item);
      if (found != column->end()) row.push_back(MeanOf(found->second));
    }
    if (row.size() == columns.size()) rows.push_back(std::move(row));
  }
  Add(
      plan, "gsm8k.spread", rows.size(),
      [&](const Weights& weights) {
        double low = HUGE_VAL, high = -HUGE_VAL;
        for (size_t c = 0; c < columns.size(); ++c) {
          double sum = 0;
          for (size_t i = 0; i < rows.size(); ++i) sum += weights[i] * rows[i][c];
          const double mean = sum / static_cast<double>(rows.size());
          low = std::min(low, mean);
          high = std::max(high, mean);
        }
        return high - low;
      },
      summaries);
}

// --- detection
// ------------------------------------------------------------------------------------

struct Verdict {
  bool hateful = false, said_yes = false;
  double p_yes = 0;
  size_t group = 0;
};

struct Table {
  double tp = 0, fn = 0, fp = 0, tn = 0;
  void Count(const Verdict& verdict, int weight) {
    (verdict.hateful ? (verdict.said_yes ? tp : fn) : (verdict.said_yes ? fp : tn)) += weight;
  }
  double hit_rate() const { return tp + fn > 0 ? tp / (tp + fn) : kUndefined; }
  double false_alarm_rate() const { return fp + tn > 0 ? fp / (fp + tn) : kUndefined; }
  double balanced_accuracy() const { return (hit_rate() + 1 - false_alarm_rate()) / 2; }
  double mcc() const {
    const double square = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn);
    return square > 0 ? (tp * tn - fp * fn) / std::sqrt(square) : kUndefined;
  }
};

using Verdicts = std::vector<Verdict>;  // sorted by p_yes

Table TableOf(const Verdicts& verdicts, const Weights& weights) {
  Table table;
  for (size_t i = 0; i < verdicts.size(); ++i) table.Count(verdicts[i], weights[i]);
  return table;
}

// Mann and Whitney's U over the pairs; ties count one half.
double Auroc(const Verdicts& verdicts, const Weights& weights) {
  double below = 0, wins = 0, positives = 0;
  for (size_t i = 0; i < verdicts.size();) {
    double ties_positive = 0, ties_negative = 0;
    const double p = verdicts[i].p_yes;
    for (; i < verdicts.size() && verdicts[i].p_yes == p; ++i) {
      (verdicts[i].hateful ? ties_positive : ties_negative) += weights[i];
    }
    wins += ties_positive * (below + ties_negative / 2);
    positives += ties_positive;
    below += ties_negative;
  }
  return positives * below > 0 ? wins / (positives * below) : kUndefined;
}

double Gap(const Verdicts& verdicts, const Weights& weights, size_t groups, bool misses) {
  std::vector<Table> tables(groups);
  for (size_t i = 0; i < verdicts.size(); ++i) {
    tables[verdicts[i].group].Count(verdicts[i], weights[i]);
  }
  double low = HUGE_VAL, high = -HUGE_VAL;
  for (const Table& table : tables) {
    const double rate = misses ? 1 - table.hit_rate() : table.false_alarm_rate();
    if (!std::isfinite(rate)) continue;
    low = std::min(low, rate);
    high = std::max(high, rate);
  }
  return high >= low ? high - low : kUndefined;
}

Verdicts VerdictsOf(const RunPlan& plan, const ItemSampleMap& samples,
                    const std::map<std::string, std::vector<double>>& p_yes, size_t& groups) {
  std::map<std::string, size_t> ids;
  Verdicts verdicts;
  for (const std::string& item : plan.items) {
    const auto sample = samples.find(item);
    const auto p = p_yes.find(item);
    if (sample == samples.end() || p == p_yes.end() || !sample->second->reference.IsBool())
      continue;
    Verdict verdict;
    verdict.hateful = sample->second->reference.boolean();
    verdict.p_yes = MeanOf(p->second);
    verdict.said_yes = verdict.p_yes > 0.5;
    const Json* group = sample->second->fields.Find("target_group");
    const std::string name = group != nullptr && group->IsString() ? group->string() : "";
    verdict.group = ids.emplace(name, ids.size()).first->second;
    verdicts.push_back(verdict);
  }
  groups = ids.size();
  std::stable_sort(verdicts.begin(), verdicts.end(),
                   [](const Verdict& a, const Verdict& b) { return a.p_yes < b.p_yes; });
  return verdicts;
}

void AddDetection(const RunPlan& plan, const ItemSampleMap& samples, const MetricItemValues& values,
                  std::vector<Summary>& summaries) {
  const auto p_yes = values.find("toxigen.p_yes");
  if (p_yes == values.end()) return;
  size_t groups = 0;
  const Verdicts v = VerdictsOf(plan, samples, p_yes->second, groups);
  const auto add = [&](const char* name, const Statistic& statistic) {
    Add(plan, name, v.size(), statistic, summaries);
  };
  add("toxigen.balanced_accuracy",
      [&](const Weights& w) { return TableOf(v, w).balanced_accuracy(); });
  add("toxigen.mcc", [&](const Weights& w) { return TableOf(v, w).mcc(); });
  add("toxigen.auroc", [&](const Weights& w) { return Auroc(v, w); });
  add("toxigen.fpr_gap", [&](const Weights& w) { return Gap(v, w, groups, false); });
  add("toxigen.fnr_gap", [&](const Weights& w) { return Gap(v, w, groups, true); });
}

}  // namespace

bool IsAggregate(std::string_view name) {
  constexpr std::string_view kNames[] = {"gsm8k.spread",    "toxigen.balanced_accuracy",
                                         "toxigen.mcc",     "toxigen.auroc",
                                         "toxigen.fpr_gap", "toxigen.fnr_gap"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

void AddAggregates(const RunPlan& plan, const ItemSampleMap& samples,
                   const MetricItemValues& values, std::vector<Summary>& summaries) {
  AddSpread(plan, values, summaries);
  AddDetection(plan, samples, values, summaries);
}

}  // namespace lem
