// SPDX-License-Identifier: EUPL-1.2
// Judgements that are wanted, those of them that are there, and the rest asked for: the part that
// judging a run and calibrating a judge have in common.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pipelines/judge/judge.h"
#include "pipelines/run_folder.h"

namespace lem {

// Rows as they will be written but for the outcome, and the question of each.
struct Wanted {
  std::vector<Judgement> rows;
  std::vector<JudgeQuestion> questions;

  void Add(Judgement row, Rubric rubric, JudgedText text) {
    questions.push_back({std::move(rubric), std::move(text), row.key});
    rows.push_back(std::move(row));
  }
};

Judgement BlankRow(const Judge& judge, const std::string& rubric, std::string_view purpose);
// Hash of the judge's configuration, the judged text and what it is judged for.
std::string JudgementKey(const Judge& judge, const Judgement& row, std::string_view response);

// Takes out what has a verdict already, and numbers the attempts at the rest.
void KeepUnjudged(const RunFolder& run, Wanted& wanted);

struct Tally {
  int64_t judged = 0, failed = 0;
};
// Every attempt is on the disk before anything else happens with it. Throws Interrupted after
// Ctrl-C.
Tally JudgeWanted(Judge& judge, Wanted wanted, const std::string& what, RunFolder& run,
                  Progress& progress);

}  // namespace lem
