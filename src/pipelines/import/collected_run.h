// SPDX-License-Identifier: EUPL-1.2
// What an importer has read, before it is written: answers in order, recorded grades, facts of the
// tasks.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "pipelines/import/import.h"
#include "pipelines/metrics.h"
#include "pipelines/run_folder.h"

namespace lem {

class CollectedRun {
 public:
  explicit CollectedRun(std::string format) : format_(std::move(format)) {}

  // Hashes a source file, which becomes part of every answer's identity and of run.json.
  void AddFile(const std::string& path);
  void SetFacts(const std::string& task, TaskFacts facts) { facts_[task] = std::move(facts); }
  bool HasFacts(const std::string& task) const { return facts_.count(task) != 0; }
  // An answer. Its repeat is its place among those of the same task, item and model, unless
  // `keep_repeat`. Returns an index for AddGrades.
  size_t Add(Sample sample, bool keep_repeat = false);
  // The first answer of that place, or npos.
  size_t Find(const std::string& task, const std::string& item, const std::string& model) const;
  Sample& sample(size_t index) { return samples_[index]; }
  // Recorded grades of an answer: metric -> number, an object.
  void AddGrades(size_t index, Json values, Json detail);
  size_t size() const { return samples_.size(); }

  // Writes all into the folder.
  ImportResult Write(const ImportOptions& options, Progress& progress);

 private:
  struct Grades {
    size_t index;
    Json values, detail;
  };
  void Identify();
  RunManifest Manifest(RunManifest manifest, const ImportOptions& options) const;
  std::vector<Judgement> Judgements(const RunFolder& run) const;

  std::string format_;
  Json files_ = Json::MakeObject();
  std::map<std::string, TaskFacts> facts_;
  std::vector<Sample> samples_;
  std::map<std::string, int> seen_;      // place -> answers of it
  std::map<std::string, size_t> first_;  // place -> index
  std::vector<Grades> grades_;
};

// The importers. Each reads options.from into the run.
void CollectLemResults(const std::string& from, CollectedRun& run, Progress& progress);
void CollectLmEvalLogs(const std::string& from, CollectedRun& run, Progress& progress);
void CollectAnswers(const std::string& from, CollectedRun& run, Progress& progress);

}  // namespace lem
