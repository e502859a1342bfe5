// SPDX-License-Identifier: EUPL-1.2
// Reads JSON through nlohmann's event parser, which checks the grammar and UTF-8 without recursion.
// The value is ours, so that depth, size and duplicate keys are bounded while it grows.
#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/atomic_file.h"
#include "base/check.h"
#include "base/error.h"
#include "formats/json.h"

namespace lem {
namespace {

// A position in the text. The parser copies its iterators, so the place it has reached is kept
// outside.
struct Cursor {
  using iterator_category = std::forward_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at = nullptr;
  const char** reached = nullptr;

  reference operator*() const { return *at; }
  Cursor& operator++() {
    *reached = ++at;
    return *this;
  }
  Cursor operator++(int) {
    Cursor before = *this;
    ++*this;
    return before;
  }
  bool operator==(const Cursor& other) const { return at == other.at; }
  bool operator!=(const Cursor& other) const { return at != other.at; }
};

struct Source {
  std::string_view text, where;
  int64_t first_line = 1;
  const char* reached = nullptr;

  size_t offset() const { return static_cast<size_t>(reached - text.data()); }

  [[noreturn]] void FailAt(size_t offset, const std::string& message) const {
    const std::string_view before = text.substr(0, std::min(offset, text.size()));
    const size_t newline = before.rfind('\n');
    const int64_t line = first_line + std::count(before.begin(), before.end(), '\n');
    const size_t column = newline == before.npos ? before.size() + 1 : before.size() - newline;
    Fail(where, ":", line, ":", column, ": ", message);
  }
};

// The parser's own words without its prefix, short and printable.
std::string Reason(const char* what) {
  std::string reason = what;
  if (const size_t column = reason.find(", column "); column != reason.npos) {
    if (const size_t colon = reason.find(": ", column); colon != reason.npos)
      reason.erase(0, colon + 2);
  } else if (const size_t bracket = reason.find("] "); bracket != reason.npos) {
    reason.erase(0, bracket + 2);
  }
  if (reason.size() > 200) reason = reason.substr(0, 197) + "...";
  for (char& c : reason) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
  }
  return reason;
}

// Receives the parser's events and builds the value.
class Builder {
 public:
  Builder(const Source& source, const JsonLimits& limits) : source_(source), limits_(limits) {}

  bool null() { return Add(Json()); }
  bool boolean(bool value) { return Add(Json(value)); }
  bool number_integer(int64_t value) { return Add(Json(value)); }
  bool number_unsigned(uint64_t value) { return Add(Json(value)); }
  bool number_float(double value, const std::string&) { return Add(Json(value)); }
  bool string(std::string& value) { return Add(Json(std::move(value))); }
  bool binary(std::vector<uint8_t>&) { return false; }  // JSON text has none

  bool start_object(size_t) { return Open(Json::MakeObject()); }
  bool start_array(size_t) { return Open(Json::MakeArray()); }
  bool end_array() { return Close(); }
  bool end_object() {
    if (limits_.refuse_duplicate_keys) RefuseDuplicates();
    return Close();
  }

  bool key(std::string& key) {
    open_.back().value.object().emplace_back(std::move(key), Json());
    if (limits_.refuse_duplicate_keys) open_.back().key_ends.push_back(source_.offset());
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception& error) {
    source_.FailAt(position == 0 ? 0 : position - 1, "not valid JSON: " + Reason(error.what()));
  }

  Json Take() { return std::move(result_); }

 private:
  struct Open_ {
    Json value;
    std::vector<size_t> key_ends;  // where each key's text ends, for messages
  };

  void Count() {
    if (++values_ > limits_.max_values) {
      source_.FailAt(source_.offset() - 1, "more than " + std::to_string(limits_.max_values) +
                                               " values, the most allowed in a file of this kind");
    }
  }

  bool Add(Json value) {
    Count();
    Place(std::move(value));
    return true;
  }

  bool Open(Json value) {
    Count();
    if (open_.size() >= limits_.max_depth) {
      source_.FailAt(source_.offset() - 1, "nested more than " + std::to_string(limits_.max_depth) +
                                               " deep, the most allowed in a file of this kind");
    }
    open_.push_back({std::move(value), {}});
    return true;
  }

  bool Close() {
    Json value = std::move(open_.back().value);
    open_.pop_back();
    Place(std::move(value));
    return true;
  }

  void Place(Json value) {
    if (open_.empty()) {
      result_ = std::move(value);
    } else if (open_.back().value.IsArray()) {
      open_.back().value.array().push_back(std::move(value));
    } else {
      open_.back().value.object().back().second = std::move(value);
    }
  }

  void RefuseDuplicates() {
    const Json::Object& members = open_.back().value.object();
    std::vector<size_t> order(members.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return members[a].first < members[b].first; });
    for (size_t i = 1; i < order.size(); ++i) {
      const std::string& key = members[order[i]].first;
      if (key != members[order[i - 1]].first) continue;
      source_.FailAt(open_.back().key_ends[order[i]] - 1,
                     "the key " + Json(key.substr(0, 80)).Dump({.ascii = true}) +
                         " appears twice in one object; expected each key once");
    }
  }

  const Source& source_;
  const JsonLimits& limits_;
  std::vector<Open_> open_;
  Json result_;
  size_t values_ = 0;
};

Json ParseSource(Source& source, const JsonLimits& limits) {
  source.reached = source.text.data();
  Builder builder(source, limits);
  const char* begin = source.text.data();
  const Cursor first{begin, &source.reached}, last{begin + source.text.size(), &source.reached};
  LEM_CHECK(nlohmann::json::sax_parse(first, last, &builder));  // errors have thrown
  return builder.Take();
}

}  // namespace

Json Json::Parse(std::string_view text, std::string_view where, const JsonLimits& limits) {
  Source source{text, where};
  return ParseSource(source, limits);
}

Json Json::ParseFile(const std::string& path, const JsonLimits& limits) {
  return Parse(ReadTextFile(path), path, limits);
}

std::vector<JsonLine> ParseJsonLines(std::string_view text, std::string_view where,
                                     bool skip_blank) {
  std::vector<JsonLine> lines;
  int64_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (skip_blank && line.find_first_not_of(" \t\r") == line.npos) continue;
    Source source{line, where, number};
    lines.push_back({number, ParseSource(source, JsonLimits{})});
  }
  return lines;
}

std::vector<JsonLine> ReadJsonLines(const std::string& path, bool skip_blank) {
  return ParseJsonLines(ReadTextFile(path, size_t{1} << 32), path, skip_blank);
}

}  // namespace lem
