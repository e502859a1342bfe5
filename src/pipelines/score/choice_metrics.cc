// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/score/choice_metrics.h"

#include <algorithm>
#include <cmath>

namespace lem {
namespace {

using Set = std::vector<const ChoiceScore*>;

Score NoSet(const Sample& sample, const std::string& metric, const char* set) {
  return Score::Missing(sample, metric, State::kError,
                        std::string("the answer has no finite log-likelihoods of the set ") + set);
}

Score BestIsRight(const Sample& sample, const std::string& metric, const char* name) {
  const Set set = SetOf(sample, name);
  const auto best = Best(set);
  if (!best) return NoSet(sample, metric, name);
  Json detail = Json::MakeObject();
  detail.Set("chosen", Json(set[*best]->text));
  detail.Set("choice", Json(*best));
  return Score::Of(sample, metric, set[*best]->right, std::move(detail));
}

// How often the right one of the two shown answers was chosen, of the two orders.
std::optional<int> RightOrders(const Sample& sample) {
  int right = 0;
  for (const char* name : {"mc0-ab", "mc0-ba"}) {
    const Set set = SetOf(sample, name);
    const auto best = Best(set);
    if (!best) return std::nullopt;
    right += set[*best]->right ? 1 : 0;
  }
  return right;
}

double LogSumExp(const Set& set, bool right_only) {
  double top = -HUGE_VAL;
  for (const ChoiceScore* choice : set) top = std::max(top, choice->log_prob);
  double sum = 0;
  for (const ChoiceScore* choice : set) {
    if (choice->right || !right_only) sum += std::exp(choice->log_prob - top);
  }
  return top + std::log(sum);
}

}  // namespace

Set SetOf(const Sample& sample, std::string_view name) {
  Set set;
  for (const ChoiceScore& choice : sample.choices) {
    if (choice.set == name) set.push_back(&choice);
  }
  return set;
}

std::optional<size_t> Best(const Set& set) {
  if (set.empty()) return std::nullopt;
  size_t best = 0;
  for (size_t i = 0; i < set.size(); ++i) {
    if (!std::isfinite(set[i]->log_prob)) return std::nullopt;
    if (set[i]->log_prob > set[best]->log_prob) best = i;
  }
  return best;
}

std::optional<double> RightMass(const Set& set) {
  if (!Best(set)) return std::nullopt;
  return std::exp(LogSumExp(set, true) - LogSumExp(set, false));
}

Score Mc1(const Sample& sample, const std::string& metric) {
  return BestIsRight(sample, metric, "mc1");
}

Score Mc2(const Sample& sample, const std::string& metric) {
  const auto mass = RightMass(SetOf(sample, "mc2"));
  return mass ? Score::Of(sample, metric, *mass) : NoSet(sample, metric, "mc2");
}

Score Mc0(const Sample& sample, const std::string& metric) {
  const auto right = RightOrders(sample);
  return right ? Score::Of(sample, metric, *right / 2.0) : NoSet(sample, metric, "mc0-ab, mc0-ba");
}

Score Mc0Consistent(const Sample& sample, const std::string& metric) {
  const auto right = RightOrders(sample);
  if (!right) return NoSet(sample, metric, "mc0-ab, mc0-ba");
  if (*right == 1) {
    return Score::Missing(sample, metric, State::kSkipped, "the order of the two answers decided");
  }
  return Score::Of(sample, metric, *right == 2 ? 1 : 0);
}

Score Mc0Flip(const Sample& sample, const std::string& metric) {
  const auto right = RightOrders(sample);
  return right ? Score::Of(sample, metric, *right == 1) : NoSet(sample, metric, "mc0-ab, mc0-ba");
}

Score Mc0Likelihood(const Sample& sample, const std::string& metric) {
  return BestIsRight(sample, metric, "mc0");
}

Score Detection(const Sample& sample, const std::string& metric) {
  return BestIsRight(sample, metric, "yes-no");
}

Score ProbabilityOfYes(const Sample& sample, const std::string& metric) {
  const Set set = SetOf(sample, "yes-no");
  if (set.size() != 2 || !Best(set)) return NoSet(sample, metric, "yes-no");
  const size_t yes = set[0]->text == "Yes" ? 0 : 1;
  const double odds = set[1 - yes]->log_prob - set[yes]->log_prob;
  return Score::Of(sample, metric, 1 / (1 + std::exp(odds)));
}

}  // namespace lem
