// SPDX-License-Identifier: EUPL-1.2
// A run folder: run.json, samples.jsonl, judgements.jsonl, scores.jsonl, index.sqlite, lock.
//
// Answers and judgements are appended, one synced line each, so that killing the process loses at
// most the line being written; scores are computed from them and replaced as a whole. An answer
// counts when its config is the current plan's: change anything that made it, and it is out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pipelines/progress.h"
#include "pipelines/run_record.h"

namespace lem {

class RunFolder {
 public:
  enum class Access : uint8_t {
    kRead,    // no lock; sees what was complete at the moment of opening
    kWrite,   // takes the lock; the folder must be a run
    kCreate,  // takes the lock; makes the folder and an empty run.json if there is none. A folder
              // that holds other things and no run.json is refused
  };
  // Reads the whole run. A torn last line of a .jsonl file is dropped with a warning (and cut off
  // when writing); any other malformed line is an Error with its number. A second writer is refused
  // with the first one's process id.
  RunFolder(const std::filesystem::path& path, Access access, Progress& progress);
  ~RunFolder();
  RunFolder(RunFolder&&) noexcept;
  RunFolder& operator=(RunFolder&&) noexcept;

  const std::filesystem::path& path() const;

  const RunManifest& manifest() const;
  void SetManifest(RunManifest manifest);  // written atomically, now

  // --- answers -------------------------------------------------------------------------------
  // Every line ever written, oldest first.
  const std::vector<Sample>& all_samples() const;
  // The current ones: for each (model, task, item, repeat) of each plan the newest answered line
  // whose config is the plan's, else the newest failed one. Ordered by plan, item, repeat.
  std::vector<const Sample*> samples() const;
  std::vector<const Sample*> samples(std::string_view model, std::string_view task) const;
  // The newest line of this key, or null. `lem bench` asks it before it computes: an answered line
  // is done, a failed one is tried again.
  const Sample* Find(std::string_view key) const;
  // Appends, syncs, and only then returns. Throws Error on a full disk, having cut off the part
  // that was written: nothing before it is lost. Pointers of samples() are invalid afterwards.
  void Append(Sample sample);
  void Append(std::vector<Sample> samples);  // one sync for all; for imports

  // --- judgements ----------------------------------------------------------------------------
  const std::vector<Judgement>& judgements() const;  // every attempt, oldest first
  void Append(Judgement judgement);
  void Append(std::vector<Judgement> judgements);

  // --- scores --------------------------------------------------------------------------------
  const std::vector<Score>& scores() const;  // of scores.jsonl; empty when never scored
  // Replaces scores.jsonl atomically. The rows are written in the order given, which must depend on
  // the answers alone (ScoreRun's does), so that a resumed run ends with the same bytes.
  void ReplaceScores(std::vector<Score> scores);

 private:
  struct Files;
  std::unique_ptr<Files> files_;
};

// True if `path` holds a run.json.
bool IsRunFolder(const std::filesystem::path& path);

}  // namespace lem
