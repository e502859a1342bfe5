// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/comparison.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/error.h"
#include "pipelines/metrics.h"
#include "pipelines/score/score.h"
#include "stats/intervals.h"
#include "stats/multiplicity.h"
#include "stats/paired.h"
#include "stats/power.h"

namespace lem {
namespace {

// item -> mean over repeats of the values that are there.
using ItemValues = std::map<std::string, double>;

struct Side {
  std::map<std::string, ItemValues> metrics;     // by metric name
  std::map<std::string, const Sample*> samples;  // by item, repeat 0
  const RunPlan* plan = nullptr;
};

Side CollectSide(const RunSide& of, const std::vector<Score>& scores, const std::string& task) {
  Side side;
  side.plan = of.run->manifest().FindPlan(of.model, task);
  std::map<std::pair<std::string, std::string>, std::pair<double, int>> sums;
  for (const Score& score : scores) {
    if (score.model != of.model || score.task != task || !score.value) continue;
    auto& [sum, count] = sums[{score.metric, score.item}];
    sum += *score.value;
    ++count;
  }
  for (const auto& [key, sum] : sums) side.metrics[key.first][key.second] = sum.first / sum.second;
  for (const Sample* sample : of.run->samples(of.model, task))
    side.samples.emplace(sample->item, sample);
  return side;
}

// The paired values of one metric.
struct Pairs {
  std::vector<std::string> items;
  std::vector<double> a, b, difference;
  std::vector<int64_t> clusters;  // empty: none declared
};

// A text of the task's definition, "" when it has none: its cluster field, its primary metric.
std::string DefinedText(const RunSide& side, const std::string& task, const char* key) {
  const Json* definition = KeptDefinition(side.run->manifest(), task);
  const Json* value = definition ? definition->Find(key) : nullptr;
  return value && value->IsString() ? value->string() : "";
}

// The metrics both sides have: the primary one first, then in the order of the definition, then the
// others.
std::vector<std::string> CommonMetrics(const RunSide& of, const std::string& task, const Side& a,
                                       const Side& b) {
  std::vector<std::string> order = {DefinedText(of, task, "primary")};
  const Json* definition = KeptDefinition(of.run->manifest(), task);
  const Json* listed = definition ? definition->Find("metrics") : nullptr;
  for (size_t i = 0; listed && listed->IsArray() && i < listed->size(); ++i) {
    if (listed->array()[i].IsString()) order.push_back(listed->array()[i].string());
  }
  for (const auto& [name, values] : a.metrics) order.push_back(name);
  std::vector<std::string> common;
  for (const std::string& name : order) {
    const bool both = a.metrics.contains(name) && b.metrics.contains(name);
    if (both && std::ranges::count(common, name) == 0) common.push_back(name);
  }
  return common;
}

void AddClusters(const Side& side, const std::string& key, Pairs* pairs) {
  if (key.empty()) return;
  std::map<std::string, int64_t> numbers;
  for (const std::string& item : pairs->items) {
    const auto sample = side.samples.find(item);
    const Json* name = sample == side.samples.end() ? nullptr : sample->second->fields.Find(key);
    const std::string cluster = name && name->IsString() ? name->string() : "item " + item;
    pairs->clusters.push_back(
        numbers.emplace(cluster, static_cast<int64_t>(numbers.size())).first->second);
  }
  if (numbers.size() < 2) pairs->clusters.clear();
}

// Items that both sides were asked in the same words.
bool SameQuestion(const Side& a, const Side& b, const std::string& item) {
  const auto in_a = a.samples.find(item), in_b = b.samples.find(item);
  return in_a == a.samples.end() || in_b == b.samples.end() ||
         in_a->second->question == in_b->second->question;
}

Pairs PairUp(const Side& a, const Side& b, const std::string& metric, const std::string& cluster) {
  Pairs pairs;
  const ItemValues &values_a = a.metrics.at(metric), &values_b = b.metrics.at(metric);
  for (const auto& [item, value] : values_a) {
    const auto other = values_b.find(item);
    if (other == values_b.end() || !SameQuestion(a, b, item)) continue;
    pairs.items.push_back(item);
    pairs.a.push_back(value);
    pairs.b.push_back(other->second);
    pairs.difference.push_back(other->second - value);
  }
  AddClusters(a, cluster, &pairs);
  return pairs;
}

double Mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

bool IsBinary(const Pairs& pairs) {
  const auto zero_or_one = [](double v) { return v == 0 || v == 1; };
  return std::ranges::all_of(pairs.a, zero_or_one) && std::ranges::all_of(pairs.b, zero_or_one);
}

void CompareBinary(const Pairs& pairs, double level, Comparison* c) {
  PairedCounts counts;
  for (size_t i = 0; i < pairs.a.size(); ++i) {
    const bool a = pairs.a[i] == 1, b = pairs.b[i] == 1;
    ++(a && b ? counts.both : a ? counts.only_a : b ? counts.only_b : counts.neither);
  }
  const PairedProportions r = ComparePairedProportions(counts, level);
  c->ci = r.interval;
  c->test = "mcnemar-exact";
  c->p = r.exact_p;
  c->mid_p = r.mid_p;
  if (std::isfinite(r.odds_ratio)) c->odds_ratio = r.odds_ratio;
  // One pair of either kind more than was seen, so that a sample without any does not claim to see
  // everything.
  const double discordant =
      static_cast<double>(counts.only_a + counts.only_b + 1) / static_cast<double>(counts.n() + 2);
  c->detectable = DetectablePairedProportion(counts.n(), discordant);
}

constexpr int64_t kFewClusters = 30;

int64_t ClusterCount(const Pairs& pairs) {
  return pairs.clusters.empty() ? 0 : 1 + *std::ranges::max_element(pairs.clusters);
}

// Differences all alike: their spread says nothing, but 0 of n units did otherwise, so up to the
// share that Wilson's interval allows might, each by as much as the metric's range permits. Nothing
// for a metric without a range.
std::optional<Interval> AllAlike(const Pairs& pairs, const Metric* metric, double level) {
  if (metric == nullptr || !(metric->low < metric->high)) return std::nullopt;
  const int64_t clusters = ClusterCount(pairs);
  const auto units = clusters > 0 ? clusters : static_cast<int64_t>(pairs.items.size());
  const double reach = metric->high - metric->low, difference = pairs.difference.front();
  const double share = WilsonInterval(0, units, level).high;
  return Interval{difference - share * (difference + reach),
                  difference + share * (reach - difference)};
}

std::optional<Interval> IntervalOf(const Pairs& pairs, const PairedMeans& means,
                                   const Metric* metric, const ComparisonOptions& options) {
  const auto same = [&](double d) { return d == pairs.difference.front(); };
  if (std::ranges::all_of(pairs.difference, same)) return AllAlike(pairs, metric, options.level);
  const int64_t clusters = ClusterCount(pairs);
  if (clusters == 0) return means.difference.interval;
  if (!(means.difference.standard_error > 0)) {  // they cancel within every cluster
    return EstimateMean(pairs.difference, options.level).interval;
  }
  if (clusters >= kFewClusters) return means.difference.interval;
  return WildClusterInterval(pairs.difference, pairs.clusters, options.seed, 9999, options.level);
}

void CompareScores(const Pairs& pairs, const Metric* metric, const ComparisonOptions& options,
                   Comparison* c) {
  const PairedMeans r =
      ComparePairedMeans(pairs.difference, pairs.clusters, options.seed, options.level);
  c->ci = IntervalOf(pairs, r, metric, options);
  if (c->ci) c->ci = WithinRange(*c->ci, metric);
  c->test = pairs.clusters.empty() ? "sign-flip" : "cluster-sign-flip";
  c->p = r.sign_flip_p;
  c->wilcoxon_p = r.wilcoxon_p;
  // A sample whose differences do not vary says nothing about what it could have shown.
  if (std::isfinite(r.difference.standard_error) && r.difference.standard_error > 0) {
    const double n = static_cast<double>(pairs.a.size());
    c->detectable =
        DetectablePairedMean(static_cast<int64_t>(n), r.difference.standard_error * std::sqrt(n));
    if (options.margin > 0) c->non_inferiority_p = NonInferiorityP(r.difference, options.margin);
  }
}

void SetBounds(const Metric* metric, Comparison* c) {
  c->bounds = {c->difference, c->difference};
  c->bounded = c->missing == 0 || (metric && metric->high > metric->low);
  if (c->missing > 0 && c->bounded) {
    const double reach = metric->high - metric->low;
    c->bounds = MissingBounds(c->difference, c->n, c->missing, -reach, reach);
  }
}

Comparison CompareMetric(const Pairs& pairs, const Metric* metric,
                         const ComparisonOptions& options) {
  Comparison c;
  c.n = static_cast<int64_t>(pairs.items.size());
  c.a = Mean(pairs.a);
  c.b = Mean(pairs.b);
  c.difference = Mean(pairs.difference);
  c.higher_is_better = !metric || metric->higher_is_better;
  if (IsBinary(pairs) && pairs.clusters.empty()) {
    CompareBinary(pairs, options.level, &c);
    if (options.margin > 0 && c.n > 1) {
      c.non_inferiority_p =
          NonInferiorityP(EstimateMean(pairs.difference, options.level), options.margin);
    }
  } else if (c.n > 1) {
    CompareScores(pairs, metric, options, &c);
  } else {
    c.ci = AllAlike(pairs, metric, options.level);
    c.test = "none: one item";
  }
  for (size_t i = 0; i < pairs.items.size(); ++i) {
    const double better = c.higher_is_better ? pairs.difference[i] : -pairs.difference[i];
    if (better > 0) c.gained.push_back(pairs.items[i]);
    if (better < 0) c.lost.push_back(pairs.items[i]);
  }
  return c;
}

int64_t PlannedItems(const Side& a, const Side& b) {
  std::set<std::string> items;
  for (const Side* side : {&a, &b}) {
    if (side->plan) items.insert(side->plan->items.begin(), side->plan->items.end());
    for (const auto& [item, sample] : side->samples) items.insert(item);
  }
  return static_cast<int64_t>(items.size());
}

bool InFamily(const std::string& family, const std::string& metric, const std::string& primary) {
  if (family == "all") return true;
  if (family == "primary") return metric == primary;
  return ("," + family + ",").find("," + metric + ",") != std::string::npos;
}

void WarnAboutTask(const RunSide& a, const RunSide& b, const std::string& task, const Side& side_a,
                   const Side& side_b, std::vector<std::string>* warnings) {
  const Json *da = a.run->manifest().tasks.Find(task), *db = b.run->manifest().tasks.Find(task);
  if (da && db && da->Find("version") && db->Find("version") &&
      *da->Find("version") != *db->Find("version")) {
    warnings->push_back(task + ": the two runs used different versions of the task");
  }
  int64_t different = 0;
  for (const auto& [item, sample] : side_a.samples)
    different += !SameQuestion(side_a, side_b, item);
  if (different > 0) {
    warnings->push_back(task + ": " + std::to_string(different) +
                        " items have different questions in the two runs and were left out");
  }
}

void AdjustForMany(const std::vector<ComparisonSet*>& sets) {
  for (const bool family : {true, false}) {
    std::vector<double> p;
    std::vector<Comparison*> of;
    for (ComparisonSet* set : sets) {
      for (Comparison& c : set->comparisons) {
        if (c.in_family == family && c.p) p.push_back(*c.p), of.push_back(&c);
      }
    }
    const std::vector<double> adjusted = family ? HolmAdjust(p) : BenjaminiHochbergAdjust(p);
    for (size_t i = 0; i < of.size(); ++i) {
      of[i]->p_adjusted = adjusted[i];
      of[i]->adjustment = family ? "holm" : "benjamini-hochberg";
    }
  }
}

bool Wanted(const std::vector<std::string>& names, const std::string& name) {
  return names.empty() || std::ranges::count(names, name) > 0;
}

void CompareTask(const RunSide& a, const RunSide& b, const std::string& task,
                 const std::vector<Score>& scores_a, const std::vector<Score>& scores_b,
                 const ComparisonOptions& options, ComparisonSet* set) {
  const Side side_a = CollectSide(a, scores_a, task), side_b = CollectSide(b, scores_b, task);
  const std::string cluster = DefinedText(a, task, "cluster");
  const std::string primary = DefinedText(a, task, "primary");
  bool any = false;
  for (const std::string& name : CommonMetrics(a, task, side_a, side_b)) {
    if (!Wanted(options.metrics, name)) continue;
    const Pairs pairs = PairUp(side_a, side_b, name, cluster);
    if (pairs.items.empty()) continue;
    Comparison c = CompareMetric(pairs, FindMetric(name), options);
    c.task = task;
    c.metric = name;
    c.missing = PlannedItems(side_a, side_b) - c.n;
    c.in_family = InFamily(options.family, name, primary);
    c.cluster = pairs.clusters.empty() ? "" : cluster;
    for (const Side* side : {&side_a, &side_b}) {
      if (side->plan && !side->plan->subset.empty()) c.subset = side->plan->subset;
    }
    SetBounds(FindMetric(name), &c);
    set->comparisons.push_back(std::move(c));
    any = true;
  }
  if (any) WarnAboutTask(a, b, task, side_a, side_b, &set->warnings);
}

Json Optional(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json ToJson(const Comparison& c) {
  Json row = Json::MakeObject();
  row.Set("task", Json(c.task));
  row.Set("metric", Json(c.metric));
  row.Set("n", Json(c.n));
  row.Set("missing", Json(c.missing));
  row.Set("a", Json(c.a));
  row.Set("b", Json(c.b));
  row.Set("difference", Json(c.difference));
  row.Set("ci95", c.ci ? Json(Json::Array{Json(c.ci->low), Json(c.ci->high)}) : Json());
  row.Set("bounds",
          c.bounded ? Json(Json::Array{Json(c.bounds.low), Json(c.bounds.high)}) : Json());
  row.Set("test", Json(c.test));
  row.Set("p", Optional(c.p));
  row.Set("mid_p", Optional(c.mid_p));
  row.Set("wilcoxon_p", Optional(c.wilcoxon_p));
  row.Set("p_adjusted", Optional(c.p_adjusted));
  row.Set("adjustment", Json(c.adjustment));
  row.Set("in_family", Json(c.in_family));
  row.Set("higher_is_better", Json(c.higher_is_better));
  row.Set("odds_ratio", Optional(c.odds_ratio));
  row.Set("non_inferiority_p", Optional(c.non_inferiority_p));
  Json gained = Json::MakeArray(), lost = Json::MakeArray();
  for (const std::string& item : c.gained) gained.Append(Json(item));
  for (const std::string& item : c.lost) lost.Append(Json(item));
  row.Set("gained", gained);
  row.Set("lost", lost);
  row.Set("detectable", Optional(c.detectable));
  row.Set("cluster", Json(c.cluster));
  row.Set("subset", Json(c.subset));
  return row;
}

}  // namespace

Interval WithinRange(const Interval& difference, const Metric* metric) {
  if (metric == nullptr || !(metric->low < metric->high)) return difference;
  const double reach = metric->high - metric->low;
  return {std::max(difference.low, -reach), std::min(difference.high, reach)};
}

const Json* KeptDefinition(const RunManifest& manifest, std::string_view task) {
  const Json* kept = manifest.tasks.Find(task);
  return kept ? kept->Find("definition") : nullptr;
}

std::vector<Score> KeptScores(const RunFolder& run) {
  return run.scores().empty() ? ScoresOf(run, {}) : run.scores();
}

ComparisonSet CompareSides(const RunSide& a, const RunSide& b, const ComparisonOptions& options) {
  const std::vector<Score> scores_a = KeptScores(*a.run);
  return CompareSides(a, b, scores_a, a.run == b.run ? scores_a : KeptScores(*b.run), options);
}

ComparisonSet CompareSides(const RunSide& a, const RunSide& b, const std::vector<Score>& scores_a,
                           const std::vector<Score>& scores_b, const ComparisonOptions& options) {
  ComparisonSet set;
  set.model_a = a.model;
  set.model_b = b.model;
  set.family = options.family;
  set.level = options.level;
  const std::vector<std::string> others = b.run->manifest().task_names();
  for (const std::string& task : a.run->manifest().task_names()) {
    if (!Wanted(options.tasks, task) || std::ranges::count(others, task) == 0) continue;
    CompareTask(a, b, task, scores_a, scores_b, options, &set);
  }
  if (set.comparisons.empty()) {
    Fail(a.run->path().string(), " (", a.model, ") and ", b.run->path().string(), " (", b.model,
         "): expected items answered and scored by both, found none; run `lem bench` and `lem "
         "score` on both with the same tasks");
  }
  AdjustForMany({&set});
  return set;
}

void AdjustTogether(const std::vector<ComparisonSet*>& sets) { AdjustForMany(sets); }

Json ToJson(const ComparisonSet& set) {
  Json rows = Json::MakeArray(), warnings = Json::MakeArray();
  for (const Comparison& c : set.comparisons) rows.Append(ToJson(c));
  for (const std::string& warning : set.warnings) warnings.Append(Json(warning));
  Json out = Json::MakeObject();
  out.Set("model_a", Json(set.model_a));
  out.Set("model_b", Json(set.model_b));
  out.Set("family", Json(set.family));
  out.Set("level", Json(set.level));
  out.Set("comparisons", rows);
  out.Set("warnings", warnings);
  return out;
}

}  // namespace lem
