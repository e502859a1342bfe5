// SPDX-License-Identifier: EUPL-1.2
// OUT.receipts.jsonl: the first row says how answers were asked for, then one synced row per
// exchange. Everything that is written in the end follows from it.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "lek/kernel.h"
#include "pipelines/append_log.h"
#include "pipelines/distill/gates.h"
#include "pipelines/distill/teacher.h"

namespace lem {

// How answers are asked for: kernel and axioms hashes, form, teacher, request, seed. Answers of
// different configurations are never mixed in one file.
Json DistillConfiguration(const Kernel& kernel, KernelForm form, const Json& teacher,
                          const TeacherRequest& request, uint64_t seed);

class Receipts {
 public:
  // Locks, reads and opens `path`. Throws Error when another process works on it, when its
  // configuration differs (naming the first member that does), or when a row is malformed. Rows of
  // prompts that are not asked now, or whose text changed under the same id, are an Error too.
  Receipts(std::filesystem::path path, const Json& configuration,
           const std::vector<DistillPrompt>& prompts, Progress& progress);
  ~Receipts();
  Receipts(const Receipts&) = delete;
  Receipts& operator=(const Receipts&) = delete;

  bool Has(size_t prompt, int sample) const { return settled_.contains({prompt, sample}); }
  int Attempts(size_t prompt, int sample) const;  // recorded so far

  // On the disk when it returns.
  void Add(size_t prompt, int sample, const TeacherAnswer& answer);

  // Candidates of the final answers, in order of (prompt, sample).
  std::vector<Candidate> Candidates(int samples) const;
  // Rewrites the file with gates and choices in it, atomically.
  void WriteDecisions(const std::vector<Candidate>& candidates);

 private:
  void Read(Progress& progress);
  void ReadRow(Json row, std::string_view where);
  size_t PromptIndex(const Json& row, std::string_view where) const;

  std::filesystem::path path_;
  Json configuration_;
  const std::vector<DistillPrompt>& prompts_;
  std::map<std::string, size_t> by_id_;
  int lock_ = -1;
  AppendLog log_;
  std::vector<Json> rows_;                            // of the file, the first one included
  std::map<std::pair<size_t, int>, size_t> settled_;  // to the row of the final answer
  std::map<std::pair<size_t, int>, int> attempts_;
};

}  // namespace lem
