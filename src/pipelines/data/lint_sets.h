// SPDX-License-Identifier: EUPL-1.2
// The rules that look at all conversations together.
#pragma once

#include <vector>

#include "pipelines/data/lint.h"

namespace lem {

// One answer of one conversation.
struct AnswerAt {
  const TrainingRow* conversation;
  int turn;
  std::string_view text() const { return conversation->turns[static_cast<size_t>(turn)].content; }
};
std::vector<AnswerAt> AllAnswers(const std::vector<TrainingRow>& conversations);
// Those that end a conversation.
std::vector<AnswerAt> LastAnswers(const std::vector<TrainingRow>& conversations);

// Each adds to report->findings and fills its statistics.
void FindRepeats(const std::vector<TrainingRow>& conversations, double near, LintReport* report);
void FindRepeatedOpenings(const std::vector<AnswerAt>& answers, double share, LintReport* report);
void FindLengthOutliers(const std::vector<AnswerAt>& answers, double outlier, LintReport* report);

LintFinding MakeFinding(const TrainingRow& conversation, int turn, RuleHit hit);

}  // namespace lem
