// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/judge/calibrate.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/random.h"
#include "pipelines/judge/calibration_store.h"
#include "pipelines/judge/labelled_rows.h"
#include "pipelines/judge/wanted_judgements.h"
#include "stats/agreement.h"

namespace lem {
namespace {

constexpr int kBins = 10;
constexpr uint64_t kRowStream = 0x726f7773;  // drawing rows shares no numbers with anything else

void KeepDrawn(int64_t limit, uint64_t seed, std::vector<LabelledRow>& rows) {
  const auto size = static_cast<int64_t>(rows.size());
  if (limit <= 0 || limit >= size) return;
  CounterRandom random(seed, kRowStream);
  for (int64_t i = 0; i < limit; ++i) {
    const auto at = static_cast<size_t>(i);
    std::swap(rows[at], rows[at + random.NextBelow(static_cast<uint64_t>(size - i))]);
  }
  rows.resize(static_cast<size_t>(limit));
}

Wanted AllRows(const Judge& judge, const LabelledData& data, const std::string& dataset) {
  Wanted wanted;
  for (const LabelledRow& row : data.rows) {
    Judgement judgement = BlankRow(judge, data.rubric, "calibration");
    judgement.task = dataset;
    judgement.item = row.id;
    judgement.key = JudgementKey(judge, judgement, row.text.answer);
    wanted.Add(std::move(judgement), RubricByName(data.rubric), row.text);
  }
  return wanted;
}

// One metric's labels beside the judge's categories, and its probability of yes when it gives one.
struct Ratings {
  std::vector<int> human, judged;
  std::vector<double> probability;  // as long as judged, or empty
};

Json Pair(const Interval& interval) {
  Json out = Json::MakeArray();
  out.Append(Json(interval.low));
  out.Append(Json(interval.high));
  return out;
}

Json Confusion(const Ratings& r, int categories) {
  std::vector<std::vector<int64_t>> table(static_cast<size_t>(categories),
                                          std::vector<int64_t>(static_cast<size_t>(categories)));
  for (size_t i = 0; i < r.human.size(); ++i) {
    ++table[static_cast<size_t>(r.human[i])][static_cast<size_t>(r.judged[i])];
  }
  Json rows = Json::MakeArray();
  for (const auto& row : table) {
    Json cells = Json::MakeArray();
    for (const int64_t cell : row) cells.Append(Json(cell));
    rows.Append(std::move(cells));
  }
  return rows;
}

// What share of the answers is positive to people, where the judge says p.
Json Reliability(const Ratings& r) {
  Json bins = Json::MakeArray();
  for (int bin = 0; bin < kBins; ++bin) {
    double sum = 0;
    int64_t n = 0, positive = 0;
    for (size_t i = 0; i < r.probability.size(); ++i) {
      const int at = std::min(kBins - 1, static_cast<int>(r.probability[i] * kBins));
      if (at != bin) continue;
      sum += r.probability[i];
      positive += r.human[i];
      ++n;
    }
    Json row = Json::MakeObject();
    row.Set("from", Json(static_cast<double>(bin) / kBins));
    row.Set("to", Json(static_cast<double>(bin + 1) / kBins));
    row.Set("n", Json(n));
    row.Set("mean", n > 0 ? Json(sum / static_cast<double>(n)) : Json());
    row.Set("rate", n > 0 ? Json(static_cast<double>(positive) / static_cast<double>(n)) : Json());
    bins.Append(std::move(row));
  }
  return bins;
}

void AddBinary(const Ratings& r, Json& out) {
  BinaryCounts c;
  for (size_t i = 0; i < r.human.size(); ++i) {
    int64_t& cell = r.human[i] ? (r.judged[i] ? c.true_positive : c.false_negative)
                               : (r.judged[i] ? c.false_positive : c.true_negative);
    ++cell;
  }
  const BinaryQuality q = MeasureBinary(c);
  const auto n = static_cast<double>(r.human.size());
  Json counts = Json::MakeObject();
  counts.Set("tp", Json(c.true_positive));
  counts.Set("fp", Json(c.false_positive));
  counts.Set("fn", Json(c.false_negative));
  counts.Set("tn", Json(c.true_negative));
  out.Set("counts", std::move(counts));
  out.Set("sensitivity", Json(q.recall));
  out.Set("sensitivity_ci95", Pair(q.recall_interval));
  out.Set("specificity", Json(q.specificity));
  out.Set("specificity_ci95", Pair(q.specificity_interval));
  out.Set("precision", Json(q.precision));
  out.Set("f1", Json(q.f1));
  out.Set("mcc", Json(q.mcc));
  out.Set("human_rate", Json(static_cast<double>(c.true_positive + c.false_negative) / n));
  out.Set("judged_rate", Json(static_cast<double>(c.true_positive + c.false_positive) / n));
  if (!r.probability.empty()) out.Set("reliability", Reliability(r));
}

Json Measure(const Ratings& r, int categories, double threshold) {
  Json out = Json::MakeObject();
  out.Set("n", Json(static_cast<int64_t>(r.human.size())));
  out.Set("labels", Json(categories));
  if (r.human.size() < 2) return out;
  const Agreement a = MeasureAgreement(r.human, r.judged, categories);
  const AgreementIntervals intervals = BootstrapAgreement(r.human, r.judged, categories, 0);
  out.Set("confusion", Confusion(r, categories));  // rows: people; columns: the judge
  out.Set("observed", Json(a.observed));
  out.Set("kappa", Json(a.cohen_kappa));
  out.Set("kappa_ci95", Pair(intervals.cohen_kappa));
  out.Set("kappa_quadratic", Json(a.kappa_quadratic));
  out.Set("ac1", Json(a.gwet_ac1));
  out.Set("ac1_ci95", Pair(intervals.gwet_ac1));
  out.Set("alpha", Json(a.alpha_nominal));
  out.Set("alpha_ci95", Pair(intervals.alpha_nominal));
  if (categories == 2) {
    AddBinary(r, out);
    out.Set("threshold", Json(threshold));
  }
  return out;
}

// The probability of yes of a dimension with two grades; nothing for other judges.
const Json* ProbabilityOfYes(const Judgement& j, const std::string& metric) {
  const Json* dimensions = j.detail.Find("dimensions");
  if (dimensions == nullptr) return nullptr;
  const Json* dimension = dimensions->Find(metric.substr(metric.find('.') + 1));
  const Json* grades = dimension == nullptr ? nullptr : dimension->Find("probabilities");
  return grades == nullptr ? nullptr : grades->Find("yes");
}

Json MeasureAll(const LabelledData& data, const RunFolder& run, const Judge& judge, Json& missing) {
  std::unordered_map<std::string, const Judgement*> by_item;
  for (const Judgement& j : run.judgements()) {
    if (j.judge_config != judge.hash() || j.purpose != "calibration") continue;
    const Judgement*& kept = by_item[j.item];
    if (kept == nullptr || j.state == State::kOk || kept->state != State::kOk) kept = &j;
  }
  std::map<std::string, Ratings> ratings;
  std::map<std::string, int64_t> states;
  for (const LabelledRow& row : data.rows) {
    const auto found = by_item.find(row.id);
    if (found == by_item.end() || found->second->state != State::kOk) {
      ++states[found == by_item.end() ? "skipped" : std::string(StateName(found->second->state))];
      continue;
    }
    const Judgement& j = *found->second;
    for (const auto& [metric, label] : row.labels) {
      const Json* value = j.values.Find(metric);
      if (value == nullptr || !value->IsNumber()) continue;
      Ratings& r = ratings[metric];
      r.human.push_back(label);
      r.judged.push_back(CategoryOf(metric, value->number()));
      if (const Json* p = ProbabilityOfYes(j, metric)) r.probability.push_back(p->number());
    }
  }
  missing = Json::MakeObject();
  for (const auto& [state, n] : states) missing.Set(state, Json(n));
  Json out = Json::MakeObject();
  for (const auto& [metric, r] : ratings)
    out.Set(metric, Measure(r, data.categories.at(metric), PositiveAbove(metric)));
  return out;
}

}  // namespace

Json CalibrateJudge(const CalibrateOptions& options, Progress& progress) {
  LabelledData data = ReadLabelledData(options.dataset);  // before the model: it may be absent
  KeepDrawn(options.limit, options.judge.seed, data.rows);
  const std::unique_ptr<Judge> judge = OpenJudge(options.judge, progress);
  const std::string name = CalibrationName(options.dataset, judge->hash());
  RunFolder run(CalibrationFolder() / name, RunFolder::Access::kCreate, progress);
  RunManifest manifest = run.manifest();
  manifest.judges.Set(judge->name(), judge->config());
  manifest.judge = judge->name();
  run.SetManifest(std::move(manifest));
  Wanted wanted = AllRows(*judge, data, options.dataset);
  KeepUnjudged(run, wanted);
  JudgeWanted(*judge, std::move(wanted), "judging labelled answers", run, progress);
  Json missing;
  Json metrics = MeasureAll(data, run, *judge, missing);
  Json out = Json::MakeObject();
  out.Set("judge", Json(judge->name()));
  out.Set("judge_config", Json(judge->hash()));
  out.Set("dataset", Json(options.dataset));
  out.Set("data", data.files);
  out.Set("created", Json(UtcNow()));
  out.Set("rows", Json(static_cast<int64_t>(data.rows.size())));
  out.Set("seed", Json(std::to_string(options.judge.seed)));
  out.Set("missing", std::move(missing));
  out.Set("metrics", std::move(metrics));
  Json::Format format;
  format.indent = 1;
  const std::string text = out.Dump(format) + "\n";
  WriteFileAtomically(CalibrationFolder() / (name + ".json"), text);
  if (!options.out.empty()) WriteFileAtomically(options.out, text);
  return out;
}

}  // namespace lem
