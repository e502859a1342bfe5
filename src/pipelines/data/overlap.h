// SPDX-License-Identifier: EUPL-1.2
// Whether a training file has seen a test: runs of n words, case and punctuation aside, that stand
// in both. Reads JSONL, JSON and CSV, all their string fields.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipelines/progress.h"

namespace lem {

struct OverlapOptions {
  std::string train;
  std::vector<std::string> against;  // files, or folders with such files; empty: DefaultEvaluations
  int ngram = 8;
};

struct OverlapSpan {
  std::string train_at, against_at;  // "file:line" or "file:item"
  std::string text;                  // as the training file has it
  int64_t words = 0;
};

struct OverlapReport {
  std::vector<OverlapSpan> spans;  // each run once per pair of places, longest first per file
  std::vector<std::string> files;  // what was compared with
  int64_t train_rows = 0, train_words = 0, against_texts = 0, against_words = 0;
};

// seeds/ and benchmarks/ that ship with the program, and every data set in the data folder. Throws
// Error when the shipped folders are not found.
std::vector<std::string> DefaultEvaluations();

// Throws Error when a file cannot be read, or there is nothing to compare with.
OverlapReport FindOverlap(const OverlapOptions& options, Progress& progress);

// One string of a file and where it stands. Exposed for tests.
struct TextAt {
  std::string at, text;
};
std::vector<TextAt> ReadTexts(const std::string& path);

}  // namespace lem
