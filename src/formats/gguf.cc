// SPDX-License-Identifier: EUPL-1.2
// Typed access to a GGUF file's metadata and tensors. Reading is gguf_parse.cc, writing
// gguf_write.cc.
#include "formats/gguf.h"

#include "base/error.h"

namespace lem {
namespace {

const char* NameOf(const GgufValue& value) {
  if (std::holds_alternative<std::string>(value.value)) return "a string";
  if (std::holds_alternative<bool>(value.value)) return "a boolean";
  if (std::holds_alternative<double>(value.value)) return "a floating number";
  if (std::holds_alternative<int64_t>(value.value) ||
      std::holds_alternative<uint64_t>(value.value)) {
    return "an integer";
  }
  return "an array";
}

bool ToInteger(uint64_t value, int64_t* out) {
  *out = static_cast<int64_t>(value);
  return value <= static_cast<uint64_t>(INT64_MAX);
}

bool ToInteger(const GgufValue& value, int64_t* out) {
  if (const auto* i = std::get_if<int64_t>(&value.value)) {
    *out = *i;
    return true;
  }
  const auto* u = std::get_if<uint64_t>(&value.value);
  return u && ToInteger(*u, out);
}

}  // namespace

GgufValue GgufValue::U32(uint32_t v) { return {Type::kU32, {}, uint64_t{v}}; }
GgufValue GgufValue::F32(float v) { return {Type::kF32, {}, double{v}}; }
GgufValue GgufValue::Bool(bool v) { return {Type::kBool, {}, v}; }
GgufValue GgufValue::String(std::string v) { return {Type::kString, {}, std::move(v)}; }
GgufValue GgufValue::Strings(std::vector<std::string> v) {
  return {Type::kArray, Type::kString, std::move(v)};
}
GgufValue GgufValue::F32Array(const std::vector<float>& v) {
  return {Type::kArray, Type::kF32, std::vector<double>(v.begin(), v.end())};
}
GgufValue GgufValue::I32Array(const std::vector<int32_t>& v) {
  return {Type::kArray, Type::kI32, std::vector<int64_t>(v.begin(), v.end())};
}

const GgufValue* Gguf::Find(std::string_view key) const {
  const auto found = value_index_.find(key);
  return found == value_index_.end() ? nullptr : &values_[found->second].second;
}

const std::string* Gguf::FindString(std::string_view key) const {
  const GgufValue* value = Find(key);
  if (!value) return nullptr;
  if (const auto* text = std::get_if<std::string>(&value->value)) return text;
  Fail(name_, ": ", key, ": expected a string, found ", NameOf(*value));
}

bool Gguf::FindInteger(std::string_view key, int64_t* out) const {
  const GgufValue* value = Find(key);
  if (!value) return false;
  if (ToInteger(*value, out)) return true;
  Fail(name_, ": ", key, ": expected an integer of 63 bits, found ", NameOf(*value));
}

bool Gguf::FindNumber(std::string_view key, double* out) const {
  const GgufValue* value = Find(key);
  if (!value) return false;
  int64_t integer = 0;
  if (const auto* number = std::get_if<double>(&value->value)) {
    *out = *number;
  } else if (ToInteger(*value, &integer)) {
    *out = static_cast<double>(integer);
  } else {
    Fail(name_, ": ", key, ": expected a number, found ", NameOf(*value));
  }
  return true;
}

bool Gguf::FindBool(std::string_view key, bool* out) const {
  const GgufValue* value = Find(key);
  if (!value) return false;
  const auto* flag = std::get_if<bool>(&value->value);
  if (!flag) Fail(name_, ": ", key, ": expected a boolean, found ", NameOf(*value));
  *out = *flag;
  return true;
}

std::vector<int64_t> Gguf::Integers(std::string_view key) const {
  const GgufValue* value = Find(key);
  if (!value) return {};
  if (const auto* list = std::get_if<std::vector<int64_t>>(&value->value)) return *list;
  std::vector<int64_t> result;
  if (const auto* list = std::get_if<std::vector<uint64_t>>(&value->value)) {
    for (const uint64_t v : *list) {
      if (!ToInteger(v, &result.emplace_back())) {
        Fail(name_, ": ", key, ": expected integers of 63 bits, found ", v);
      }
    }
    return result;
  }
  if (const auto* list = std::get_if<std::vector<bool>>(&value->value)) {
    result.assign(list->begin(), list->end());
    return result;
  }
  if (ToInteger(*value, &result.emplace_back())) return result;
  Fail(name_, ": ", key, ": expected integers, found ", NameOf(*value), " of another kind");
}

std::vector<double> Gguf::Numbers(std::string_view key) const {
  const GgufValue* value = Find(key);
  if (!value) return {};
  if (const auto* list = std::get_if<std::vector<double>>(&value->value)) return *list;
  if (const auto* number = std::get_if<double>(&value->value)) return {*number};
  const std::vector<int64_t> integers = Integers(key);
  return {integers.begin(), integers.end()};
}

const std::vector<std::string>* Gguf::FindStrings(std::string_view key) const {
  const GgufValue* value = Find(key);
  if (!value) return nullptr;
  if (const auto* list = std::get_if<std::vector<std::string>>(&value->value)) return list;
  Fail(name_, ": ", key, ": expected an array of strings, found ", NameOf(*value));
}

const GgufTensor* Gguf::FindTensor(std::string_view name) const {
  const auto found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

}  // namespace lem
