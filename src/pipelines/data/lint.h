// SPDX-License-Identifier: EUPL-1.2
// Training files read the way a careful editor would: row by row (lek/answer_rules.h) and as a set
// (repeats, openings, lengths). An error is something no training file should hold; a warning is
// something to look at.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lek/answer_rules.h"
#include "lek/kernel.h"
#include "pipelines/data/training_row.h"
#include "pipelines/progress.h"

namespace lem {

struct LintOptions {
  AnswerBounds bounds;
  double near = 0.6;            // Jaccard of word 3-grams from which two texts are near-duplicates
  double opening_share = 0.03;  // of answers with the same first three words, and at least four
  double outlier = 4;           // robust z-score of the logarithm of an answer's length
  int64_t max_tokens = 0;       // 0: not checked
  KernelSources kernel;
};

// Tokens of a conversation through the chat template.
using TokenCounter = std::function<int64_t(const TrainingRow& conversation)>;

struct LintFinding {
  std::string file, id;
  int64_t line = 0;
  int turn = -1;  // of the conversation; -1: the row as a whole
  RuleHit hit;
  std::string span;  // the words it objects to, on one line, at most 120 bytes
};

struct Opening {
  std::string words;
  int64_t count = 0;
};

struct NearestPair {
  std::string a, b;  // "file:line"
  double jaccard = 0;
  std::string what;  // prompts or answers
};

struct LintReport {
  std::vector<LintFinding> findings;  // by file and line
  int64_t conversations = 0, answers = 0, errors = 0, warnings = 0;
  int64_t least_words = 0, median_words = 0, most_words = 0;  // of last answers
  int64_t distinct_openings = 0;                              // first three words of answers
  std::vector<Opening> openings;     // the commonest, at most five, from two on
  std::vector<NearestPair> nearest;  // at most five, however far apart they are
  int64_t most_tokens = 0;           // 0: not counted
};

// `count_tokens` may be empty. Throws Error when a file cannot be read.
LintReport Lint(const std::vector<std::string>& files, const LintOptions& options,
                const TokenCounter& count_tokens);

// Tokens by a model's tokenizer and template; only these two are loaded. Throws Error.
TokenCounter MakeTokenCounter(const std::string& model, const std::string& chat_template,
                              Progress& progress);

}  // namespace lem
