// SPDX-License-Identifier: EUPL-1.2
// A model in this process as judge. It writes nothing: each grade is a letter, and the grade is
// read from the probabilities of the letters, in both orders of the grades. So no reply can fail to
// parse, and how sure the judge is comes with the grade.
#pragma once

#include <memory>
#include <string>

#include "pipelines/judge/judge.h"

namespace lem {

std::unique_ptr<Judge> OpenLocalJudge(const std::string& model, const JudgeOptions& options,
                                      Progress& progress);

// What the letters say of one dimension. log_probs[order][position]: of letter 'A' + position, with
// the grades as listed (order 0) and reversed (order 1).
struct LetterGrade {
  std::vector<double> probabilities;  // of each grade, normalised per order, mean of both orders
  double grade = 0;  // ordinal: expectation; yes-no: 1 if yes is likelier; nominal: the likeliest
  double expectation = 0;    // also for yes-no: the probability of yes
  double entropy = 0;        // nats
  double mass = 0;           // of all letters together before normalising: does it follow the form?
  double order_shift = 0;    // total variation between the two orders, 0 to 1
  bool same_choice = false;  // both orders prefer the same grade
};
LetterGrade GradeFromLetters(const Dimension& dimension,
                             const std::vector<std::vector<double>>& log_probs);

}  // namespace lem
