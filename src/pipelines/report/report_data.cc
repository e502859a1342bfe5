// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/report/report_data.h"

#include <algorithm>

#include "base/error.h"

namespace lem {
namespace {

void OpenRuns(const ReportOptions& options, ReportData* data, Progress& progress) {
  if (options.runs.empty()) FailUsage("expected at least one run folder, found none");
  for (const std::string& path : options.runs) {
    data->runs.push_back(std::make_unique<RunFolder>(path, RunFolder::Access::kRead, progress));
    data->scores.push_back(KeptScores(*data->runs.back()));
  }
}

void NameModels(ReportData* data) {
  std::map<std::string, int> uses;
  for (const auto& run : data->runs) {
    for (const std::string& model : run->manifest().model_names()) {
      data->models.push_back({run.get(), model, model});
      ++uses[model];
    }
  }
  for (ReportModel& model : data->models) {
    if (uses[model.model] > 1) model.label += " (" + model.run->path().filename().string() + ")";
  }
}

size_t IndexOf(const ReportData& data, const RunFolder* run, const std::string& model) {
  for (size_t i = 0; i < data.models.size(); ++i) {
    if (data.models[i].run == run && data.models[i].model == model) return i;
  }
  return data.models.size();
}

void AddSummaries(ReportData* data) {
  for (size_t r = 0; r < data->runs.size(); ++r) {
    const RunFolder* run = data->runs[r].get();
    for (Summary& summary : Summarise(*run, data->scores[r])) {
      const size_t model = IndexOf(*data, run, summary.model);
      if (model == data->models.size()) continue;
      if (std::ranges::count(data->tasks, summary.task) == 0) data->tasks.push_back(summary.task);
      data->summaries.push_back({model, std::move(summary)});
    }
  }
}

void AddItems(ReportData* data) {
  for (size_t r = 0; r < data->runs.size(); ++r) {
    const RunFolder* run = data->runs[r].get();
    std::map<std::tuple<std::string, std::string, std::string, int>, std::vector<const Score*>>
        scores;
    for (const Score& score : data->scores[r]) {
      scores[{score.model, score.task, score.item, score.repeat}].push_back(&score);
    }
    for (const Sample* sample : run->samples()) {
      const size_t model = IndexOf(*data, run, sample->model);
      if (model == data->models.size()) continue;
      data->items[sample->task][sample->item].push_back(
          {model, sample, scores[{sample->model, sample->task, sample->item, sample->repeat}]});
    }
  }
}

const ReportModel& ModelCalled(const ReportData& data, const std::string& name) {
  std::string known;
  for (const ReportModel& model : data.models) {
    if (model.label == name) return model;
    known += (known.empty() ? "" : ", ") + model.label;
  }
  FailUsage("expected the name of a model of these runs (", known, "), found ", name);
}

void Compare(const ReportModel& a, const ReportModel& b, const ReportOptions& options,
             ReportData* data, Progress& progress) {
  ComparisonSet set = CompareSides({a.run, a.model}, {b.run, b.model}, options.comparison);
  set.model_a = a.label;
  set.model_b = b.label;
  for (const std::string& warning : set.warnings) progress.Warn(warning);
  data->comparisons.push_back(std::move(set));
}

void AddComparisons(const ReportOptions& options, ReportData* data, Progress& progress) {
  for (size_t i = 0; i < data->models.size(); ++i) {
    for (size_t j = i + 1; j < data->models.size() && (i == 0 || options.all_pairs); ++j) {
      const ReportModel &a = data->models[i], &b = data->models[j];
      try {
        Compare(a, b, options, data, progress);
      } catch (const Error& e) {
        progress.Warn(a.label + " and " + b.label + " are not compared: " + e.what());
      }
    }
  }
}

// The pairs asked for; those of one list are corrected together.
void AddPairs(const ReportOptions& options, ReportData* data, Progress& progress) {
  for (const auto& pairs : options.pairs) {
    const size_t begin = data->comparisons.size();
    for (const auto& [a, b] : pairs) {
      Compare(ModelCalled(*data, a), ModelCalled(*data, b), options, data, progress);
    }
    std::vector<ComparisonSet*> family;
    for (size_t i = begin; i < data->comparisons.size(); ++i) {
      data->comparisons[i].pairs_in_family = static_cast<int64_t>(pairs.size());
      family.push_back(&data->comparisons[i]);
    }
    AdjustTogether(family);
  }
}

std::vector<RunSide> SidesCalled(const ReportData& data, const std::vector<std::string>& names) {
  std::vector<RunSide> sides;
  for (const std::string& name : names) {
    const ReportModel& model = ModelCalled(data, name);
    sides.push_back({model.run, model.model});
  }
  return sides;
}

void AddSeeds(const ReportOptions& options, ReportData* data) {
  for (const ReportSeeds& group : options.seeds) {
    const auto bases =
        SidesCalled(*data, group.bases.empty() ? std::vector{group.base} : group.bases);
    const auto sides = SidesCalled(*data, group.models);
    if (bases.size() != 1 && bases.size() != sides.size()) {
      FailUsage(group.base, " and ", group.name, ": expected as many models of both, found ",
                bases.size(), " and ", sides.size());
    }
    SeedSet set = CompareSeeds(bases, sides, options.comparison);
    set.base = group.base;
    set.name = group.name;
    data->seeds.push_back(std::move(set));
  }
}

}  // namespace

ReportData BuildReport(const ReportOptions& options, Progress& progress) {
  ReportData data;
  OpenRuns(options, &data, progress);
  NameModels(&data);
  AddSummaries(&data);
  AddItems(&data);
  if (options.pairs.empty() && options.seeds.empty()) {
    AddComparisons(options, &data, progress);
  } else {
    AddPairs(options, &data, progress);
  }
  AddSeeds(options, &data);
  AddCalibrations(options, &data);
  data.groups = GroupRows(data);
  data.baselines = Baselines(data);
  data.plane = SafetyPlane(data);
  return data;
}

}  // namespace lem
