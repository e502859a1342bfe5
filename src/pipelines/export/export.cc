// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/export/export.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "base/atomic_file.h"
#include "base/error.h"
#include "pipelines/export/lm_eval_rows.h"
#include "pipelines/run_folder.h"

namespace lem {
namespace {

namespace fs = std::filesystem;

using ItemScores =
    std::map<std::string, std::map<std::string, double>>;  // place -> metric -> value

std::string Place(const std::string& task, const std::string& item, int repeat) {
  return task + '\x1f' + item + '\x1f' + std::to_string(repeat);
}

ItemScores ScoresOfModel(const RunFolder& run, const std::string& model) {
  ItemScores scores;
  for (const Score& score : run.scores()) {
    if (score.model != model || !score.value) continue;
    scores[Place(score.task, score.item, score.repeat)][score.metric] = *score.value;
  }
  return scores;
}

// lm-eval's form of a time: 2026-01-31T12-00-00.000000.
std::string FileTime(const std::string& created) {
  std::string time = created.substr(0, created.find('Z'));
  std::replace(time.begin(), time.end(), ':', '-');
  return time + ".000000";
}

// A file name, whatever the model is called.
std::string SafeName(const std::string& name) {
  std::string safe;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_';
    safe.push_back(plain ? c : '_');
  }
  return safe.empty() || safe[0] == '.' ? "_" + safe : safe;
}

// The mean and the standard error of the mean (n - 1), as lm-eval reports.
Json ResultOf(const LmEvalLog& log) {
  Json out = Json::MakeObject();
  for (const auto& [name, values] : log.values) {
    const double n = static_cast<double>(values.size());
    double sum = 0, squares = 0;
    for (const double value : values) sum += value;
    for (const double value : values) squares += (value - sum / n) * (value - sum / n);
    out.Set(name, Json(sum / n));
    const size_t comma = name.find(',');
    const std::string error = name.substr(0, comma) + "_stderr" + name.substr(comma);
    out.Set(error, n > 1 ? Json(std::sqrt(squares / (n - 1) / n)) : Json("N/A"));
  }
  return out;
}

Json ResultsFile(const RunFolder& run, const std::string& model, const LmEvalLogs& logs) {
  Json results = Json::MakeObject(), counts = Json::MakeObject(), config = Json::MakeObject();
  for (const auto& [task, log] : logs) {
    results.Set(task, ResultOf(log));
    Json count = Json::MakeObject();
    const size_t documents =
        log.values.empty() ? log.rows.size() : log.values.begin()->second.size();
    count.Set("original", Json(documents));
    count.Set("effective", Json(documents));
    counts.Set(task, std::move(count));
  }
  config.Set("model", Json("lem"));
  if (const Json* record = run.manifest().models.Find(model)) config.Set("model_args", *record);
  Json out = Json::MakeObject();
  out.Set("results", std::move(results));
  out.Set("n-samples", std::move(counts));
  out.Set("config", std::move(config));
  out.Set("model_name", Json(model));
  out.Set("date", Json(run.manifest().created));
  out.Set("lem", run.manifest().tool);
  return out;
}

LmEvalLogs LogsOf(const RunFolder& run, const std::string& model, int64_t& failed) {
  const ItemScores scores = ScoresOfModel(run, model);
  LmEvalLogs logs;
  for (const RunPlan& plan : run.manifest().plans) {
    if (plan.model != model) continue;
    std::map<std::string, int64_t> places;
    for (size_t i = 0; i < plan.items.size(); ++i) places[plan.items[i]] = static_cast<int64_t>(i);
    for (const Sample* sample : run.samples(plan.model, plan.task)) {
      if (!sample->answered()) {
        ++failed;
        continue;
      }
      const auto found = scores.find(Place(sample->task, sample->item, sample->repeat));
      AddLmEvalRows(*sample, places[sample->item],
                    found == scores.end() ? std::map<std::string, double>() : found->second, logs);
    }
  }
  return logs;
}

void WriteModel(const RunFolder& run, const std::string& model, const fs::path& to,
                ExportResult& result, int64_t& failed) {
  const LmEvalLogs logs = LogsOf(run, model, failed);
  const std::string time = FileTime(run.manifest().created);
  const fs::path folder = to / SafeName(model);
  for (const auto& [task, log] : logs) {
    std::string text;
    for (const Json& row : log.rows) text += row.Dump() + "\n";
    const fs::path path = folder / ("samples_" + SafeName(task) + "_" + time + ".jsonl");
    WriteFileAtomically(path, text);
    result.files.push_back(path.string());
    result.rows += static_cast<int64_t>(log.rows.size());
  }
  if (logs.empty()) return;
  Json::Format format;
  format.indent = 2;
  const fs::path path = folder / ("results_" + time + ".json");
  WriteFileAtomically(path, ResultsFile(run, model, logs).Dump(format) + "\n");
  result.files.push_back(path.string());
}

}  // namespace

ExportResult ExportRun(const ExportOptions& options, Progress& progress) {
  const RunFolder run(options.run, RunFolder::Access::kRead, progress);
  const std::vector<std::string> all = run.manifest().model_names();
  for (const std::string& model : options.models) {
    if (std::find(all.begin(), all.end(), model) == all.end()) {
      FailUsage("--models: ", options.run, " has no model ", model);
    }
  }
  ExportResult result;
  int64_t failed = 0;
  for (const std::string& model : options.models.empty() ? all : options.models) {
    WriteModel(run, model, options.to, result, failed);
  }
  if (failed > 0) {
    progress.Warn(std::to_string(failed) + " rows without an answer are left out");
  }
  if (result.rows == 0) Fail(options.run, ": expected answers to export, found none");
  return result;
}

}  // namespace lem
