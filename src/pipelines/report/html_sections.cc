// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/report/html_sections.h"

#include <algorithm>

namespace lem {
namespace {

// Appends cells whose numbers are kept in a book.
class Cells {
 public:
  Cells(std::string* out, NumberBook* book) : out_(*out), book_(*book) {}

  void Text(const std::string& text) { out_ += "<td>" + EscapeHtml(text) + "</td>"; }
  void Number(const std::string& at, const std::optional<double>& value, int decimals,
              bool sign = false) {
    out_ +=
        "<td class=\"n\">" + (value ? book_.Html(at, *value, decimals, sign) : "&ndash;") + "</td>";
  }
  void Range(const std::string& at, const std::optional<Interval>& range, bool sign = false) {
    out_ += "<td>" + RangeText(at, range, sign) + "</td>";
  }
  void WithRange(const std::string& at, const Measured& measured) {
    out_ += "<td class=\"n\">";
    if (measured.value) {
      out_ += book_.Html(at, *measured.value, 3);
      if (measured.interval) out_ += "<br>" + RangeText(at + "/", measured.interval, false);
    } else {
      out_ += "&ndash;";
    }
    out_ += "</td>";
  }

 private:
  std::string RangeText(const std::string& at, const std::optional<Interval>& range, bool sign) {
    if (!range) return "&ndash;";
    return "[" + book_.Html(at + "low", range->low, 3, sign) + ", " +
           book_.Html(at + "high", range->high, 3, sign) + "]";
  }

  std::string& out_;
  NumberBook& book_;
};

std::string TableHead(std::initializer_list<const char*> names) {
  std::string out = "<div class=\"wide\"><table><tr>";
  for (const char* name : names) out += std::string("<th>") + name + "</th>";
  return out + "</tr>";
}

void SeedTable(const SeedSet& set, bool family, std::string* out, NumberBook* book) {
  *out += TableHead({"task", "metric", "n", "missing", "base", "mean", "difference", "of each seed",
                     "spread", "other items", "other seeds", "p", "adjusted", "visible"});
  Cells cells(out, book);
  for (const SeedRow& row : set.rows) {
    const Comparison& c = row.mean;
    if (c.in_family != family) continue;
    const std::string at =
        "seeds/" + set.base + "/" + set.name + "/" + c.task + "/" + c.metric + "/";
    *out += c.in_family ? "<tr class=\"family\">" : "<tr>";
    cells.Text(c.task + (c.subset.empty() ? "" : " (subset: " + c.subset + ")"));
    cells.Text(c.metric);
    cells.Number(at + "n", static_cast<double>(c.n), 0);
    cells.Number(at + "missing", static_cast<double>(c.missing), 0);
    cells.Number(at + "a", c.a, 3);
    cells.Number(at + "b", c.b, 3);
    cells.Number(at + "difference", c.difference, 3, true);
    *out += "<td>";
    for (size_t i = 0; i < row.differences.size(); ++i)
      *out += (i > 0 ? " " : "") +
              book->Html(at + "seed" + std::to_string(i), row.differences[i], 3, true);
    *out += "</td>";
    cells.Number(at + "spread", row.spread, 3);
    cells.Range(at + "items_", c.ci, true);
    cells.Range(at + "seeds_", row.over_seeds, true);
    cells.Number(at + "p", c.p, 4);
    cells.Number(at + "p_adjusted", c.p_adjusted, 4);
    cells.Number(at + "visible", c.detectable, 3);
    *out += "</tr>";
  }
  *out += "</table></div>";
}

void CalibrationTable(const ReportData& data, const std::string& judge, std::string* out,
                      NumberBook* book) {
  *out +=
      TableHead({"labels", "metric", "n", "kappa", "AC1", "alpha", "sensitivity", "specificity"});
  Cells cells(out, book);
  for (const CalibrationRow& row : data.calibration) {
    if (row.judge != judge) continue;
    const std::string at = "judge/" + judge + "/" + row.dataset + "/" + row.metric + "/";
    *out += "<tr>";
    cells.Text(row.dataset);
    cells.Text(row.metric);
    cells.Number(at + "n", static_cast<double>(row.n), 0);
    cells.WithRange(at + "kappa", row.kappa);
    cells.WithRange(at + "ac1", row.ac1);
    cells.WithRange(at + "alpha", row.alpha);
    cells.WithRange(at + "sensitivity", row.sensitivity);
    cells.WithRange(at + "specificity", row.specificity);
    *out += "</tr>";
  }
  *out += "</table></div>";
}

void CorrectedTable(const ReportData& data, std::string* out, NumberBook* book) {
  *out +=
      "<h3>Rates with the judge's errors taken out</h3><p class=\"soft\">Rogan and Gladen's "
      "correction; its interval carries the errors of the judged and of the labelled sample. It "
      "holds as far as the judge errs on these answers as it did on the labelled ones.</p>" +
      TableHead({"model", "task", "metric", "n", "judged", "95 % interval", "corrected",
                 "95 % interval", "labels"});
  Cells cells(out, book);
  for (const CorrectedRow& row : data.corrected) {
    const std::string& label = data.models[row.model].label;
    const std::string at =
        "corrected/" + label + "/" + row.task + "/" + row.metric + "/" + row.dataset + "/";
    *out += "<tr>";
    cells.Text(label);
    cells.Text(row.task);
    cells.Text(row.metric);
    cells.Number(at + "n", static_cast<double>(row.n), 0);
    cells.Number(at + "judged", static_cast<double>(row.positive) / static_cast<double>(row.n), 3);
    cells.Range(at + "judged_", row.raw);
    if (row.problem.empty()) {
      cells.Number(at + "rate", row.corrected.rate, 3);
      cells.Range(at + "rate_", row.corrected.interval);
    } else {
      cells.Text("not corrected: " + row.problem);
      cells.Text("");
    }
    cells.Text(row.dataset);
    *out += "</tr>";
  }
  *out += "</table></div>";
}

}  // namespace

std::string SeedsHtml(const ReportData& data, NumberBook* book) {
  if (data.seeds.empty()) return "";
  std::string out =
      "<section id=\"seeds\"><h2>Over training seeds</h2><p class=\"soft\">One recipe, several "
      "seeds, each against its base on the same items: one model, or, where the recipe goes on "
      "from "
      "another's models, that of the same seed. <em>Spread</em> is the standard "
      "deviation between seeds. <em>Other items</em>: 95 % interval if other items like these were "
      "asked of these very models. <em>Other seeds</em>: Student's 95 % interval if these items "
      "were asked of models trained with other seeds. Seeds times items are never counted as so "
      "many observations; a difference is credible only where both leave out zero.</p>";
  for (const SeedSet& set : data.seeds) {
    out += "<h3>" + EscapeHtml(set.base) + " &rarr; " + EscapeHtml(set.name) + " (" +
           std::to_string(set.seeds.size()) + (set.seeds.size() == 1 ? " seed" : " seeds") +
           ")</h3>";
    SeedTable(set, true, &out, book);
    if (std::ranges::all_of(set.rows, [](const SeedRow& r) { return r.mean.in_family; })) continue;
    out += "<details><summary>exploratory rows</summary>";
    SeedTable(set, false, &out, book);
    out += "</details>";
  }
  return out + "</section>";
}

std::string JudgesHtml(const ReportData& data, NumberBook* book) {
  if (data.judges.empty()) return "";
  std::string out = "<section id=\"judges\"><h2>Judges</h2>";
  for (const std::string& judge : data.judges) {
    const auto of_judge = [&](const CalibrationRow& row) { return row.judge == judge; };
    if (std::ranges::none_of(data.calibration, of_judge)) {
      out += "<p><strong>" + EscapeHtml(judge) +
             "</strong> was not calibrated against people: how often it is wrong is not known.</p>";
      continue;
    }
    out += "<h3>" + EscapeHtml(judge) + " against people's labels</h3>";
    CalibrationTable(data, judge, &out, book);
  }
  if (!data.corrected.empty()) CorrectedTable(data, &out, book);
  return out + "</section>";
}

}  // namespace lem
