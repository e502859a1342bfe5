// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/judge/judge_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "judge/canary.h"
#include "pipelines/judge/calibration_store.h"
#include "pipelines/judge/judge_audit.h"
#include "pipelines/judge/wanted_judgements.h"
#include "pipelines/metrics.h"

namespace lem {
namespace {

constexpr size_t kLeastRetests = 30;

bool GivesOneOf(const std::string& rubric, const std::vector<std::string>& metrics) {
  if (metrics.empty()) return true;
  for (const std::string& metric : RubricMetrics(rubric)) {
    if (std::ranges::find(metrics, metric) != metrics.end()) return true;
  }
  return false;
}

void AddAnswer(const Judge& judge, const Sample& sample, const std::string& rubric_name,
               std::string_view purpose, Wanted& wanted) {
  Rubric rubric = RubricByName(rubric_name, sample.reference);
  if (rubric.dimensions.empty()) return;  // an ethics prompt without criteria, of an import
  Judgement row = BlankRow(judge, rubric_name, purpose);
  row.sample = sample.key;
  row.task = sample.task;
  row.item = sample.item;
  row.model = sample.model;
  row.repeat = sample.repeat;
  row.key = JudgementKey(judge, row, sample.response);
  wanted.Add(std::move(row), std::move(rubric),
             {sample.question, sample.response, sample.reference});
}

Wanted AllAnswers(const RunFolder& run, const Judge& judge, const std::vector<std::string>& metrics,
                  std::string_view purpose) {
  Wanted wanted;
  for (const RunPlan& plan : run.manifest().plans) {
    const std::string rubric = FactsOf(run.manifest(), plan.task).rubric;
    if (rubric.empty() || !GivesOneOf(rubric, metrics)) continue;
    for (const Sample* sample : run.samples(plan.model, plan.task)) {
      // An import may hold scores of answers that were not recorded.
      if (sample->answered()) AddAnswer(judge, *sample, rubric, purpose, wanted);
    }
  }
  return wanted;
}

// 5 %, at least kLeastRetests: those whose keys' hashes are the smallest, so that a resumed run
// picks the same ones.
void KeepForRetest(Wanted& wanted) {
  std::vector<std::pair<std::string, size_t>> order;
  for (size_t i = 0; i < wanted.rows.size(); ++i) {
    order.emplace_back(Sha256Hex("retest " + wanted.rows[i].sample), i);
  }
  std::ranges::sort(order);
  order.resize(std::min(order.size(), std::max(kLeastRetests, (order.size() + 19) / 20)));
  Wanted kept;
  for (const auto& [hash, i] : order) {
    kept.rows.push_back(std::move(wanted.rows[i]));
    kept.questions.push_back(std::move(wanted.questions[i]));
  }
  wanted = std::move(kept);
}

Wanted AllCanaries(const Wanted& answers, const Judge& judge) {
  std::vector<std::string> rubrics;
  for (const Judgement& row : answers.rows) {
    if (std::ranges::find(rubrics, row.rubric) == rubrics.end()) rubrics.push_back(row.rubric);
  }
  Wanted wanted;
  for (const std::string& rubric : rubrics) {
    for (const Canary& canary : CanariesFor(rubric)) {
      Judgement row = BlankRow(judge, rubric, "canary");
      row.item = canary.id;
      row.key = JudgementKey(judge, row, canary.text.answer);
      wanted.Add(std::move(row), RubricByName(rubric, canary.text.reference), canary.text);
    }
  }
  return wanted;
}

void RecordJudge(const Judge& judge, const Json& audit, RunFolder& run) {
  RunManifest manifest = run.manifest();
  Json record = judge.config();
  if (!audit.IsNull()) record.Set("audit", audit);
  Json calibrations = StoredCalibrations(judge.hash());
  if (calibrations.size() > 0) record.Set("calibrations", std::move(calibrations));
  manifest.judges.Set(judge.name(), std::move(record));
  manifest.judge = judge.name();
  run.SetManifest(std::move(manifest));
}

}  // namespace

JudgeRunResult JudgeRun(RunFolder& run, const JudgeRunOptions& options, Progress& progress) {
  const std::unique_ptr<Judge> judge = OpenJudge(options.judge, progress);
  Wanted answers = AllAnswers(run, *judge, options.metrics, "main");
  JudgeRunResult result;
  result.judge = judge->name();
  result.answers = static_cast<int64_t>(answers.rows.size());
  RecordJudge(*judge, Json(), run);
  Wanted canaries = AllCanaries(answers, *judge);
  KeepUnjudged(run, answers);
  result.kept = result.answers - static_cast<int64_t>(answers.rows.size());
  const Tally main = JudgeWanted(*judge, std::move(answers), "judging", run, progress);
  result.judged = main.judged;
  result.failed = main.failed;
  Wanted retest = AllAnswers(run, *judge, options.metrics, "retest");
  KeepForRetest(retest);
  KeepUnjudged(run, retest);
  JudgeWanted(*judge, std::move(retest), "judging a second time", run, progress);
  KeepUnjudged(run, canaries);
  JudgeWanted(*judge, std::move(canaries), "judging canaries", run, progress);
  const Json audit = AuditJudge(run, judge->name(), judge->hash());
  RecordJudge(*judge, audit, run);
  for (const std::string& warning : AuditWarnings(audit)) progress.Warn(warning);
  if (result.failed > 0) {
    progress.Warn(
        fmt::format("{} of {} answers have no verdict and count as missing; the same "
                    "command asks for them again",
                    result.failed, result.answers));
  }
  return result;
}

}  // namespace lem
