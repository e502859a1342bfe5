// SPDX-License-Identifier: EUPL-1.2
// lem data overlap: what a training file shares with evaluation sets.
#include <fmt/format.h>

#include "cli/data_commands.h"
#include "cli/flags.h"
#include "cli/terminal.h"
#include "pipelines/data/overlap.h"

namespace lem::cli {
namespace {

Json ToJson(const OverlapReport& report) {
  Json out = Json::MakeObject(), files = Json::MakeArray(), spans = Json::MakeArray();
  for (const std::string& file : report.files) files.Append(Json(file));
  for (const OverlapSpan& span : report.spans) {
    Json row = Json::MakeObject();
    row.Set("train", Json(span.train_at));
    row.Set("against", Json(span.against_at));
    row.Set("words", Json(span.words));
    row.Set("text", Json(span.text));
    spans.Append(row);
  }
  out.Set("train_rows", Json(report.train_rows));
  out.Set("train_words", Json(report.train_words));
  out.Set("against_texts", Json(report.against_texts));
  out.Set("against_words", Json(report.against_words));
  out.Set("files", files);
  out.Set("spans", spans);
  return out;
}

void PrintReport(const OverlapReport& report, int ngram) {
  for (const OverlapSpan& span : report.spans) {
    Print(fmt::format("{} and {}: {} words\n    > {}\n", span.train_at, span.against_at, span.words,
                      span.text));
  }
  Print(
      fmt::format("{} rows of {} words against {} texts of {} words in {} files: {} common runs of "
                  "{} words or more\n",
                  report.train_rows, report.train_words, report.against_texts, report.against_words,
                  report.files.size(), report.spans.size(), ngram));
}

}  // namespace

int DataOverlap(const Arguments& arguments) {
  OverlapOptions options;
  bool json = false;
  Flags flags("data overlap TRAIN [--against PATH...] [flags]",
              "Looks for runs of words that a training file shares with evaluation sets, case and "
              "punctuation aside. Exit code 1 when there are any.");
  flags.Positional("TRAIN", options.train, "the training file (JSONL, JSON or CSV)");
  flags.Add("--against", options.against,
            "files or folders (default: the seeds and benchmarks that ship, and the data folder)");
  flags.Add("--ngram", options.ngram, "shortest run of words that counts");
  flags.Add("--json", json, "print exactly one JSON object on stdout");
  if (!flags.Parse(arguments)) return 0;
  TerminalProgress progress;
  const OverlapReport report = FindOverlap(options, progress);
  if (json) {
    Print(ToJson(report).Dump() + "\n");
  } else {
    PrintReport(report, options.ngram);
  }
  return report.spans.empty() ? 0 : 1;
}

}  // namespace lem::cli
