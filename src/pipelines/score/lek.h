// SPDX-License-Identifier: EUPL-1.2
// The LEK scores of a text: v1 and v2 exactly as the original project defines them, for continuity,
// and v3, ours, which a longer answer does not raise.
#pragma once

#include <cstdint>
#include <string_view>

#include "formats/json.h"

namespace lem {

// The original's first scorer. Unbounded above and below; it rewards length, bold type and words
// such as "key" in "monkey". Counts are of code points and Unicode words, as in Python.
struct LekV1 {
  int64_t compliance = 0, preamble = 0, first_person = 0, creative = 0, depth = 0;
  int64_t degeneration = 0, emotional = 0, broken = 0;

  // 2 depth + 3 creative + 2 emotional + 1.5 first_person - 5 compliance - 3 preamble
  // - 4 degeneration - 20 broken
  double score() const;
  Json ToJson() const;
};
LekV1 ScoreLekV1(std::string_view text);

// The original's second scorer. At most 49.
struct LekV2 {
  int64_t compliance = 0, preamble = 0;
  double degeneration = 0;  // 0, 0.5 or 1
  int64_t empty = 0, first_person = 0, creative = 0, depth = 0, emotional = 0, nuance = 0;
  int64_t specificity = 0, axiom = 0, perspective = 0, metaphor = 0, questions = 0;

  double score() const;  // rounded to two places, as Python rounds
  Json ToJson() const;
};
LekV2 ScoreLekV2(std::string_view text);

// Ours. Markers of eight kinds are counted per 100 words, each distinct marker once a window, and
// set against how many a text of the same length usually has; see lek_v3.cc for the definition and
// its constants. From 0 to 100; 50 is an ordinary text; 0 is an empty or looping one.
struct LekV3 {
  static constexpr int kKinds = 8;
  int64_t words = 0;
  int64_t hits[kKinds] = {};
  double excess[kKinds] = {};  // each from -1 to 1, sign turned so that more is better
  bool broken = false;

  double score() const;
  Json ToJson() const;
};
LekV3 ScoreLekV3(std::string_view text);

}  // namespace lem
