// SPDX-License-Identifier: EUPL-1.2
// lem data lint: what is wrong with training files.
#include <fmt/format.h>

#include "base/error.h"
#include "cli/data_commands.h"
#include "cli/flags.h"
#include "cli/terminal.h"
#include "pipelines/data/lint.h"

namespace lem::cli {
namespace {

struct LintFlags {
  std::vector<std::string> files;
  LintOptions options;
  std::string model, chat_template = "auto";
  int max_tokens = 0;
  bool json = false;
};

Json ToJson(const LintFinding& finding) {
  Json row = Json::MakeObject();
  row.Set("file", Json(finding.file));
  row.Set("line", Json(finding.line));
  row.Set("id", finding.id.empty() ? Json() : Json(finding.id));
  row.Set("turn", finding.turn < 0 ? Json() : Json(finding.turn));
  row.Set("rule", Json(finding.hit.rule));
  row.Set("severity", Json(NameOf(finding.hit.severity)));
  row.Set("sentence", Json(finding.hit.sentence));
  row.Set("span", Json(finding.span));
  return row;
}

Json ToJson(const LintReport& report) {
  Json out = Json::MakeObject(), findings = Json::MakeArray(), openings = Json::MakeArray(),
       nearest = Json::MakeArray(), words = Json::MakeObject();
  for (const LintFinding& finding : report.findings) findings.Append(ToJson(finding));
  for (const Opening& opening : report.openings) {
    Json row = Json::MakeObject();
    row.Set("words", Json(opening.words));
    row.Set("count", Json(opening.count));
    openings.Append(row);
  }
  for (const NearestPair& pair : report.nearest) {
    Json row = Json::MakeObject();
    row.Set("of", Json(pair.what));
    row.Set("a", Json(pair.a));
    row.Set("b", Json(pair.b));
    row.Set("jaccard", Json(pair.jaccard));
    nearest.Append(row);
  }
  words.Set("least", Json(report.least_words));
  words.Set("median", Json(report.median_words));
  words.Set("most", Json(report.most_words));
  out.Set("conversations", Json(report.conversations));
  out.Set("answers", Json(report.answers));
  out.Set("errors", Json(report.errors));
  out.Set("warnings", Json(report.warnings));
  out.Set("words", words);
  out.Set("most_tokens", report.most_tokens > 0 ? Json(report.most_tokens) : Json());
  out.Set("distinct_openings", Json(report.distinct_openings));
  out.Set("openings", openings);
  out.Set("nearest", nearest);
  out.Set("findings", findings);
  return out;
}

void PrintFinding(const LintFinding& finding) {
  const std::string id = finding.id.empty() ? "" : " (" + finding.id + ")";
  Print(fmt::format("{}:{}{}: {} [{}]: {}\n", finding.file, finding.line, id,
                    NameOf(finding.hit.severity), finding.hit.rule, finding.hit.sentence));
  if (!finding.span.empty()) Print("    > " + finding.span + "\n");
}

void PrintReport(const LintReport& report) {
  for (const LintFinding& finding : report.findings) PrintFinding(finding);
  Print(fmt::format("{} conversations, {} answers, the last ones of {} to {} words (median {})",
                    report.conversations, report.answers, report.least_words, report.most_words,
                    report.median_words));
  if (report.most_tokens > 0) Print(fmt::format(", at most {} tokens", report.most_tokens));
  Print(fmt::format("\n{} different openings", report.distinct_openings));
  for (const Opening& opening : report.openings) {
    Print(fmt::format("{} \"{}\" {} times", opening.words == report.openings[0].words ? ":" : ",",
                      opening.words, opening.count));
  }
  Print("\n");
  for (const NearestPair& pair : report.nearest) {
    Print(fmt::format("nearest {}: {:.2f} {} {}\n", pair.what, pair.jaccard, pair.a, pair.b));
  }
  Print(fmt::format("{} errors, {} warnings\n", report.errors, report.warnings));
}

void Check(const LintFlags& flags) {
  const AnswerBounds& bounds = flags.options.bounds;
  if (bounds.min_words < 0 || bounds.max_words < bounds.min_words) {
    FailUsage("--min-words, --max-words: expected 0 <= least <= most, found ", bounds.min_words,
              " and ", bounds.max_words);
  }
  if (!(flags.options.near > 0 && flags.options.near <= 1)) {
    FailUsage("--near: expected a share above 0 and at most 1, found ", flags.options.near);
  }
  if (!(flags.options.opening_share > 0 && flags.options.opening_share <= 1)) {
    FailUsage("--opening-share: expected a share above 0 and at most 1, found ",
              flags.options.opening_share);
  }
  if (flags.max_tokens > 0 && flags.model.empty()) {
    FailUsage("--max-tokens: counting tokens needs --model, whose tokenizer and template count");
  }
}

}  // namespace

int DataLint(const Arguments& arguments) {
  LintFlags f;
  Flags flags("data lint FILE... [flags]",
              "Reads training files row by row and as a set, and says what no training file should "
              "hold. Exit code 1 when there are errors, 0 with warnings only.");
  flags.Positional("FILE", f.files, "JSONL conversations").Required();
  flags.Add("--min-words", f.options.bounds.min_words,
            "the answer that ends a conversation has at least so many words");
  flags.Add("--max-words", f.options.bounds.max_words, "an answer has at most so many words");
  flags.Add("--near", f.options.near,
            "share of common word triples from which two texts are near-duplicates");
  flags.Add("--opening-share", f.options.opening_share,
            "largest share of answers that may begin with the same three words");
  flags.Add("--outlier", f.options.outlier, "robust z-score from which a length is unusual");
  flags.Add("--max-tokens", f.max_tokens, "a conversation has at most so many tokens (0: any)");
  flags.Add("--model", f.model, "whose tokenizer counts: a folder, a .gguf file or a name");
  flags.Add("--chat-template", f.chat_template, "auto, a built-in name, or a file");
  flags.Add("--kernel", f.options.kernel.kernel, "a kernel file instead of the built-in text");
  flags.Add("--axioms", f.options.kernel.axioms, "an axioms file instead of the built-in one");
  flags.Add("--json", f.json, "print exactly one JSON object on stdout");
  if (!flags.Parse(arguments)) return 0;
  Check(f);
  f.options.max_tokens = f.max_tokens;
  TerminalProgress progress;
  const TokenCounter count =
      f.model.empty() ? TokenCounter() : MakeTokenCounter(f.model, f.chat_template, progress);
  const LintReport report = Lint(f.files, f.options, count);
  if (f.json) {
    Print(ToJson(report).Dump() + "\n");
  } else {
    PrintReport(report);
  }
  return report.errors > 0 ? 1 : 0;
}

}  // namespace lem::cli
