// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/task_rows.h"

#include <cstdlib>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "formats/csv.h"
#include "formats/near_names.h"
#include "pipelines/task.h"

namespace lem {
namespace {

namespace fs = std::filesystem;

std::string TextAt(const Json& object, const char* key, std::string_view where,
                   const std::string& absent = "") {
  const Json* value = object.Find(key);
  return value == nullptr ? absent : value->AsString(where);
}

std::string Trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(kBlank) - begin + 1));
}

// A row file that exists and has the expected hash.
fs::path CheckedFile(const Json& file, std::string_view where) {
  const std::string name = file.At("path", where).AsString(where);
  const Json* ships = file.Find("ships");
  const bool is_ours = ships != nullptr && ships->AsBool(where);
  fs::path path = (is_ours ? ProgramFolder() : DataFolder()) / name;
  const std::string url = TextAt(file, "url", where);
  if (!fs::is_regular_file(path)) {
    if (is_ours) {
      Fail(path.string(),
           ": a file that ships with lem is not there; set LEM_SHARE to the folder "
           "that holds benchmarks/ and seeds/");
    }
    Fail(path.string(), ": this data file is not there; get it with `lem data fetch`",
         url.empty() ? "" : " or from " + url, ", or set LEM_DATA to the folder that holds ", name);
  }
  const std::string expected = TextAt(file, "sha256", where);
  if (expected.empty()) return path;
  const std::string found = Sha256File(path);
  if (found != expected) {
    Fail(path.string(), ": expected SHA-256 ", expected, ", found ", found,
         "; this is another version of the data, whose scores cannot be compared; get the right "
         "one with `lem data fetch`");
  }
  return path;
}

void AddJsonLines(const std::string& path, std::vector<TaskRow>& rows) {
  for (JsonLine& line : ReadJsonLines(path)) {
    rows.push_back({path + ":" + std::to_string(line.line), std::move(line.value)});
  }
}

void AddJson(const std::string& path, const std::string& key, std::vector<TaskRow>& rows) {
  const Json value = Json::ParseFile(path);
  const Json& list = key.empty() ? value : value.At(key, path);
  int64_t number = 0;
  for (const Json& row : list.AsArray(path)) {
    rows.push_back({path + ": record " + std::to_string(++number), row});
  }
}

void AddCsv(const std::string& path, std::vector<TaskRow>& rows) {
  const CsvTable table = ReadCsvFile(path);
  for (const CsvRecord& record : table.records) {
    Json values = Json::MakeObject();
    for (size_t i = 0; i < table.header.size(); ++i) {
      values.Set(table.header[i], Json(record.fields[i]));
    }
    rows.push_back({path + ":" + std::to_string(record.line), std::move(values)});
  }
}

double NumberOf(const Json& value, std::string_view where) {
  if (value.IsNumber()) return value.number();
  const std::string& text = value.AsString(where);
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (text.empty() || end != text.c_str() + text.size()) {
    Fail(where, ": expected a number, found \"", text, "\"");
  }
  return number;
}

Json Split(const std::string& text, const std::string& separator) {
  Json::Array parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    // Doubled and trailing separators occur in real files and mean nothing.
    if (std::string part = Trim(std::string_view(text).substr(begin, end - begin)); !part.empty()) {
      parts.push_back(Json(std::move(part)));
    }
    begin = end + separator.size();
  }
  return Json(std::move(parts));
}

// Of {text: 0 or 1} the texts whose mark is `wanted`, in file order.
Json Marked(const Json& targets, int64_t wanted, std::string_view where) {
  Json::Array texts;
  for (const auto& [text, mark] : targets.AsObject(where)) {
    if (mark.AsInteger(where) == wanted) texts.push_back(Json(text));
  }
  return Json(std::move(texts));
}

Json After(const std::string& text, const std::string& marker, std::string_view where) {
  const size_t at = text.rfind(marker);
  if (at == std::string::npos) {
    Fail(where, ": expected \"", marker, "\" in the value, found none");
  }
  return Json(Trim(std::string_view(text).substr(at + marker.size())));
}

Json SumAbove(const Json& rule, const Json& row, std::string_view where) {
  double sum = 0;
  for (const Json& name : rule.At("sum", where).AsArray(where)) {
    sum += NumberOf(RowValue(row, name.AsString(where), where), where);
  }
  return Json(sum > rule.At("above", where).AsNumber(where));
}

// One rule of `derive`.
Json Derive(const Json& rule, const Json& row, std::string_view where) {
  if (rule.Has("sum")) return SumAbove(rule, row, where);
  if (const Json* value = rule.Find("value")) return *value;
  if (const Json* text = rule.Find("text")) {
    return Json(FillTemplate(text->AsString(where), row, where));
  }
  const Json& from = RowValue(row, rule.At("from", where).AsString(where), where);
  if (rule.Has("after")) return After(from.AsString(where), TextAt(rule, "after", where), where);
  if (rule.Has("split")) return Split(from.AsString(where), TextAt(rule, "split", where));
  if (rule.Has("right")) return Marked(from, 1, where);
  if (rule.Has("wrong")) return Marked(from, 0, where);
  if (rule.Has("equals")) return Json(from == rule.At("equals", where));
  if (rule.Has("first")) {
    const Json::Array& list = from.AsArray(where);
    if (list.empty()) Fail(where, ": expected at least one element, found an empty list");
    return list.front();
  }
  if (TextAt(rule, "decode", where) == "python-bytes") {
    return Json(DecodePythonBytes(from.AsString(where), where));
  }
  if (rule.size() == 1) return from;
  Fail(where,
       ": expected a rule (from with after, split, first, right, wrong, equals or decode; "
       "or sum with above, value, text), found ",
       rule.Dump());
}

}  // namespace

const Json& RowValue(const Json& row, const std::string& name, std::string_view where) {
  if (const Json* value = row.Find(name)) return *value;
  std::vector<std::string_view> names;
  for (const auto& [key, value] : row.AsObject(where)) names.push_back(key);
  Fail(where, ": the task file names the value ", name, ", and this row has none of that name",
       NearNames(name, names));
}

std::string FillTemplate(std::string_view text, const Json& row, std::string_view where) {
  std::string out;
  for (;;) {
    const size_t open = text.find("{{");
    out.append(text.substr(0, open));
    if (open == std::string_view::npos) return out;
    const size_t close = text.find("}}", open);
    if (close == std::string_view::npos) {
      Fail(where, ": expected }} after {{ in the template, found \"", text.substr(open, 40), "\"");
    }
    const std::string name = Trim(text.substr(open + 2, close - open - 2));
    const Json& value = RowValue(row, name, where);
    if (!value.IsString() && !value.IsNumber()) {
      Fail(where, ": expected text or a number as the value of {{", name, "}}, found ",
           value.Dump().substr(0, 60));
    }
    out.append(value.IsString() ? value.string() : value.Dump());
    text.remove_prefix(close + 2);
  }
}

std::vector<TaskRow> ReadTaskRows(const Json& definition, std::string_view where) {
  const std::string format = TextAt(definition, "format", where, "jsonl");
  std::vector<TaskRow> rows;
  for (const Json& file : definition.At("data", where).AsArray(where)) {
    const std::string path = CheckedFile(file, where).string();
    const size_t before = rows.size();
    if (format == "jsonl")
      AddJsonLines(path, rows);
    else if (format == "json")
      AddJson(path, TextAt(definition, "rows", where), rows);
    else if (format == "csv")
      AddCsv(path, rows);
    else
      Fail(where, ": expected format jsonl, json or csv, found ", format);
    const Json* expected = file.Find("rows");
    if (expected != nullptr && expected->AsInteger(where) != int64_t(rows.size() - before)) {
      Fail(path, ": expected ", expected->AsInteger(where), " rows, found ", rows.size() - before);
    }
  }
  const Json* derive = definition.Find("derive");
  for (TaskRow& row : rows) {
    row.values.AsObject(row.where);
    if (derive == nullptr) continue;
    for (const auto& [name, rule] : derive->AsObject(where)) {
      Json value = Derive(rule, row.values, row.where);  // it may replace what it is made of
      row.values.Set(name, std::move(value));
    }
  }
  return rows;
}

namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The escape after a backslash at `at`; moves past it.
char Unescape(std::string_view text, size_t& at, std::string_view where) {
  const char c = text[at++];
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case '\\':
    case '\'':
    case '"':
      return c;
    case 'x':
      if (at + 1 < text.size() && HexDigit(text[at]) >= 0 && HexDigit(text[at + 1]) >= 0) {
        const int value = HexDigit(text[at]) * 16 + HexDigit(text[at + 1]);
        at += 2;
        return static_cast<char>(value);
      }
      [[fallthrough]];
    default:
      Fail(where,
           ": expected an escape of a Python bytes literal (\\n \\r \\t \\\\ \\' \\\" \\xNN), "
           "found \\",
           c);
  }
}

}  // namespace

std::string DecodePythonBytes(std::string_view literal, std::string_view where) {
  const bool quoted = literal.size() >= 3 && literal[0] == 'b' &&
                      (literal[1] == '\'' || literal[1] == '"') && literal.back() == literal[1];
  if (!quoted) return std::string(literal);
  const std::string_view text = literal.substr(2, literal.size() - 3);
  std::string bytes;
  for (size_t at = 0; at < text.size();) {
    const char c = text[at++];
    if (c != '\\')
      bytes.push_back(c);
    else if (at < text.size())
      bytes.push_back(Unescape(text, at, where));
    else
      Fail(where, ": expected an escape after the last backslash, found the end");
  }
  // Dumping replaces what is no UTF-8, as every later use would.
  return Json::Parse(Json(bytes).Dump(), where).string();
}

}  // namespace lem
