// SPDX-License-Identifier: EUPL-1.2
// What is known of the judges of a report, and what that makes of the rates they gave.
#include <algorithm>
#include <map>

#include "base/error.h"
#include "pipelines/metrics.h"
#include "pipelines/report/report_data.h"

namespace lem {
namespace {

std::optional<double> NumberAt(const Json& object, const std::string& key) {
  const Json* value = object.Find(key);
  if (value == nullptr || !value->IsNumber()) return std::nullopt;
  return value->number();
}

Measured MeasuredAt(const Json& object, const std::string& key) {
  Measured out;
  out.value = NumberAt(object, key);
  const Json* range = object.Find(key + "_ci95");
  if (range == nullptr || !range->IsArray() || range->size() != 2) return out;
  const Json::Array& ends = range->array();
  if (ends[0].IsNumber() && ends[1].IsNumber())
    out.interval = Interval{ends[0].number(), ends[1].number()};
  return out;
}

std::optional<BinaryCounts> CountsAt(const Json& object, const std::string& where) {
  const Json* counts = object.Find("counts");
  if (counts == nullptr) return std::nullopt;
  BinaryCounts out;
  out.true_positive = counts->At("tp", where).AsInteger(where);
  out.false_positive = counts->At("fp", where).AsInteger(where);
  out.false_negative = counts->At("fn", where).AsInteger(where);
  out.true_negative = counts->At("tn", where).AsInteger(where);
  return out;
}

void AddCalibration(const Json& calibration, const std::string& judge, const std::string& where,
                    ReportData* data) {
  const std::string dataset = calibration.At("dataset", where).AsString(where);
  for (const auto& [name, row] : calibration.At("metrics", where).AsObject(where)) {
    const std::string& metric = name;
    const auto same = [&](const CalibrationRow& known) {
      return known.judge == judge && known.dataset == dataset && known.metric == metric;
    };
    if (std::ranges::any_of(data->calibration, same)) continue;
    CalibrationRow out;
    out.judge = judge;
    out.dataset = dataset;
    out.metric = metric;
    out.n = row.At("n", where).AsInteger(where);
    out.kappa = MeasuredAt(row, "kappa");
    out.ac1 = MeasuredAt(row, "ac1");
    out.alpha = MeasuredAt(row, "alpha");
    out.sensitivity = MeasuredAt(row, "sensitivity");
    out.specificity = MeasuredAt(row, "specificity");
    out.counts = CountsAt(row, where);
    out.threshold = NumberAt(row, "threshold");
    const Metric* known = FindMetric(metric);
    if (!out.threshold && known && known->scale == MetricScale::kProportion) out.threshold = 0.5;
    data->calibration.push_back(std::move(out));
  }
}

// The current judge of a run, when it is one of ours ("recorded" grades have no configuration).
const Json* JudgeOf(const RunFolder& run) {
  const std::string& name = run.manifest().judge;
  return name.empty() ? nullptr : run.manifest().judges.Find(name);
}

// The configurations under which a run's judge graded its answers.
bool GradedUnder(const RunFolder& run, const std::string& hash) {
  return std::ranges::any_of(run.judgements(), [&](const Judgement& j) {
    return j.judge_config == hash && j.judge == run.manifest().judge;
  });
}

void AddCalibrationFile(const std::string& path, ReportData* data) {
  const Json calibration = Json::ParseFile(path);
  const std::string hash = calibration.At("judge_config", path).AsString(path);
  for (const auto& run : data->runs) {
    if (JudgeOf(*run) == nullptr || !GradedUnder(*run, hash)) continue;
    AddCalibration(calibration, run->manifest().judge, path, data);
    return;
  }
  Fail(path, ": expected the calibration of a judge that graded one of these runs, found that of ",
       calibration.At("judge", path).AsString(path),
       " under other words or settings; calibrate the run's own judge with lem judge calibrate");
}

// item -> its values; one each unless the answers were repeated.
std::map<std::string, std::vector<double>> ValuesOf(const ReportData& data, size_t model,
                                                    const std::string& task,
                                                    const std::string& metric) {
  std::map<std::string, std::vector<double>> values;
  const ReportModel& of = data.models[model];
  for (size_t r = 0; r < data.runs.size(); ++r) {
    if (data.runs[r].get() != of.run) continue;
    for (const Score& score : data.scores[r]) {
      if (score.model == of.model && score.task == task && score.metric == metric && score.value)
        values[score.item].push_back(*score.value);
    }
  }
  return values;
}

void Correct(const CalibrationRow& calibration, CorrectedRow* row) {
  const BinaryCounts& c = *calibration.counts;
  const int64_t positives = c.true_positive + c.false_negative;
  const int64_t negatives = c.true_negative + c.false_positive;
  if (positives == 0 || negatives == 0) {
    row->problem = "people labelled all of the calibration's answers alike";
    return;
  }
  row->corrected =
      CorrectRate(row->positive, row->n, c.true_positive, positives, c.true_negative, negatives);
  if (!row->corrected.usable) row->problem = "the judge does not tell the labels apart";
}

void AddCorrected(const CalibrationRow& calibration, ReportData* data) {
  if (!calibration.counts || !calibration.threshold) return;
  for (const ReportSummary& summary : data->summaries) {
    const RunFolder* run = data->models[summary.model].run;
    if (summary.summary.metric != calibration.metric || run->manifest().judge != calibration.judge)
      continue;
    CorrectedRow row;
    row.model = summary.model;
    row.task = summary.summary.task;
    row.metric = calibration.metric;
    row.dataset = calibration.dataset;
    bool repeated = false;
    for (const auto& [item, values] : ValuesOf(*data, row.model, row.task, row.metric)) {
      row.positive += values.front() > *calibration.threshold;
      ++row.n;
      repeated = repeated || values.size() > 1;
    }
    if (row.n == 0) continue;
    row.raw = WilsonInterval(row.positive, row.n);
    if (repeated) {
      row.problem = "several answers to one item";
    } else {
      Correct(calibration, &row);
    }
    data->corrected.push_back(std::move(row));
  }
}

}  // namespace

void AddCalibrations(const ReportOptions& options, ReportData* data) {
  for (const auto& run : data->runs) {
    const Json* judge = JudgeOf(*run);
    if (judge == nullptr) continue;
    const std::string& name = run->manifest().judge;
    if (std::ranges::count(data->judges, name) == 0) data->judges.push_back(name);
    const Json* kept = judge->Find("calibrations");
    if (kept == nullptr || !kept->IsObject()) continue;
    const std::string where = (run->path() / "run.json").string();
    for (const auto& [dataset, calibration] : kept->object()) {
      AddCalibration(calibration, name, where, data);
    }
  }
  for (const std::string& path : options.calibrations) AddCalibrationFile(path, data);
  const std::vector<CalibrationRow> rows = data->calibration;
  for (const CalibrationRow& row : rows) AddCorrected(row, data);
}

}  // namespace lem
