// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/judge/wanted_judgements.h"

#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "base/hash.h"
#include "base/stop.h"

namespace lem {
namespace {

Judgement Filled(Judgement row, const Rubric& rubric, const JudgeAttempt& attempt) {
  row.state = attempt.state;
  row.problem = attempt.problem;
  if (attempt.state == State::kOk) row.values = MetricValues(rubric, attempt.grades);
  row.detail = attempt.detail;
  row.raw = attempt.raw;
  row.seconds = attempt.seconds;
  return row;
}

}  // namespace

std::string JudgementKey(const Judge& judge, const Judgement& row, std::string_view response) {
  Json::Array parts = {Json(judge.hash()), Json(row.sample), Json(Sha256Hex(response)),
                       Json(row.rubric),   Json(row.item),   Json(row.purpose),
                       Json(row.order)};
  return HashJson(Json(std::move(parts)));
}

Judgement BlankRow(const Judge& judge, const std::string& rubric, std::string_view purpose) {
  Judgement row;
  row.judge = judge.name();
  row.judge_config = judge.hash();
  row.rubric = rubric;
  row.purpose = purpose;
  return row;
}

void KeepUnjudged(const RunFolder& run, Wanted& wanted) {
  std::unordered_set<std::string> done;
  std::unordered_map<std::string, int> attempts;
  for (const Judgement& j : run.judgements()) {
    ++attempts[j.key];
    if (j.state == State::kOk) done.insert(j.key);
  }
  Wanted rest;
  for (size_t i = 0; i < wanted.rows.size(); ++i) {
    if (done.contains(wanted.rows[i].key)) continue;
    wanted.rows[i].attempt = attempts[wanted.rows[i].key];
    rest.rows.push_back(std::move(wanted.rows[i]));
    rest.questions.push_back(std::move(wanted.questions[i]));
  }
  wanted = std::move(rest);
}

Tally JudgeWanted(Judge& judge, Wanted wanted, const std::string& what, RunFolder& run,
                  Progress& progress) {
  Tally tally;
  if (wanted.rows.empty()) return tally;
  progress.Begin(what, static_cast<int64_t>(wanted.rows.size()), "answers");
  judge.JudgeAll(
      wanted.questions,
      [&](size_t i, const JudgeAttempt& attempt) {
        Judgement& row = wanted.rows[i];
        run.Append(Filled(row, wanted.questions[i].rubric, attempt));
        ++row.attempt;
      },
      [&](size_t, State state) {
        ++(state == State::kOk ? tally.judged : tally.failed);
        progress.Update(tally.judged + tally.failed);
      });
  progress.End();
  if (StopRequested()) {
    throw Interrupted("interrupted; every judgement so far is kept in " + run.path().string() +
                      ", and the same command goes on from there");
  }
  return tally;
}

}  // namespace lem
