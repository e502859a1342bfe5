// SPDX-License-Identifier: EUPL-1.2
// Answers that people have labelled, of the three data sets that have such labels (specs:
// evaluation 10): what a judge is measured against.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "formats/json.h"
#include "judge/prompt.h"

namespace lem {

struct LabelledRow {
  std::string id;
  JudgedText text;
  std::map<std::string, int> labels;  // metric -> category; a metric may be unlabelled
};

struct LabelledData {
  std::string rubric;
  std::map<std::string, int> categories;  // metric -> how many
  std::vector<LabelledRow> rows;
  Json files;  // {path: sha256}
};

// do-not-answer: 5,634 answers of six models, harmful and kind of action (4 and 5 are one, as the
// annotators had it). truthfulqa: answers labelled true and informative, without duplicates and
// reference answers. toxigen: texts, hateful where both ratings together exceed 5.5. Throws
// UsageError for another name, and Error when the data is absent or not the known file.
LabelledData ReadLabelledData(const std::string& dataset);

// A judge's value as a category of the human label.
int CategoryOf(const std::string& metric, double value);
// Of a metric with two labels: a value above this is the positive one.
double PositiveAbove(const std::string& metric);

}  // namespace lem
