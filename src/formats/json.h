// SPDX-License-Identifier: EUPL-1.2
// JSON (RFC 8259) as a value: bounded, duplicate keys refused, numbers kept exactly where they fit.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace lem {

struct JsonLimits {
  size_t max_depth = 64;
  size_t max_values = size_t{1} << 26;
  bool refuse_duplicate_keys = true;
};

class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;  // in file order

  Json();  // null
  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(const Json& other);
  Json& operator=(Json&& other) noexcept;
  ~Json();
  Json(std::nullptr_t) : Json() {}
  Json(bool value) : value_(value) {}
  Json(int value) : value_(int64_t{value}) {}
  Json(int64_t value) : value_(value) {}
  Json(uint64_t value);  // becomes a double above 2^63 - 1
  Json(unsigned value) : value_(int64_t{value}) {}
  Json(long long value) : value_(static_cast<int64_t>(value)) {}
  Json(double value) : value_(value) {}
  Json(float value) : value_(static_cast<double>(value)) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  Json(Object value) : value_(std::move(value)) {}
  static Json MakeArray() { return Json(Array{}); }
  static Json MakeObject() { return Json(Object{}); }

  // `where` names the source in messages: a path, or "--messages". Throws Error with line and
  // column.
  static Json Parse(std::string_view text, std::string_view where, const JsonLimits& limits = {});
  static Json ParseFile(const std::string& path, const JsonLimits& limits = {});

  bool IsNull() const { return std::holds_alternative<std::monostate>(value_); }
  bool IsBool() const { return std::holds_alternative<bool>(value_); }
  bool IsInteger() const { return std::holds_alternative<int64_t>(value_); }
  bool IsNumber() const { return IsInteger() || std::holds_alternative<double>(value_); }
  bool IsString() const { return std::holds_alternative<std::string>(value_); }
  bool IsArray() const { return std::holds_alternative<Array>(value_); }
  bool IsObject() const { return std::holds_alternative<Object>(value_); }

  // Typed access. Each throws Error naming `where` and what was found when the type differs.
  bool AsBool(std::string_view where) const;
  int64_t AsInteger(std::string_view where) const;  // accepts 3.0
  double AsNumber(std::string_view where) const;
  const std::string& AsString(std::string_view where) const;
  const Array& AsArray(std::string_view where) const;
  const Object& AsObject(std::string_view where) const;

  // For values whose type has been checked; LEM_CHECK otherwise.
  bool boolean() const;
  int64_t integer() const;
  double number() const;
  const std::string& string() const;
  const Array& array() const;
  Array& array();
  const Object& object() const;
  Object& object();

  // Objects. Find returns null when absent or when this is no object.
  const Json* Find(std::string_view key) const;
  Json* Find(std::string_view key);
  bool Has(std::string_view key) const { return Find(key) != nullptr; }
  const Json& At(std::string_view key, std::string_view where) const;  // throws Error when absent
  void Set(std::string key, Json value);                               // replaces or appends
  void Append(Json value);                                             // arrays
  size_t size() const;                                                 // arrays and objects, else 0

  // indent < 0: compact ("," and ":" without spaces). Doubles print shortest-round-trip; a
  // non-finite number prints as null. Invalid UTF-8 is replaced by U+FFFD. python_style: ", " and
  // ": " separators and ASCII escapes, as Python's json.dumps does (adapter_config.json,
  // config.json).
  struct Format {
    int indent = -1;
    bool sort_keys = false;
    bool python_style = false;
    bool ascii = false;
  };
  std::string Dump(const Format& format) const;
  std::string Dump() const;  // compact

  friend bool operator==(const Json&, const Json&) = default;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object> value_;
};

// One JSON value per line. Blank lines are skipped only if `skip_blank`; messages carry path and
// line.
struct JsonLine {
  int64_t line = 0;  // 1-based
  Json value;
};
std::vector<JsonLine> ParseJsonLines(std::string_view text, std::string_view where,
                                     bool skip_blank = true);
std::vector<JsonLine> ReadJsonLines(const std::string& path, bool skip_blank = true);

}  // namespace lem
