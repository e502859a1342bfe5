// SPDX-License-Identifier: EUPL-1.2
// What a judge is asked about an answer: dimensions, each with a few grades whose meaning is
// written out. Few anchored grades, because judges on open scales use two of their values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"

namespace lem {

struct Grade {
  std::string label;  // as judges write it: "1", "yes"
  double value = 0;
  std::string meaning;
};

enum class GradeKind : uint8_t {
  kYesNo,    // value 1 or 0
  kOrdinal,  // higher is more; an expectation makes sense
  kNominal,  // names of kinds; an expectation makes none
};

struct Dimension {
  std::string key;     // in the judge's reply: "truthfulness", "must_1"
  std::string metric;  // "truthfulqa.truthfulness"; for criteria the metric they are summed into
  std::string question;
  GradeKind kind = GradeKind::kOrdinal;
  std::vector<Grade> grades;
};

struct Rubric {
  std::string name;
  std::string about;  // what the judged text is, told to the judge
  std::vector<Dimension> dimensions;

  Json ToJson() const;
};

// The rubrics: truthfulqa, do-not-answer, toxigen, over-refusal, ethics. Throws UsageError with
// the known names. `reference` is what the item's data says; for ethics its criteria
// {"must":[text],"must_not":[text]} become the dimensions, else it is not read.
Rubric RubricByName(std::string_view name, const Json& reference = Json());
std::vector<std::string> RubricNames();

// The metrics that a rubric gives, whatever the item.
std::vector<std::string> RubricMetrics(std::string_view name);

// The values of the metrics from one grade per dimension, in order of the dimensions (expected
// grades where a judge gives probabilities): a metric with one dimension has its value; criteria
// become the share that is satisfied, and pass: 1 when all are.
Json MetricValues(const Rubric& rubric, const std::vector<double>& grades);

// The words of all rubrics together, for the hash of a judge's configuration.
Json AllRubricsJson();

// The schema of a reply: reasoning first, then one enumerated text per dimension, nothing else.
Json ReplySchema(const Rubric& rubric);

}  // namespace lem
