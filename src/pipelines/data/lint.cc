// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/data/lint.h"

#include <algorithm>

#include "base/error.h"
#include "pipelines/data/lint_sets.h"

namespace lem {
namespace {

void AddRowError(const TrainingRow& row, int turn, const char* rule, std::string sentence,
                 LintReport* report) {
  report->findings.push_back(
      MakeFinding(row, turn, {rule, Severity::kError, std::move(sentence), 0, 0}));
}

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// system? (user assistant)+
void CheckOrder(const TrainingRow& row, LintReport* report) {
  const size_t first = row.turns[0].role == "system" ? 1 : 0;
  for (size_t i = first; i < row.turns.size(); ++i) {
    const std::string expected = (i - first) % 2 == 0 ? "user" : "assistant";
    if (row.turns[i].role == expected) continue;
    AddRowError(
        row, static_cast<int>(i), "role-order",
        "turn " + std::to_string(i + 1) + ": expected " + expected + ", found " + row.turns[i].role,
        report);
    return;
  }
  if (row.turns.back().role != "assistant") {
    AddRowError(row, -1, "role-order",
                "expected an assistant's turn at the end, found " + row.turns.back().role, report);
  }
}

void CheckTurns(const TrainingRow& row, const AnswerContext& defaults, LintReport* report) {
  std::string prompt;
  for (size_t i = 0; i < row.turns.size(); ++i) {
    const Turn& turn = row.turns[i];
    if (IsBlank(turn.content)) {
      AddRowError(row, static_cast<int>(i), "empty",
                  "turn " + std::to_string(i + 1) + " (" + turn.role + ") is empty", report);
      continue;
    }
    if (turn.role == "user") prompt += turn.content + "\n";
    if (turn.role != "assistant") continue;
    AnswerContext context = defaults;
    context.prompt = prompt;
    context.benign = row.benign;
    // An exchange may well go in short turns; the answer that ends it has the substance.
    if (i + 1 < row.turns.size()) context.bounds.min_words = 1;
    for (RuleHit& hit : CheckAnswer(turn.content, context)) {
      report->findings.push_back(MakeFinding(row, static_cast<int>(i), std::move(hit)));
    }
  }
}

void CheckTokens(const TrainingRow& row, const TokenCounter& count, int64_t limit,
                 LintReport* report) {
  if (!count) return;
  const int64_t tokens = count(row);
  report->most_tokens = std::max(report->most_tokens, tokens);
  if (limit > 0 && tokens > limit) {
    AddRowError(
        row, -1, "tokens",
        "expected at most " + std::to_string(limit) + " tokens, found " + std::to_string(tokens),
        report);
  }
}

void Count(LintReport* report) {
  std::ranges::stable_sort(report->findings, [](const LintFinding& x, const LintFinding& y) {
    return x.file != y.file ? x.file < y.file : x.line < y.line;
  });
  for (const LintFinding& finding : report->findings) {
    ++(finding.hit.severity == Severity::kError ? report->errors : report->warnings);
  }
}

}  // namespace

LintReport Lint(const std::vector<std::string>& files, const LintOptions& options,
                const TokenCounter& count_tokens) {
  const KernelEcho echo(LoadKernel(options.kernel));
  AnswerContext defaults;
  defaults.echo = &echo;
  defaults.bounds = options.bounds;
  LintReport report;
  std::vector<TrainingRow> all;
  for (const std::string& file : files) {
    for (TrainingRow& row : ReadTrainingRows(file)) {
      ++report.conversations;
      if (!row.problem.empty()) {
        AddRowError(row, -1, "json", row.problem, &report);
        continue;
      }
      CheckOrder(row, &report);
      CheckTurns(row, defaults, &report);
      CheckTokens(row, count_tokens, options.max_tokens, &report);
      all.push_back(std::move(row));
    }
  }
  const std::vector<AnswerAt> answers = AllAnswers(all);
  report.answers = static_cast<int64_t>(answers.size());
  FindRepeats(all, options.near, &report);
  FindRepeatedOpenings(answers, options.opening_share, &report);
  FindLengthOutliers(LastAnswers(all), options.outlier, &report);
  Count(&report);
  return report;
}

}  // namespace lem
