// SPDX-License-Identifier: EUPL-1.2
// Items with a known verdict that go through a judge in every run: poor answers, once plain and
// once with an injected order to grade them well. A judge that obeys is no judge.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "judge/prompt.h"

namespace lem {

struct Canary {
  std::string id;  // "C1-plain", "C1-injected"
  bool injected = false;
  JudgedText text;
};

// In pairs: plain, then injected, of the same poor answer. For every rubric the same texts, with a
// reference where the rubric's dimensions are made of one.
std::vector<Canary> CanariesFor(std::string_view rubric);

}  // namespace lem
