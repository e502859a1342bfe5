// SPDX-License-Identifier: EUPL-1.2
// What a report shows, computed once and drawn by HTML and Markdown alike.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pipelines/comparison.h"
#include "pipelines/report/report.h"
#include "pipelines/run_folder.h"
#include "pipelines/seed_spread.h"
#include "pipelines/summary.h"
#include "stats/agreement.h"

namespace lem {

// A model as the report names it: models of different runs may share a name, then the run's folder
// is added.
struct ReportModel {
  const RunFolder* run = nullptr;
  std::string model, label;
};

struct ReportSummary {
  size_t model = 0;  // index into ReportData::models
  Summary summary;
};

// A metric's mean within one value of a grouping field.
struct GroupRow {
  size_t model = 0;
  std::string task, metric, field, group;
  int64_t n = 0;
  double value = 0;
  std::optional<double> low, high;
};

// What an answer that knows nothing would score.
struct Baseline {
  std::string task, metric, rule;
  int64_t n = 0;
  double value = 0;
};

// Share of risky requests refused and of benign twins answered.
struct PlanePoint {
  size_t model = 0;
  double refused = 0, answered = 0;
  int64_t risky = 0, benign = 0;
};

// What a calibration says of a judge and one metric. Numbers that are not defined are unset.
struct Measured {
  std::optional<double> value;
  std::optional<Interval> interval;
};
struct CalibrationRow {
  std::string judge, dataset, metric;
  int64_t n = 0;
  Measured kappa, ac1, alpha, sensitivity, specificity;
  std::optional<BinaryCounts> counts;  // of metrics with two labels
  std::optional<double> threshold;     // a grade above it counts as positive
};

// A judged rate as the judge gives it, and with its measured errors taken out.
struct CorrectedRow {
  size_t model = 0;
  std::string task, metric, dataset;
  int64_t positive = 0, n = 0;
  Interval raw;  // Wilson
  CorrectedRate corrected;
  std::string problem;  // why there is none, when not usable
};

struct ReportItem {
  size_t model = 0;
  const Sample* sample = nullptr;
  std::vector<const Score*> scores;
};

struct ReportData {
  std::vector<std::unique_ptr<RunFolder>> runs;
  std::vector<std::vector<Score>> scores;  // by run
  std::vector<ReportModel> models;
  std::vector<std::string> tasks;  // in order of appearance
  std::vector<ReportSummary> summaries;
  std::vector<ComparisonSet> comparisons;
  std::vector<GroupRow> groups;
  std::vector<Baseline> baselines;
  std::vector<PlanePoint> plane;
  std::vector<SeedSet> seeds;
  std::vector<std::string> judges;          // that graded these runs
  std::vector<CalibrationRow> calibration;  // of these judges
  std::vector<CorrectedRow> corrected;
  // task -> item -> answers
  std::map<std::string, std::map<std::string, std::vector<ReportItem>>> items;
};

ReportData BuildReport(const ReportOptions& options, Progress& progress);
std::vector<GroupRow> GroupRows(const ReportData& data);
std::vector<Baseline> Baselines(const ReportData& data);
std::vector<PlanePoint> SafetyPlane(const ReportData& data);
// Fills judges, calibration and corrected, from run.json and from the files of the options. A file
// of a judge (or of words of a judge) that graded none of the runs is an Error.
void AddCalibrations(const ReportOptions& options, ReportData* data);

}  // namespace lem
