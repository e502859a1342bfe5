// SPDX-License-Identifier: EUPL-1.2
// The JSON value: typed access, building. Reading is json_parse.cc, writing is json_dump.cc.
#include "formats/json.h"

#include <cmath>

#include "base/check.h"
#include "base/error.h"

namespace lem {
namespace {

const char* KindOf(const Json& value) {
  if (value.IsNull()) return "null";
  if (value.IsBool()) return "true or false";
  if (value.IsInteger()) return "an integer";
  if (value.IsNumber()) return "a number";
  if (value.IsString()) return "a string";
  return value.IsArray() ? "an array" : "an object";
}

// What was found, short enough for one sentence.
std::string Shown(const Json& value) {
  if (value.IsArray() || value.IsObject()) return KindOf(value);
  std::string text = value.Dump(Json::Format{.ascii = true});
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return std::string(KindOf(value)) + (value.IsNull() ? "" : " (" + text + ")");
}

[[noreturn]] void FailType(std::string_view where, const char* expected, const Json& found) {
  Fail(where, ": expected ", expected, ", found ", Shown(found));
}

}  // namespace

// Here and not in the header: GCC 12 inlines them into false warnings about uninitialised memory.
Json::Json() = default;
Json::Json(const Json& other) = default;
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(const Json& other) = default;
Json& Json::operator=(Json&& other) noexcept = default;
Json::~Json() = default;

Json::Json(uint64_t value) {
  if (value <= static_cast<uint64_t>(INT64_MAX)) {
    value_ = static_cast<int64_t>(value);
  } else {
    value_ = static_cast<double>(value);
  }
}

bool Json::AsBool(std::string_view where) const {
  if (!IsBool()) FailType(where, "true or false", *this);
  return boolean();
}

int64_t Json::AsInteger(std::string_view where) const {
  if (IsInteger()) return integer();
  if (const double* d = std::get_if<double>(&value_)) {
    // 2^63 is exact in a double and the first value that does not fit.
    if (*d == std::floor(*d) && *d >= -0x1p63 && *d < 0x1p63) return static_cast<int64_t>(*d);
  }
  FailType(where, "an integer", *this);
}

double Json::AsNumber(std::string_view where) const {
  if (!IsNumber()) FailType(where, "a number", *this);
  return number();
}

const std::string& Json::AsString(std::string_view where) const {
  if (!IsString()) FailType(where, "a string", *this);
  return string();
}

const Json::Array& Json::AsArray(std::string_view where) const {
  if (!IsArray()) FailType(where, "an array", *this);
  return array();
}

const Json::Object& Json::AsObject(std::string_view where) const {
  if (!IsObject()) FailType(where, "an object", *this);
  return object();
}

bool Json::boolean() const {
  LEM_CHECK(IsBool());
  return std::get<bool>(value_);
}

int64_t Json::integer() const {
  LEM_CHECK(IsInteger());
  return std::get<int64_t>(value_);
}

double Json::number() const {
  LEM_CHECK(IsNumber());
  return IsInteger() ? static_cast<double>(integer()) : std::get<double>(value_);
}

const std::string& Json::string() const {
  LEM_CHECK(IsString());
  return std::get<std::string>(value_);
}

const Json::Array& Json::array() const {
  LEM_CHECK(IsArray());
  return std::get<Array>(value_);
}

Json::Array& Json::array() {
  LEM_CHECK(IsArray());
  return std::get<Array>(value_);
}

const Json::Object& Json::object() const {
  LEM_CHECK(IsObject());
  return std::get<Object>(value_);
}

Json::Object& Json::object() {
  LEM_CHECK(IsObject());
  return std::get<Object>(value_);
}

const Json* Json::Find(std::string_view key) const {
  if (!IsObject()) return nullptr;
  for (const Member& member : std::get<Object>(value_)) {
    if (member.first == key) return &member.second;
  }
  return nullptr;
}

Json* Json::Find(std::string_view key) {
  return const_cast<Json*>(static_cast<const Json*>(this)->Find(key));
}

const Json& Json::At(std::string_view key, std::string_view where) const {
  if (!IsObject()) FailType(where, "an object", *this);
  if (const Json* value = Find(key)) return *value;
  Fail(where, ": expected a key \"", key, "\", found none of that name");
}

void Json::Set(std::string key, Json value) {
  if (IsNull()) value_ = Object{};
  if (Json* old = Find(key)) {
    *old = std::move(value);
  } else {
    object().emplace_back(std::move(key), std::move(value));
  }
}

void Json::Append(Json value) {
  if (IsNull()) value_ = Array{};
  array().push_back(std::move(value));
}

size_t Json::size() const {
  if (IsArray()) return array().size();
  return IsObject() ? object().size() : 0;
}

}  // namespace lem
