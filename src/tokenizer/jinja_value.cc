// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/jinja_value.h"

#include <algorithm>

namespace lem::jinja {
namespace {

constexpr uint32_t kMaxWeight = uint32_t{1} << 26;
constexpr uint8_t kMaxDepth = 100;

}  // namespace

Value Value::None() {
  Value v;
  v.kind = Kind::kNone;
  return v;
}

Value Value::Bool(bool value) {
  Value v;
  v.kind = Kind::kBool;
  v.boolean = value;
  return v;
}

Value Value::Integer(int64_t value) {
  Value v;
  v.kind = Kind::kInteger;
  v.integer = value;
  return v;
}

Value Value::Float(double value) {
  Value v;
  v.kind = Kind::kFloat;
  v.number = value;
  return v;
}

const Value* Dict::Find(const Value& key) const {
  for (const auto& [name, value] : members) {
    if (Equals(name, key)) return &value;
  }
  return nullptr;
}

const Value* Dict::Find(std::string_view key) const {
  for (const auto& [name, value] : members) {
    if (name.IsString() && *name.text == key) return &value;
  }
  return nullptr;
}

void Arena::Charge(size_t bytes) {
  if (bytes > limit_ || used_ > limit_ - bytes) {
    throw ArenaLimit{"expected at most " + std::to_string(limit_ >> 20) +
                     " MiB of values, found more; try a simpler template or fewer messages"};
  }
  used_ += bytes;
}

Value Arena::String(std::string text) {
  Charge(text.size() + sizeof(std::string));
  strings_.push_back(std::move(text));
  return StringView(&strings_.back());
}

Value Arena::StringView(const std::string* text) {
  Value v;
  v.kind = Kind::kString;
  v.weight = static_cast<uint32_t>(std::min<size_t>(text->size() + 2, kMaxWeight));
  v.text = text;
  return v;
}

void Arena::Weigh(const Value& item, Value* container) {
  if (item.depth >= kMaxDepth) {
    throw ArenaLimit{"expected at most " + std::to_string(kMaxDepth) +
                     " levels of lists inside lists, found more; try a simpler template"};
  }
  container->depth = std::max<uint8_t>(container->depth, item.depth + 1);
  const uint64_t weight = uint64_t{container->weight} + item.weight + 2;
  if (weight > 2 * uint64_t{kMaxWeight}) {
    throw ArenaLimit{"expected lists of at most " + std::to_string(2 * (kMaxWeight >> 20)) +
                     " MiB of text, found more; try a simpler template"};
  }
  container->weight = static_cast<uint32_t>(weight);
}

Value Arena::MakeList(List items) {
  Charge(items.size() * sizeof(Value) + sizeof(List));
  Value v;
  v.kind = Kind::kList;
  for (const Value& item : items) Weigh(item, &v);
  lists_.push_back(std::move(items));
  v.list = &lists_.back();
  return v;
}

Value Arena::MakeTuple(List items) {
  Value v = MakeList(std::move(items));
  v.kind = Kind::kTuple;
  return v;
}

Value Arena::MakeDict(Dict dict) {
  Charge(dict.members.size() * 2 * sizeof(Value) + sizeof(Dict));
  Value v;
  v.kind = Kind::kDict;
  for (const auto& [key, value] : dict.members) {
    Weigh(key, &v);
    Weigh(value, &v);
  }
  dicts_.push_back(std::move(dict));
  v.dict = &dicts_.back();
  return v;
}

Value Arena::MakeNamespace(const Dict& dict) {
  Charge(dict.members.size() * 64 + sizeof(Namespace));
  Namespace space;
  for (const auto& [name, value] : dict.members) space.members.emplace_back(ToText(name), value);
  namespaces_.push_back(std::move(space));
  Value v;
  v.kind = Kind::kNamespace;
  v.space = &namespaces_.back();
  return v;
}

Value Arena::MakeFunction(Function function) {
  Charge(sizeof(Function));
  functions_.push_back(function);
  Value v;
  v.kind = Kind::kFunction;
  v.function = &functions_.back();
  return v;
}

Value Arena::MakeMacro(Macro macro) {
  Charge(sizeof(Macro));
  macros_.push_back(macro);
  Value v;
  v.kind = Kind::kMacro;
  v.macro = &macros_.back();
  return v;
}

Loop* Arena::MakeLoop(Loop loop) {
  Charge(sizeof(Loop));
  loops_.push_back(loop);
  return &loops_.back();
}

Value Arena::Undefined(std::string what) {
  Value v = String(std::move(what));
  v.kind = Kind::kUndefined;
  return v;
}

Value Arena::FromJson(const Json& json) {
  if (json.IsNull()) return Value::None();
  if (json.IsBool()) return Value::Bool(json.boolean());
  if (json.IsInteger()) return Value::Integer(json.integer());
  if (json.IsNumber()) return Value::Float(json.number());
  if (json.IsString()) return StringView(&json.string());
  if (json.IsArray()) {
    List items;
    items.reserve(json.array().size());
    for (const Json& item : json.array()) items.push_back(FromJson(item));
    return MakeList(std::move(items));
  }
  Dict dict;
  dict.members.reserve(json.object().size());
  for (const auto& [key, value] : json.object()) {
    dict.members.emplace_back(StringView(&key), FromJson(value));
  }
  return MakeDict(std::move(dict));
}

const char* KindName(const Value& value) {
  switch (value.kind) {
    case Kind::kUndefined:
      return "an undefined value";
    case Kind::kNone:
      return "none";
    case Kind::kBool:
      return "a boolean";
    case Kind::kInteger:
      return "an integer";
    case Kind::kFloat:
      return "a float";
    case Kind::kString:
      return "a string";
    case Kind::kList:
      return "a list";
    case Kind::kTuple:
      return "a tuple";
    case Kind::kDict:
      return "a dictionary";
    case Kind::kNamespace:
      return "a namespace";
    case Kind::kLoop:
      return "a loop";
    case Kind::kMacro:
      return "a macro";
    case Kind::kFunction:
      return "a function";
  }
  return "";
}

std::string Describe(const Value& value) {
  if (!value.IsUndefined() || value.text == nullptr) return KindName(value);
  return *value.text + " (undefined)";
}

bool IsTrue(const Value& value) {
  switch (value.kind) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return value.boolean;
    case Kind::kInteger:
      return value.integer != 0;
    case Kind::kFloat:
      return value.number != 0;
    case Kind::kString:
      return !value.text->empty();
    case Kind::kList:
    case Kind::kTuple:
      return !value.list->empty();
    case Kind::kDict:
      return !value.dict->members.empty();
    default:
      return true;
  }
}

namespace {

bool DictEquals(const Dict& a, const Dict& b) {
  if (a.members.size() != b.members.size()) return false;
  return std::all_of(a.members.begin(), a.members.end(), [&](const auto& member) {
    const Value* other = b.Find(member.first);
    return other != nullptr && Equals(member.second, *other);
  });
}

}  // namespace

bool Equals(const Value& a, const Value& b) {
  if (a.IsInteger() && b.IsInteger()) return a.AsInteger() == b.AsInteger();
  if (a.IsNumber() && b.IsNumber()) return a.AsNumber() == b.AsNumber();
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
      return *a.text == *b.text;
    case Kind::kList:
    case Kind::kTuple:
      return std::equal(a.list->begin(), a.list->end(), b.list->begin(), b.list->end(), Equals);
    case Kind::kDict:
      return DictEquals(*a.dict, *b.dict);
    case Kind::kNamespace:
      return a.space == b.space;
    case Kind::kLoop:
      return a.loop == b.loop;
    case Kind::kMacro:
      return a.macro == b.macro;
    case Kind::kFunction:
      return a.function == b.function;
    default:
      return false;
  }
}

bool Compare(const Value& a, const Value& b, int* order) {
  const auto sign = [](auto x, auto y) { return x < y ? -1 : x > y ? 1 : 0; };
  if (a.IsInteger() && b.IsInteger()) {
    *order = sign(a.AsInteger(), b.AsInteger());
    return true;
  }
  if (a.IsNumber() && b.IsNumber()) {
    *order = sign(a.AsNumber(), b.AsNumber());
    return true;
  }
  if (a.IsString() && b.IsString()) {
    *order = sign(a.text->compare(*b.text), 0);  // UTF-8 sorts as its code points do
    return true;
  }
  if (a.IsSequence() && a.kind == b.kind) {
    for (size_t i = 0; i < std::min(a.list->size(), b.list->size()); ++i) {
      if (Equals((*a.list)[i], (*b.list)[i])) continue;
      return Compare((*a.list)[i], (*b.list)[i], order);
    }
    *order = sign(a.list->size(), b.list->size());
    return true;
  }
  return false;
}

}  // namespace lem::jinja
