// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/report/report.h"

#include <algorithm>

#include "base/atomic_file.h"
#include "base/error.h"
#include "pipelines/report/html_page.h"
#include "pipelines/report/markdown_page.h"
#include "pipelines/report/report_data.h"

namespace lem {
namespace fs = std::filesystem;
namespace {

std::string Unescape(std::string text) {
  const std::pair<const char*, const char*> kEntities[] = {
      {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&#39;", "'"}, {"&amp;", "&"}};
  for (const auto& [entity, character] : kEntities) {
    for (size_t at = 0; (at = text.find(entity, at)) != std::string::npos; ++at)
      text.replace(at, std::string_view(entity).size(), character);
  }
  return text;
}

// The text between `before` and `after`, from `at` on; moves `at` behind it. False when there is
// none.
bool Between(const std::string& page, std::string_view before, std::string_view after, size_t* at,
             std::string* out) {
  const size_t begin = page.find(before, *at);
  if (begin == std::string::npos) return false;
  const size_t end = page.find(after, begin + before.size());
  if (end == std::string::npos) return false;
  *out = page.substr(begin + before.size(), end - begin - before.size());
  *at = end + after.size();
  return true;
}

std::vector<std::string> Texts(const Json& list, const std::string& where) {
  std::vector<std::string> out;
  for (const Json& text : list.AsArray(where)) out.push_back(text.AsString(where));
  return out;
}

// What a page may lack: the pairs, seeds and calibrations that its reader chose.
void ReadChoices(const Json& json, const std::string& where, ReportOptions* options) {
  if (const Json* families = json.Find("pairs")) {
    for (const Json& family : families->AsArray(where)) {
      auto& pairs = options->pairs.emplace_back();
      for (const Json& pair : family.AsArray(where)) {
        const auto names = Texts(pair, where);
        if (names.size() != 2) Fail(where, ": expected pairs of two models, found ", names.size());
        pairs.emplace_back(names[0], names[1]);
      }
    }
  }
  if (const Json* seeds = json.Find("seeds")) {
    for (const Json& group : seeds->AsArray(where)) {
      options->seeds.push_back({group.At("base", where).AsString(where),
                                group.At("name", where).AsString(where),
                                Texts(group.At("models", where), where),
                                {}});
      if (const Json* bases = group.Find("bases"))
        options->seeds.back().bases = Texts(*bases, where);
    }
  }
  if (const Json* files = json.Find("calibrations")) options->calibrations = Texts(*files, where);
}

ReportOptions OptionsOfPage(const std::string& html, const fs::path& page) {
  ReportOptions options;
  size_t at = 0;
  std::string text;
  if (!Between(html, "<meta name=\"lem-options\" content=\"", "\">", &at, &text)) {
    Fail(page.string(), ": expected a page written by lem report, found none of its marks");
  }
  const Json json = Json::Parse(Unescape(text), page.string());
  const std::string where = page.string();
  options.title = json.At("title", where).AsString(where);
  options.all_pairs = json.At("all_pairs", where).AsBool(where);
  options.comparison.family = json.At("family", where).AsString(where);
  options.comparison.level = json.At("level", where).AsNumber(where);
  options.comparison.margin = json.At("margin", where).AsNumber(where);
  options.comparison.seed = static_cast<uint64_t>(json.At("seed", where).AsInteger(where));
  ReadChoices(json, where, &options);
  const auto from_page = [&](const std::string& path) {
    return (fs::absolute(page).parent_path() / path).lexically_normal().string();
  };
  for (std::string& file : options.calibrations) file = from_page(file);
  while (Between(html, "<meta name=\"lem-run\" content=\"", "\">", &at, &text))
    options.runs.push_back(from_page(Unescape(text)));
  return options;
}

void CheckNumber(const std::string& address, const NumberBook::Entry& printed,
                 const std::map<std::string, NumberBook::Entry>& expected, RecheckResult* result) {
  ++result->numbers;
  const auto found = expected.find(address);
  if (found == expected.end()) {
    result->differences.push_back(address + ": printed as " + printed.text +
                                  ", but the runs give no such number");
  } else if (found->second.value != printed.value || found->second.text != printed.text) {
    result->differences.push_back(address + ": printed as " + printed.text + " (" + printed.value +
                                  "), recomputed as " + found->second.text + " (" +
                                  found->second.value + ")");
  }
}

}  // namespace

std::string HtmlReport(const ReportOptions& options, const fs::path& page, Progress& progress) {
  const ReportData data = BuildReport(options, progress);
  NumberBook book;
  return WriteHtmlPage(data, options, page, &book);
}

std::string MarkdownReport(const ReportOptions& options, Progress& progress) {
  const ReportData data = BuildReport(options, progress);
  return WriteMarkdownPage(data, options);
}

RecheckResult Recheck(const fs::path& page, Progress& progress) {
  const std::string html = ReadTextFile(page);
  const ReportOptions options = OptionsOfPage(html, page);
  const ReportData data = BuildReport(options, progress);
  NumberBook book;
  WriteHtmlPage(data, options, page, &book);
  RecheckResult result;
  size_t at = 0;
  std::string value, address, text;
  while (Between(html, "<data value=\"", "\"", &at, &value) &&
         Between(html, " data-n=\"", "\">", &at, &address) &&
         Between(html, "", "</data>", &at, &text)) {
    CheckNumber(Unescape(address), {value, text}, book.entries(), &result);
  }
  if (result.numbers == 0) Fail(page.string(), ": expected numbers on this page, found none");
  return result;
}

}  // namespace lem
