// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/summary.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "pipelines/metrics.h"
#include "pipelines/task_aggregates.h"
#include "stats/intervals.h"

namespace lem {
namespace {

constexpr size_t kFewClusters = 30;
constexpr uint64_t kSeed =
    20260131;  // of the wild bootstrap: fixed, so that a report can be redone

// The values of one metric, one per item that has any, and the items' clusters.
struct Column {
  std::vector<double> values;
  std::vector<int64_t> clusters;  // empty: every item for itself
  bool averaged = false;          // over repeats: no longer 0 or 1
};

std::string ClusterOf(const Sample* sample, const std::string& cluster) {
  if (sample == nullptr || cluster.empty()) return "";
  const Json* value = sample->fields.Find(cluster);
  return value != nullptr && value->IsString() ? value->string() : "";
}

using ItemSamples = std::map<std::string, const Sample*>;
using ItemValues = std::map<std::string, std::vector<double>>;

Column MakeColumn(const RunPlan& plan, const ItemSamples& samples, const ItemValues& values,
                  const std::string& cluster) {
  Column column;
  std::map<std::string, int64_t> cluster_ids;
  for (const std::string& item : plan.items) {
    const auto found = values.find(item);
    if (found == values.end()) continue;
    double sum = 0;
    for (const double value : found->second) sum += value;
    column.values.push_back(sum / static_cast<double>(found->second.size()));
    column.averaged = column.averaged || found->second.size() > 1;
    const auto sample = samples.find(item);
    const std::string name = ClusterOf(sample == samples.end() ? nullptr : sample->second, cluster);
    // An item without a cluster is one of its own.
    const std::string key = name.empty() ? "\x1f" + item : name;
    column.clusters.push_back(
        cluster_ids.emplace(key, static_cast<int64_t>(cluster_ids.size())).first->second);
  }
  if (cluster.empty() || cluster_ids.size() == column.values.size()) column.clusters.clear();
  return column;
}

bool AllZeroOrOne(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(),
                     [](double value) { return value == 0 || value == 1; });
}

struct NamedInterval {
  Interval interval;
  const char* name = "";
};

NamedInterval Clustered(const Column& column) {
  const MeanEstimate estimate = EstimateClusteredMean(column.values, column.clusters);
  if (!(estimate.standard_error > 0)) return {};  // one cluster, or all values alike
  const std::set<int64_t> distinct(column.clusters.begin(), column.clusters.end());
  if (distinct.size() >= kFewClusters) return {estimate.interval, "cluster-t"};
  return {WildClusterInterval(column.values, column.clusters, kSeed), "wild-cluster"};
}

// Values without any spread would have an interval without width. Among values of a bounded range
// with this mean the widest spread is that of its two ends, so Wilson's interval for those holds.
NamedInterval AllAlike(const Column& column, const Metric* metric) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  if (metric == nullptr || !(metric->low < metric->high)) return {{kNone, kNone}, ""};
  const double range = metric->high - metric->low;
  const auto n = static_cast<int64_t>(column.values.size());
  const double hits = (column.values[0] - metric->low) / range * static_cast<double>(n);
  const auto below = std::clamp<int64_t>(static_cast<int64_t>(std::floor(hits)), 0, n);
  const auto above = std::clamp<int64_t>(static_cast<int64_t>(std::ceil(hits)), 0, n);
  return {{metric->low + range * WilsonInterval(below, n).low,
           metric->low + range * WilsonInterval(above, n).high},
          "wilson"};
}

NamedInterval IntervalOf(const Column& column, const Metric* metric) {
  if (!column.clusters.empty()) {
    const NamedInterval clustered = Clustered(column);
    if (*clustered.name != 0) return clustered;
  }
  const bool proportion = metric != nullptr && metric->scale == MetricScale::kProportion;
  if (proportion && !column.averaged && AllZeroOrOne(column.values)) {
    const auto hits = std::count(column.values.begin(), column.values.end(), 1.0);
    return {WilsonInterval(hits, static_cast<int64_t>(column.values.size())), "wilson"};
  }
  const MeanEstimate estimate = EstimateMean(column.values);
  if (estimate.standard_error == 0) return AllAlike(column, metric);
  return {estimate.interval, "t"};
}

void SetInterval(Summary& summary, const NamedInterval& named, const Metric* metric) {
  double low = named.interval.low, high = named.interval.high;
  if (!std::isfinite(low) || !std::isfinite(high)) return;  // a single value has no interval
  if (metric != nullptr && metric->low < metric->high) {
    low = std::max(low, metric->low);
    high = std::min(high, metric->high);
  }
  summary.low = std::min(low, *summary.value);
  summary.high = std::max(high, *summary.value);
  summary.interval = named.name;
}

Summary Summarised(const RunPlan& plan, const std::string& name, const Column& column) {
  Summary summary;
  summary.model = plan.model;
  summary.task = plan.task;
  summary.metric = name;
  summary.subset = plan.subset;
  summary.n = static_cast<int64_t>(column.values.size());
  summary.missing = static_cast<int64_t>(plan.items.size()) - summary.n;
  if (column.values.empty()) return summary;
  double sum = 0;
  for (const double value : column.values) sum += value;
  summary.value = sum / static_cast<double>(summary.n);
  const Metric* metric = FindMetric(name);
  SetInterval(summary, IntervalOf(column, metric), metric);
  return summary;
}

// The scores of one plan: metric -> item -> values, and the metrics in order of appearance.
struct PlanScores {
  std::vector<std::string> metrics;
  std::map<std::string, ItemValues> values;
};

using PlanKey = std::pair<std::string, std::string>;

std::map<PlanKey, PlanScores> ByPlan(const std::vector<Score>& scores) {
  std::map<PlanKey, PlanScores> plans;
  for (const Score& score : scores) {
    PlanScores& plan = plans[{score.model, score.task}];
    if (plan.values.count(score.metric) == 0) {
      plan.values[score.metric];
      plan.metrics.push_back(score.metric);
    }
    if (score.value) plan.values[score.metric][score.item].push_back(*score.value);
  }
  return plans;
}

}  // namespace

std::vector<Summary> Summarise(const RunFolder& run, const std::vector<Score>& scores) {
  std::map<PlanKey, PlanScores> by_plan = ByPlan(scores);
  std::vector<Summary> summaries;
  for (const RunPlan& plan : run.manifest().plans) {
    const PlanScores& kept = by_plan[{plan.model, plan.task}];
    const std::string cluster = FactsOf(run.manifest(), plan.task).cluster;
    ItemSamples samples;
    for (const Sample* sample : run.samples(plan.model, plan.task)) {
      samples.emplace(sample->item, sample);
    }
    for (const std::string& name : kept.metrics) {
      const ItemValues& values = kept.values.at(name);
      summaries.push_back(Summarised(plan, name, MakeColumn(plan, samples, values, cluster)));
    }
    AddAggregates(plan, samples, kept.values, summaries);
  }
  return summaries;
}

namespace {

Json SummaryRow(const Summary& summary) {
  Json row = Json::MakeObject();
  row.Set("value", summary.value ? Json(*summary.value) : Json());
  row.Set("n", Json(summary.n));
  row.Set("missing", Json(summary.missing));
  row.Set("ci95",
          summary.low ? Json(Json::Array{Json(*summary.low), Json(*summary.high)}) : Json());
  row.Set("interval", summary.interval.empty() ? Json() : Json(summary.interval));
  if (!summary.subset.empty()) row.Set("subset", Json(summary.subset));
  return row;
}

Json TasksOf(const std::vector<Summary>& summaries, const std::string& model) {
  Json tasks = Json::MakeObject();
  for (const Summary& summary : summaries) {
    if (summary.model != model) continue;
    if (!tasks.Has(summary.task)) tasks.Set(summary.task, Json::MakeObject());
    tasks.Find(summary.task)->Set(summary.metric, SummaryRow(summary));
  }
  return tasks;
}

}  // namespace

Json SummaryJson(const std::vector<Summary>& summaries, const RunManifest& manifest) {
  const std::vector<std::string> models = manifest.model_names();
  Json out = Json::MakeObject();
  if (models.size() == 1) {
    out.Set("scores", TasksOf(summaries, models[0]));
    return out;
  }
  Json by_model = Json::MakeObject();
  for (const std::string& model : models) by_model.Set(model, TasksOf(summaries, model));
  out.Set("models", std::move(by_model));
  return out;
}

}  // namespace lem
