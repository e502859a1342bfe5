// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/report/markdown_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/hash.h"
#include "base/version.h"
#include "pipelines/metrics.h"
#include "pipelines/report/numbers.h"
#include "pipelines/report/published.h"

namespace lem {
namespace {

namespace fs = std::filesystem;

constexpr size_t kColumns = 6;  // metrics in one table of scores

// Enough digits to tell values apart, not more: 0.360, 13.35, 173.2.
int DecimalsFor(double value) {
  const double size = value < 0 ? -value : value;
  return size < 10 ? 3 : size < 100 ? 2 : 1;
}

std::string Value(double value, bool sign = false) {
  return FormatNumber(value, DecimalsFor(value), sign);
}

std::string Range(const std::optional<Interval>& interval, bool sign = false) {
  return interval ? "[" + Value(interval->low, sign) + ", " + Value(interval->high, sign) + "]"
                  : "-";
}

std::string PText(const std::optional<double>& p) {
  if (!p) return "-";
  return *p < 0.0005 ? "<0.001" : FormatNumber(*p, 3);
}

std::string TaskCell(const Comparison& c) {
  return MarkdownCell(c.task) + (c.subset.empty() ? "" : " (" + c.subset + ")");
}

std::string Joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + MarkdownCell(name);
  return out;
}

// --- runs ----------------------------------------------------------------------------------------

std::string FileHash(const fs::path& file) {
  return fs::is_regular_file(file) ? "`" + Sha256File(file.string()).substr(0, 16) + "`" : "-";
}

void Runs(const ReportData& data, std::string* out) {
  *out +=
      "\n## Runs\n\n| run | models | made | samples.jsonl | scores.jsonl |\n"
      "|---|---|---|---|---|\n";
  for (const auto& run : data.runs) {
    const RunManifest& m = run->manifest();
    *out += fmt::format(
        "| {} | {} | {} | {} | {} |\n", MarkdownCell(run->path().filename().string()),
        Joined(m.model_names()), m.imported.IsNull() ? m.created : "imported",
        FileHash(run->path() / "samples.jsonl"), FileHash(run->path() / "scores.jsonl"));
  }
  *out += "\nThe last two columns are the beginnings of the files' SHA-256.\n";
}

// --- comparisons ---------------------------------------------------------------------------------

void ComparisonRows(const ComparisonSet& set, bool family, std::string* out) {
  *out +=
      "| task | metric | n | missing | first | second | difference | 95 % interval | p | adjusted "
      "| gained/lost | visible |\n|---|---|--:|--:|--:|--:|--:|---|--:|--:|--:|--:|\n";
  for (const Comparison& c : set.comparisons) {
    if (c.in_family != family) continue;
    *out +=
        fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {}/{} | {} |\n",
                    TaskCell(c), MarkdownCell(c.metric), c.n, c.missing, Value(c.a), Value(c.b),
                    Value(c.difference, true), Range(c.ci, true), PText(c.p), PText(c.p_adjusted),
                    c.gained.size(), c.lost.size(), c.detectable ? Value(*c.detectable) : "-");
  }
}

// Which items moved, for rates: of a grade from 1 to 10 nearly every item does.
void Movers(const ComparisonSet& set, std::string* out) {
  for (const Comparison& c : set.comparisons) {
    const Metric* metric = FindMetric(c.metric);
    if (!c.in_family || !metric || metric->scale != MetricScale::kProportion) continue;
    if (c.gained.empty() && c.lost.empty()) continue;
    *out += fmt::format("\n{} {}: gained {}; lost {}.\n", c.task, c.metric,
                        c.gained.empty() ? "none" : Joined(c.gained),
                        c.lost.empty() ? "none" : Joined(c.lost));
  }
}

void OneComparison(const ComparisonSet& set, bool brief, std::string* out) {
  *out += fmt::format("\n### {} -> {}\n\n", set.model_a, set.model_b);
  for (const std::string& warning : set.warnings) *out += "- note: " + warning + "\n\n";
  ComparisonRows(set, true, out);
  Movers(set, out);
  if (brief || std::ranges::all_of(set.comparisons, &Comparison::in_family)) return;
  *out += "\n<details><summary>exploratory rows</summary>\n\n";
  ComparisonRows(set, false, out);
  *out += "\n</details>\n";
}

std::string FamilyText(const ReportData& data) {
  const ComparisonSet& first = data.comparisons.front();
  std::string text = first.family == "primary" ? "each task's primary metric" : first.family;
  if (std::ranges::any_of(data.comparisons,
                          [](const ComparisonSet& s) { return s.pairs_in_family > 1; }))
    text += ", over all pairs that are compared together";
  return text;
}

void Comparisons(const ReportData& data, const ReportOptions& options, std::string* out) {
  if (data.comparisons.empty()) return;
  *out += fmt::format(
      "\n## Comparisons\n\nDifference = second - first, paired by item; the interval is for other "
      "items like these. *p* is exact or by permutation; *adjusted* is Holm's over the declared "
      "family ({}). *Visible* is the smallest difference that this sample would show with 80 % "
      "power: a difference that is not significant is not \"the same\".{}\n",
      FamilyText(data),
      options.brief ? "" : " Exploratory rows, folded, are adjusted by Benjamini and Hochberg.");
  int64_t left = 0;
  for (const ComparisonSet& set : data.comparisons) {
    if (left == 0 && set.pairs_in_family > 1) {
      left = set.pairs_in_family;
      *out += fmt::format("\nThe next {} pairs are one family.\n", left);
    }
    if (left > 0) --left;
    OneComparison(set, options.brief, out);
  }
}

// --- seeds ---------------------------------------------------------------------------------------

std::string Each(const std::vector<double>& values) {
  std::string out;
  for (const double value : values) out += (out.empty() ? "" : " ") + Value(value, true);
  return out;
}

// "s0 -> c0, s1 -> c1"
std::string SeedPairs(const SeedSet& set) {
  std::vector<std::string> pairs;
  for (size_t i = 0; i < set.seeds.size(); ++i)
    pairs.push_back(set.bases[i] + " -> " + set.seeds[i]);
  return Joined(pairs);
}

void SeedRows(const SeedSet& set, bool family, std::string* out) {
  *out +=
      "| task | metric | n | missing | base | mean | difference | of each seed | spread | other "
      "items | other seeds | p | adjusted | visible |\n"
      "|---|---|--:|--:|--:|--:|--:|---|--:|---|---|--:|--:|--:|\n";
  for (const SeedRow& row : set.rows) {
    const Comparison& c = row.mean;
    if (c.in_family != family) continue;
    *out += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
                        TaskCell(c), MarkdownCell(c.metric), c.n, c.missing, Value(c.a), Value(c.b),
                        Value(c.difference, true), Each(row.differences),
                        row.spread ? Value(*row.spread) : "-", Range(c.ci, true),
                        Range(row.over_seeds, true), PText(c.p), PText(c.p_adjusted),
                        c.detectable ? Value(*c.detectable) : "-");
  }
}

bool LeavesOutZero(const std::optional<Interval>& interval) {
  return interval && (interval->low > 0 || interval->high < 0);
}

// What the family's rows support, in one sentence.
void SeedReading(const SeedSet& set, std::string* out) {
  std::string credible;
  int64_t rows = 0;
  for (const SeedRow& row : set.rows) {
    if (!row.mean.in_family) continue;
    ++rows;
    if (!LeavesOutZero(row.mean.ci) || !LeavesOutZero(row.over_seeds)) continue;
    if (!row.mean.p_adjusted || *row.mean.p_adjusted >= 1 - set.level) continue;
    const bool better = (row.mean.difference > 0) == row.mean.higher_is_better;
    credible += (credible.empty() ? "" : ", ") + row.mean.task + " " + row.mean.metric +
                (better ? " (better)" : " (worse)");
  }
  *out += fmt::format("\nOf these {} rows {}.\n", rows,
                      credible.empty() ? "none shows a credible difference"
                                       : "a credible difference is shown by: " + credible);
}

void Seeds(const ReportData& data, const ReportOptions& options, std::string* out) {
  if (data.seeds.empty()) return;
  *out +=
      "\n## Over training seeds\n\nOne recipe, several seeds, each against its base on the same "
      "items: "
      "one model, or, where the recipe goes on from another's models, that of the same seed. "
      "*Spread* is the standard deviation between seeds. *Other items*: the 95 % "
      "interval of the mean difference if other items like these were asked of these very models. "
      "*Other seeds*: Student's 95 % interval over the seeds, if these items were asked of models "
      "trained with other seeds. Seeds times items are never counted as so many observations. A "
      "difference is credible only where both intervals leave out zero and the adjusted p is below "
      "0.05. "
      "*p* and *adjusted* (Holm, over the family) speak of items alone.\n";
  for (const SeedSet& set : data.seeds) {
    *out += fmt::format("\n### {} -> {} ({} seed{}: {})\n\n", set.base, set.name, set.seeds.size(),
                        set.seeds.size() == 1 ? "" : "s",
                        set.bases.size() == 1 ? Joined(set.seeds) : SeedPairs(set));
    SeedRows(set, true, out);
    SeedReading(set, out);
    const bool more =
        std::ranges::any_of(set.rows, [](const SeedRow& r) { return !r.mean.in_family; });
    if (options.brief || !more) continue;
    *out += "\n<details><summary>exploratory rows</summary>\n\n";
    SeedRows(set, false, out);
    *out += "\n</details>\n";
  }
}

// --- judges --------------------------------------------------------------------------------------

std::string MeasuredCell(const Measured& m) {
  return m.value ? Value(*m.value) + " " + (m.interval ? Range(m.interval) : "") : "-";
}

void CorrectedRates(const ReportData& data, std::string* out) {
  if (data.corrected.empty()) return;
  *out +=
      "\nRates as judged, and with the judge's measured errors taken out (Rogan and Gladen; the "
      "interval carries the errors of both samples). The correction holds as far as the judge errs "
      "on these answers as it did on the labelled ones.\n\n| model | task | metric | n | judged | "
      "95 "
      "% interval | corrected | 95 % interval | labels |\n|---|---|---|--:|--:|---|--:|---|---|\n";
  for (const CorrectedRow& row : data.corrected) {
    const double rate = static_cast<double>(row.positive) / static_cast<double>(row.n);
    *out += fmt::format(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
        MarkdownCell(data.models[row.model].label), MarkdownCell(row.task),
        MarkdownCell(row.metric), row.n, Value(rate), Range(row.raw),
        row.problem.empty() ? Value(row.corrected.rate) : "not corrected: " + row.problem,
        row.problem.empty() ? Range(row.corrected.interval) : "-", row.dataset);
  }
}

void Judges(const ReportData& data, std::string* out) {
  if (data.judges.empty()) return;
  *out += "\n## Judges\n";
  for (const std::string& judge : data.judges) {
    const auto of_judge = [&](const CalibrationRow& row) { return row.judge == judge; };
    if (std::ranges::none_of(data.calibration, of_judge)) {
      *out += fmt::format(
          "\n**{}** was not calibrated against people: how often it is wrong is not known.\n",
          MarkdownCell(judge));
      continue;
    }
    *out += fmt::format(
        "\n**{}** against people's labels (95 % intervals):\n\n| labels | metric | n | kappa | AC1 "
        "| alpha | sensitivity | specificity |\n|---|---|--:|---|---|---|---|---|\n",
        MarkdownCell(judge));
    for (const CalibrationRow& row : data.calibration) {
      if (row.judge != judge) continue;
      *out += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} |\n", MarkdownCell(row.dataset),
                          MarkdownCell(row.metric), row.n, MeasuredCell(row.kappa),
                          MeasuredCell(row.ac1), MeasuredCell(row.alpha),
                          MeasuredCell(row.sensitivity), MeasuredCell(row.specificity));
    }
  }
  CorrectedRates(data, out);
}

// --- scores --------------------------------------------------------------------------------------

const Summary* SummaryOf(const ReportData& data, size_t model, const std::string& task,
                         const std::string& metric) {
  for (const ReportSummary& row : data.summaries) {
    if (row.model == model && row.summary.task == task && row.summary.metric == metric)
      return &row.summary;
  }
  return nullptr;
}

std::string ScoreCell(const Summary* s) {
  if (s == nullptr || !s->value) return "-";
  std::string cell = Value(*s->value);
  if (s->low && s->high) cell += " " + Range(Interval{*s->low, *s->high});
  if (s->missing > 0) cell += fmt::format(" (n {}, {} missing)", s->n, s->missing);
  return cell;
}

// Rows: models that have one of these metrics.
void ScoreTable(const ReportData& data, const std::string& task,
                const std::vector<std::string>& metrics, std::string* out) {
  std::string head = "\n| model | n |", rule = "|---|--:|";
  for (const std::string& metric : metrics) {
    head += " " + MarkdownCell(metric) + " |";
    rule += "---|";
  }
  *out += head + "\n" + rule + "\n";
  for (size_t model = 0; model < data.models.size(); ++model) {
    std::string cells;
    int64_t n = 0;
    for (const std::string& metric : metrics) {
      const Summary* s = SummaryOf(data, model, task, metric);
      if (s != nullptr && s->value) n = std::max(n, s->n);
      cells += " " + ScoreCell(s) + " |";
    }
    if (n > 0)
      *out += fmt::format("| {} | {} |{}\n", MarkdownCell(data.models[model].label), n, cells);
  }
  for (const Baseline& b : data.baselines) {
    if (b.task != task || std::ranges::count(metrics, b.metric) == 0) continue;
    *out += fmt::format("| *{}* | {} |", b.rule, b.n);
    for (const std::string& metric : metrics)
      *out += metric == b.metric ? " " + Value(b.value) + " |" : " |";
    *out += "\n";
  }
}

struct TaskMetrics {
  std::vector<std::string> grades, answers, without;  // "answer.*" apart; no value anywhere
  std::string subset;
};

TaskMetrics MetricsOf(const ReportData& data, const std::string& task) {
  TaskMetrics of;
  std::vector<std::string> order;
  std::set<std::string> valued;
  for (const ReportSummary& row : data.summaries) {
    if (row.summary.task != task) continue;
    if (std::ranges::count(order, row.summary.metric) == 0) order.push_back(row.summary.metric);
    if (row.summary.value) valued.insert(row.summary.metric);
    if (!row.summary.subset.empty()) of.subset = row.summary.subset;
  }
  for (const std::string& metric : order) {
    auto& list = !valued.contains(metric)        ? of.without
                 : metric.starts_with("answer.") ? of.answers
                                                 : of.grades;
    list.push_back(metric);
  }
  return of;
}

void Scores(const ReportData& data, std::string* out) {
  *out += "\n## Scores\n\nMeans with 95 % intervals.\n";
  for (const std::string& task : data.tasks) {
    const TaskMetrics of = MetricsOf(data, task);
    *out += "\n### " + task + (of.subset.empty() ? "" : " (subset: " + of.subset + ")") + "\n";
    for (const auto* list : {&of.grades, &of.answers}) {
      for (size_t at = 0; at < list->size(); at += kColumns) {
        const auto begin = list->begin() + static_cast<std::ptrdiff_t>(at);
        const auto end = begin + static_cast<std::ptrdiff_t>(std::min(kColumns, list->size() - at));
        ScoreTable(data, task, {begin, end}, out);
      }
    }
    if (!of.without.empty())
      *out += "\nWithout a value for any model: " + Joined(of.without) + ".\n";
  }
}

}  // namespace

std::string MarkdownCell(std::string text) {
  for (size_t at = 0; (at = text.find_first_of("|\n", at)) != std::string::npos; at += 2)
    text.replace(at, 1, text[at] == '|' ? "\\|" : "  ");
  return text;
}

std::string WriteMarkdownPage(const ReportData& data, const ReportOptions& options) {
  std::string out = "# " + options.title + "\n\nWritten by `lem report --markdown`, lem " +
                    kVersion + "; every number is computed from the runs named below.\n";
  if (!options.preface.empty()) out += "\n" + options.preface + "\n";
  Runs(data, &out);
  if (!options.published.empty()) out += PublishedMarkdown(data, options.published);
  Seeds(data, options, &out);
  Comparisons(data, options, &out);
  Judges(data, &out);
  if (!options.brief) Scores(data, &out);
  return out;
}

}  // namespace lem
