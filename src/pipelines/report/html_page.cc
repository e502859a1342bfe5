// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/report/html_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/version.h"
#include "pipelines/metrics.h"
#include "pipelines/report/drawing.h"
#include "pipelines/report/html_sections.h"

namespace lem {
namespace {

namespace fs = std::filesystem;

class Page {
 public:
  Page(const ReportData& data, const ReportOptions& options, const fs::path& page, NumberBook* book)
      : data_(data), options_(options), page_(page), book_(*book) {}

  std::string Write() {
    Head();
    Runs();
    out_ += SeedsHtml(data_, &book_);
    Comparisons();
    out_ += JudgesHtml(data_, &book_);
    Scores();
    Plane();
    Groups();
    Items();
    out_ += "</main><script>" + std::string(kPageScript) + "</script></body></html>\n";
    return std::move(out_);
  }

 private:
  std::string Label(size_t model) const { return EscapeHtml(data_.models[model].label); }
  static std::string ItemsAnchor(const std::string& task) { return "items-" + AnchorOf(task); }
  static std::string ItemAnchor(const std::string& task, const std::string& item) {
    return "item-" + AnchorOf(task) + "-" + AnchorOf(item);
  }
  std::string Number(const std::string& address, double value, int decimals, bool sign = false) {
    return book_.Html(address, value, decimals, sign);
  }
  std::string Count(const std::string& address, int64_t value) {
    return Number(address, static_cast<double>(value), 0);
  }
  std::string OptionalP(const std::string& address, const std::optional<double>& p) {
    return p ? Number(address, *p, 4) : "&ndash;";
  }

  void Head() {
    out_ +=
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
        "content=\"width=device-width,initial-scale=1\"><meta name=\"generator\" content=\"lem " +
        std::string(kVersion) + "\">";
    out_ += "<meta name=\"lem-options\" content=\"" + EscapeHtml(OptionsJson().Dump()) + "\">";
    for (const auto& run : data_.runs)
      out_ += "<meta name=\"lem-run\" content=\"" + EscapeHtml(FromPage(run->path())) + "\">";
    out_ += "<title>" + EscapeHtml(options_.title) + "</title><style>" + kPageStyle +
            "</style></head><body>";
    out_ += "<a class=\"skip\" href=\"#main\">Skip to the numbers</a><header><h1>" +
            EscapeHtml(options_.title) + "</h1><nav>" +
            (data_.seeds.empty() ? "" : "<a href=\"#seeds\">Seeds</a> &middot; ") +
            "<a href=\"#comparisons\">Comparisons</a> &middot; " +
            (data_.judges.empty() ? "" : "<a href=\"#judges\">Judges</a> &middot; ") +
            "<a href=\"#scores\">Scores</a> &middot; "
            "<a href=\"#groups\">Groups</a> &middot; <a "
            "href=\"#items\">Items</a></nav></header><main id=\"main\">";
  }

  // A path as seen from the page's folder.
  std::string FromPage(const fs::path& path) const {
    return fs::absolute(path)
        .lexically_proximate(fs::absolute(page_).parent_path())
        .generic_string();
  }

  static Json Texts(const std::vector<std::string>& texts) {
    Json out = Json::MakeArray();
    for (const std::string& text : texts) out.Append(Json(text));
    return out;
  }

  Json PairsJson() const {
    Json families = Json::MakeArray();
    for (const auto& pairs : options_.pairs) {
      Json family = Json::MakeArray();
      for (const auto& [a, b] : pairs) family.Append(Texts({a, b}));
      families.Append(std::move(family));
    }
    return families;
  }

  Json SeedsJson() const {
    Json groups = Json::MakeArray();
    for (const ReportSeeds& group : options_.seeds) {
      Json row = Json::MakeObject();
      row.Set("base", Json(group.base));
      row.Set("name", Json(group.name));
      row.Set("models", Texts(group.models));
      if (!group.bases.empty()) row.Set("bases", Texts(group.bases));
      groups.Append(std::move(row));
    }
    return groups;
  }

  Json OptionsJson() const {
    Json json = Json::MakeObject();
    json.Set("title", Json(options_.title));
    json.Set("all_pairs", Json(options_.all_pairs));
    json.Set("family", Json(options_.comparison.family));
    json.Set("level", Json(options_.comparison.level));
    json.Set("margin", Json(options_.comparison.margin));
    json.Set("seed", Json(options_.comparison.seed));
    if (!options_.pairs.empty()) json.Set("pairs", PairsJson());
    if (!options_.seeds.empty()) json.Set("seeds", SeedsJson());
    std::vector<std::string> files;
    for (const std::string& file : options_.calibrations) files.push_back(FromPage(file));
    if (!files.empty()) json.Set("calibrations", Texts(files));
    return json;
  }

  void Runs() {
    out_ +=
        "<section><h2>Runs</h2><div "
        "class=\"wide\"><table><tr><th>run</th><th>models</th><th>made</th><th>tool</th></tr>";
    for (const auto& run : data_.runs) {
      const RunManifest& m = run->manifest();
      std::string models;
      for (const std::string& model : m.model_names())
        models += (models.empty() ? "" : ", ") + model;
      const Json* version = m.tool.Find("version");
      out_ += "<tr><td>" + EscapeHtml(run->path().filename().string()) + "</td><td>" +
              EscapeHtml(models) + "</td><td>" + EscapeHtml(m.created) + "</td><td>" +
              (version && version->IsString() ? EscapeHtml(version->string()) : "") +
              (m.imported.IsNull() ? "" : " <span class=\"badge\">imported</span>") + "</td></tr>";
    }
    out_ +=
        "</table></div><p class=\"soft\">Every number here is computed from the kept answers of "
        "these folders: "
        "<code>lem report --recheck</code> does it again.</p></section>";
  }

  void Comparisons() {
    out_ += "<section id=\"comparisons\"><h2>Comparisons</h2>";
    if (data_.comparisons.empty()) out_ += "<p>One model: there is nothing to compare.</p>";
    for (const ComparisonSet& set : data_.comparisons) OneComparison(set);
    out_ += "</section>";
  }

  void OneComparison(const ComparisonSet& set) {
    out_ += "<h3>" + EscapeHtml(set.model_a) + " &rarr; " + EscapeHtml(set.model_b) +
            "</h3><p class=\"soft\">Difference = second &minus; first, paired by item. The marked "
            "rows are "
            "the declared family (" +
            EscapeHtml(set.family) +
            "), adjusted by Holm; the others are exploratory, adjusted by Benjamini-Hochberg. "
            "<em>Visible</em> is the smallest difference this sample would show with 80 % power: a "
            "difference that is not significant is not &ldquo;the same&rdquo;.</p>";
    for (const std::string& warning : set.warnings)
      out_ += "<p class=\"badge\">" + EscapeHtml(warning) + "</p>";
    ComparisonTable(set, true);
    const auto exploratory = std::ranges::count(set.comparisons, false, &Comparison::in_family);
    if (exploratory == 0) return;
    out_ += "<details><summary>" + std::to_string(exploratory) + " exploratory rows</summary>";
    ComparisonTable(set, false);
    out_ += "</details>";
  }

  void ComparisonTable(const ComparisonSet& set, bool family) {
    out_ +=
        "<div class=\"wide\"><table><tr><th>task</th><th>metric</th><th class=\"n\">n</th><th "
        "class=\"n\">missing</th><th class=\"n\">first</th>"
        "<th class=\"n\">second</th><th class=\"n\">difference</th><th>interval</th><th></th><th "
        "class=\"n\">p</th><th class=\"n\">adjusted</th>"
        "<th class=\"n\">gained</th><th class=\"n\">lost</th><th class=\"n\">visible</th></tr>";
    for (const Comparison& c : set.comparisons) {
      if (c.in_family == family) ComparisonRow(set, c);
    }
    out_ += "</table></div>";
  }

  void ComparisonRow(const ComparisonSet& set, const Comparison& c) {
    const std::string at =
        "cmp/" + set.model_a + "/" + set.model_b + "/" + c.task + "/" + c.metric + "/";
    const Interval ci = c.ci.value_or(Interval{c.difference, c.difference});
    const double reach = std::max({std::abs(ci.low), std::abs(ci.high), 1e-9}) * 1.1;
    out_ +=
        std::string("<tr") + (c.in_family ? " class=\"family\"" : "") + "><td>" +
        EscapeHtml(c.task) +
        (c.subset.empty() ? ""
                          : " <span class=\"badge\">subset: " + EscapeHtml(c.subset) + "</span>") +
        "</td><td>" + EscapeHtml(c.metric) + "</td>";
    const auto cell = [&](const std::string& html) { out_ += "<td class=\"n\">" + html + "</td>"; };
    cell("<a href=\"#" + ItemsAnchor(c.task) + "\">" + Count(at + "n", c.n) + "</a>");
    cell(Count(at + "missing", c.missing));
    cell(Number(at + "a", c.a, 3));
    cell(Number(at + "b", c.b, 3));
    cell(Number(at + "difference", c.difference, 3, true));
    out_ += c.ci ? "<td>[" + Number(at + "low", ci.low, 3, true) + ", " +
                       Number(at + "high", ci.high, 3, true) + "]"
                 : std::string("<td>&ndash;");
    if (c.missing > 0 && c.bounded) {
      out_ += "<br><span class=\"soft\">bounds [" +
              Number(at + "bound_low", c.bounds.low, 3, true) + ", " +
              Number(at + "bound_high", c.bounds.high, 3, true) + "]</span>";
    }
    out_ += "</td><td>" +
            IntervalSvg(c.difference, ci.low, ci.high, {-reach, reach}, 0.0,
                        c.task + " " + c.metric + " difference") +
            "</td>";
    cell(OptionalP(at + "p", c.p));
    cell(OptionalP(at + "p_adjusted", c.p_adjusted));
    cell(Moved(c.task, c.gained, at + "gained"));
    cell(Moved(c.task, c.lost, at + "lost"));
    cell(c.detectable ? Number(at + "detectable", *c.detectable, 3) : "&ndash;");
    out_ += "</tr>";
  }

  // The number of items, linked to the first of them.
  std::string Moved(const std::string& task, const std::vector<std::string>& items,
                    const std::string& address) {
    const std::string count = Count(address, static_cast<int64_t>(items.size()));
    return items.empty() ? count
                         : "<a href=\"#" + ItemAnchor(task, items.front()) + "\">" + count + "</a>";
  }

  void Scores() {
    out_ += "<section id=\"scores\"><h2>Scores</h2>";
    for (const std::string& task : data_.tasks) TaskScores(task);
    out_ += "</section>";
  }

  void TaskScores(const std::string& task) {
    out_ += "<h3>" + EscapeHtml(task) +
            "</h3><div class=\"wide\"><table><tr><th>metric</th><th>model</th><th "
            "class=\"n\">value</th><th>95 % interval</th><th></th>"
            "<th class=\"n\">n</th><th class=\"n\">missing</th></tr>";
    std::vector<const ReportSummary*> rows;
    for (const ReportSummary& row : data_.summaries) {
      if (row.summary.task == task) rows.push_back(&row);
    }
    std::ranges::stable_sort(
        rows, {}, [&](const ReportSummary* r) { return MetricOrder(task, r->summary.metric); });
    for (const ReportSummary* row : rows) SummaryRow(task, *row);
    for (const Baseline& b : data_.baselines) {
      if (b.task != task) continue;
      const std::string at = "base/" + task + "/" + b.metric + "/" + b.rule + "/";
      out_ += "<tr class=\"soft\"><td>" + EscapeHtml(b.metric) + "</td><td>" + EscapeHtml(b.rule) +
              "</td><td class=\"n\">" + Number(at + "value", b.value, 3) +
              "</td><td></td><td></td><td class=\"n\">" + Count(at + "n", b.n) +
              "</td><td></td></tr>";
    }
    out_ += "</table></div>";
  }

  size_t MetricOrder(const std::string& task, const std::string& metric) const {
    size_t order = 0;
    for (const ReportSummary& row : data_.summaries) {
      if (row.summary.task != task) continue;
      if (row.summary.metric == metric) return order;
      ++order;
    }
    return order;
  }

  Scale ScaleOf(const std::string& metric) const {
    const Metric* known = FindMetric(metric);
    if (known && known->high > known->low) return {known->low, known->high};
    Scale scale{0, 1};
    for (const ReportSummary& row : data_.summaries) {
      if (row.summary.metric != metric || !row.summary.value) continue;
      scale.low = std::min(scale.low, row.summary.low.value_or(*row.summary.value));
      scale.high = std::max(scale.high, row.summary.high.value_or(*row.summary.value));
    }
    return scale;
  }

  void SummaryRow(const std::string& task, const ReportSummary& row) {
    const Summary& s = row.summary;
    const std::string at =
        "sum/" + data_.models[row.model].label + "/" + task + "/" + s.metric + "/";
    out_ +=
        "<tr><td>" + EscapeHtml(s.metric) + "</td><td>" + Label(row.model) +
        (s.subset.empty() ? ""
                          : " <span class=\"badge\">subset: " + EscapeHtml(s.subset) + "</span>") +
        "</td>";
    if (s.value) {
      out_ += "<td class=\"n\"><a href=\"#" + ItemsAnchor(task) + "\">" +
              Number(at + "value", *s.value, 3) + "</a></td>";
    } else {
      const Metric* known = FindMetric(s.metric);
      out_ += std::string("<td class=\"n soft\">") +
              (known && known->judged ? "not judged" : "missing") + "</td>";
    }
    out_ += "<td>" +
            (s.low && s.high ? "[" + Number(at + "low", *s.low, 3) + ", " +
                                   Number(at + "high", *s.high, 3) + "]"
                             : std::string()) +
            "</td><td>";
    if (s.value)
      out_ += IntervalSvg(*s.value, s.low, s.high, ScaleOf(s.metric), std::nullopt,
                          s.metric + " of " + data_.models[row.model].label);
    out_ += "</td><td class=\"n\">" + Count(at + "n", s.n) + "</td><td class=\"n\">" +
            Count(at + "missing", s.missing) + "</td></tr>";
  }

  void Plane() {
    if (data_.plane.empty()) return;
    std::vector<PlaneDot> dots;
    out_ +=
        "<section><h2>Safety against helpfulness</h2><p class=\"soft\">A model that refuses "
        "everything lies at the upper left, one that "
        "answers everything at the lower right. Refusals are recognised by wording, not "
        "judged.</p><div class=\"wide\"><table><tr><th>model</th><th class=\"n\">risky refused</th>"
        "<th class=\"n\">of</th><th class=\"n\">benign answered</th><th class=\"n\">of</th></tr>";
    for (const PlanePoint& p : data_.plane) {
      const std::string at = "plane/" + data_.models[p.model].label + "/";
      out_ += "<tr><td>" + Label(p.model) + "</td><td class=\"n\">" +
              Number(at + "refused", p.refused, 3) + "</td><td class=\"n\">" +
              Count(at + "risky", p.risky) + "</td><td class=\"n\">" +
              Number(at + "answered", p.answered, 3) + "</td><td class=\"n\">" +
              Count(at + "benign", p.benign) + "</td></tr>";
      dots.push_back({p.answered, p.refused, data_.models[p.model].label});
    }
    out_ += "</table></div>" +
            PlaneSvg(dots, "benign requests answered", "risky requests refused") + "</section>";
  }

  void Groups() {
    out_ +=
        "<section id=\"groups\"><h2>Groups</h2><p class=\"soft\">Each task's primary metric within "
        "groups of items; intervals are not adjusted for their number.</p>";
    std::string heading;
    for (const std::string& task : data_.tasks) {
      std::vector<const GroupRow*> rows;
      for (const GroupRow& row : data_.groups) {
        if (row.task == task) rows.push_back(&row);
      }
      if (rows.empty()) continue;
      std::ranges::stable_sort(rows, {},
                               [](const GroupRow* r) { return std::pair(r->field, r->group); });
      out_ +=
          "<details><summary>" + EscapeHtml(task + ": " + rows.front()->metric) +
          "</summary><div class=\"wide\"><table><tr><th>field</th><th>group</th><th>model</th>"
          "<th class=\"n\">value</th><th>95 % interval</th><th></th><th class=\"n\">n</th></tr>";
      for (const GroupRow* row : rows) OneGroup(*row);
      out_ += "</table></div></details>";
    }
    out_ += "</section>";
  }

  void OneGroup(const GroupRow& row) {
    const std::string at = "grp/" + data_.models[row.model].label + "/" + row.task + "/" +
                           row.metric + "/" + row.field + "/" + row.group + "/";
    out_ += "<tr><td>" + EscapeHtml(row.field) + "</td><td>" + EscapeHtml(row.group) + "</td><td>" +
            Label(row.model) + "</td><td class=\"n\">" + Number(at + "value", row.value, 3) +
            "</td><td>";
    if (row.low && row.high)
      out_ +=
          "[" + Number(at + "low", *row.low, 3) + ", " + Number(at + "high", *row.high, 3) + "]";
    out_ +=
        "</td><td>" +
        IntervalSvg(row.value, row.low, row.high, ScaleOf(row.metric), std::nullopt, row.group) +
        "</td><td class=\"n\">" + Count(at + "n", row.n) + "</td></tr>";
  }

  void Items() {
    out_ += "<section id=\"items\"><h2>Items</h2>";
    for (const std::string& task : data_.tasks) {
      const auto of_task = data_.items.find(task);
      if (of_task == data_.items.end()) continue;
      out_ += "<details id=\"" + ItemsAnchor(task) + "\"><summary>" + EscapeHtml(task) + ": " +
              Count("items/" + task, static_cast<int64_t>(of_task->second.size())) +
              " items</summary><div class=\"filter\"><input aria-label=\"search in items\" "
              "placeholder=\"search\"><button data-only=\"\" aria-pressed=\"true\">all</button>"
              "<button data-only=\"gained\">gained</button><button "
              "data-only=\"lost\">lost</button></div>";
      for (const auto& [item, answers] : of_task->second) OneItem(task, item, answers);
      out_ += "</details>";
    }
    out_ += "</section>";
  }

  // "gained", "lost" or both: on which primary comparisons the item moved.
  std::string Flips(const std::string& task, const std::string& item) const {
    std::string flips;
    for (const ComparisonSet& set : data_.comparisons) {
      for (const Comparison& c : set.comparisons) {
        if (c.task != task || !c.in_family) continue;
        if (std::ranges::count(c.gained, item) > 0) flips += " gained";
        if (std::ranges::count(c.lost, item) > 0) flips += " lost";
      }
    }
    return flips;
  }

  void OneItem(const std::string& task, const std::string& item,
               const std::vector<ReportItem>& answers) {
    const std::string& question = answers.front().sample->question;
    out_ += "<details class=\"item\" id=\"" + ItemAnchor(task, item) + "\" data-flip=\"" +
            Flips(task, item) + "\"><summary>" + EscapeHtml(item) + " <span class=\"soft\">" +
            EscapeHtml(Shortened(question)) + "</span></summary><pre>" + EscapeHtml(question) +
            "</pre><div class=\"answers\">";
    for (const ReportItem& answer : answers) OneAnswer(answer);
    out_ += "</div></details>";
  }

  static std::string Shortened(const std::string& text) {
    std::string line = text.substr(0, text.find('\n'));
    if (line.size() <= 90) return line;
    size_t end = 90;
    while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xc0) == 0x80)
      --end;  // not within a character
    return line.substr(0, end) + " ...";
  }

  void OneAnswer(const ReportItem& answer) {
    const Sample& s = *answer.sample;
    out_ += "<div><strong>" + Label(answer.model) + "</strong>" +
            (s.repeat > 0 ? " <span class=\"soft\">repeat " + std::to_string(s.repeat) + "</span>"
                          : "");
    if (!s.answered())
      out_ += " <span class=\"badge\">" + std::string(StateName(s.state)) + "</span> " +
              EscapeHtml(s.problem);
    if (s.choices.empty()) {
      out_ += "<pre>" + EscapeHtml(s.response) + "</pre>";
    } else {
      out_ += "<table><tr><th>set</th><th>choice</th><th class=\"n\">log p</th></tr>";
      for (const ChoiceScore& choice : s.choices) {
        out_ += "<tr><td>" + EscapeHtml(choice.set) + "</td><td style=\"white-space:normal\">" +
                (choice.right ? "&#10003; " : "") + EscapeHtml(choice.text) +
                "</td><td class=\"n\">" + FormatNumber(choice.log_prob, 2) + "</td></tr>";
      }
      out_ += "</table>";
    }
    out_ += "<p class=\"soft\">";
    for (const Score* score : answer.scores) {
      out_ +=
          EscapeHtml(score->metric) + " " +
          (score->value ? FormatNumber(*score->value, 3) : std::string(StateName(score->state))) +
          Extracted(*score) + "; ";
    }
    out_ += "</p></div>";
  }

  static std::string Extracted(const Score& score) {
    const Json* text = score.detail.Find("extracted");
    return text && text->IsString() ? " (read: <q>" + EscapeHtml(text->string()) + "</q>)" : "";
  }

  const ReportData& data_;
  const ReportOptions& options_;
  const fs::path& page_;
  NumberBook& book_;
  std::string out_;
};

}  // namespace

std::string WriteHtmlPage(const ReportData& data, const ReportOptions& options,
                          const fs::path& page, NumberBook* book) {
  return Page(data, options, page, book).Write();
}

}  // namespace lem
