// SPDX-License-Identifier: EUPL-1.2
// Metrics of log-likelihood tasks, from the stored sums of token log-probabilities.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipelines/run_record.h"

namespace lem {

// The choices of one set, in order.
std::vector<const ChoiceScore*> SetOf(const Sample& sample, std::string_view name);
// Index of the greatest log-likelihood, the first of equals (numpy's argmax); nothing when the set
// is empty or holds a value that is not finite.
std::optional<size_t> Best(const std::vector<const ChoiceScore*>& set);
// Softmax mass on the right choices, by log-sum-exp; lm-eval's MC2 without its underflow.
std::optional<double> RightMass(const std::vector<const ChoiceScore*>& set);

// mc1: 1 if the best of set "mc1" is right (lm-eval's acc). mc2: RightMass of "mc2".
Score Mc1(const Sample& sample, const std::string& metric);
Score Mc2(const Sample& sample, const std::string& metric);
// Both answers shown as (A) and (B), in both orders (sets "mc0-ab", "mc0-ba").
// mc0: share of the orders in which the right one is chosen: 0, 0.5 or 1.
Score Mc0(const Sample& sample, const std::string& metric);
// mc0_consistent: 1 if right in both, 0 if wrong in both; skipped where the order decided.
Score Mc0Consistent(const Sample& sample, const std::string& metric);
// mc0_flip: 1 where the order decided.
Score Mc0Flip(const Sample& sample, const std::string& metric);
// mc0_likelihood: the two answers not shown, as mc1 (set "mc0").
Score Mc0Likelihood(const Sample& sample, const std::string& metric);

// Set "yes-no". detection: 1 if the better of Yes and No is right (lm-eval's acc). p_yes: the
// probability of Yes among the two.
Score Detection(const Sample& sample, const std::string& metric);
Score ProbabilityOfYes(const Sample& sample, const std::string& metric);

}  // namespace lem
