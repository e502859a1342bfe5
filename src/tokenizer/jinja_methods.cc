// SPDX-License-Identifier: EUPL-1.2
// Methods of strings, lists and dictionaries, and the global functions.
#include <algorithm>
#include <ctime>
#include <optional>
#include <span>

#include "tokenizer/jinja_builtins.h"
#include "tokenizer/jinja_evaluator.h"
#include "tokenizer/jinja_text.h"
#include "tokenizer/unicode.h"

namespace lem::jinja {
namespace {

constexpr int64_t kMaxRange = 1'000'000;

struct Context {
  Evaluator& evaluator;
  std::string_view name;
  const Value& self;
  const Arguments& arguments;

  Arena& arena() const { return evaluator.arena(); }
  Value String(std::string_view text) const { return arena().String(std::string(text)); }
  std::vector<Value> Bound(std::initializer_list<std::string_view> names) const {
    return Bind(evaluator, name, arguments, names);
  }
  const std::string& TextOf(const Value& value) const {
    if (!value.IsString()) {
      evaluator.Error("expected a string for " + std::string(name) + "(), found " +
                      KindName(value));
    }
    return *value.text;
  }
  int64_t IntegerOf(const Value& value, int64_t otherwise) const {
    if (value.IsUndefined()) return otherwise;
    if (!value.IsInteger()) {
      evaluator.Error("expected a whole number for " + std::string(name) + "(), found " +
                      KindName(value));
    }
    return value.AsInteger();
  }
};

using MethodFunction = Value (*)(const Context&);

// --- strings ---

std::optional<std::string_view> TextOrNothing(const Context& c, const Value& value) {
  if (value.IsUndefined() || value.kind == Kind::kNone) return std::nullopt;
  return c.TextOf(value);
}

Value StripSides(const Context& c, bool left, bool right) {
  return c.String(Strip(*c.self.text, TextOrNothing(c, c.Bound({"chars"})[0]), left, right));
}

Value ListOfTexts(const Context& c, const std::vector<std::string_view>& texts) {
  List items;
  for (const std::string_view text : texts) items.push_back(c.String(text));
  c.evaluator.Step(items.size());
  return c.arena().MakeList(std::move(items));
}

Value Split(const Context& c) {
  const auto bound = c.Bound({"sep", "maxsplit"});
  const auto separator = TextOrNothing(c, bound[0]);
  if (separator && separator->empty())
    c.evaluator.Error("expected a separator that is not empty, found \"\"");
  return ListOfTexts(c, SplitText(*c.self.text, separator, c.IntegerOf(bound[1], -1)));
}

Value RightSplit(const Context& c) {
  const auto bound = c.Bound({"sep", "maxsplit"});
  const std::string& separator = c.TextOf(bound[0]);
  if (separator.empty()) c.evaluator.Error("expected a separator that is not empty, found \"\"");
  const int64_t limit = c.IntegerOf(bound[1], -1);
  std::string_view rest = *c.self.text;
  std::vector<std::string_view> parts;
  while (limit < 0 || static_cast<int64_t>(parts.size()) < limit) {
    const size_t at = rest.rfind(separator);
    if (at == rest.npos) break;
    parts.push_back(rest.substr(at + separator.size()));
    rest = rest.substr(0, at);
  }
  parts.push_back(rest);
  std::reverse(parts.begin(), parts.end());
  return ListOfTexts(c, parts);
}

Value Affix(const Context& c, bool (*has)(const std::string&, const std::string&)) {
  const Value affix = c.Bound({"affix"})[0];
  if (affix.kind != Kind::kTuple) return Value::Bool(has(*c.self.text, c.TextOf(affix)));
  for (const Value& one : *affix.list) {
    if (has(*c.self.text, c.TextOf(one))) return Value::Bool(true);
  }
  return Value::Bool(false);
}

Value StartsWith(const Context& c) {
  return Affix(c, [](const std::string& a, const std::string& b) { return a.starts_with(b); });
}

Value EndsWith(const Context& c) {
  return Affix(c, [](const std::string& a, const std::string& b) { return a.ends_with(b); });
}

Value ReplaceMethod(const Context& c) {
  const auto bound = c.Bound({"old", "new", "count"});
  std::string out =
      ReplaceText(*c.self.text, c.TextOf(bound[0]), c.TextOf(bound[1]), c.IntegerOf(bound[2], -1));
  c.evaluator.Step(out.size() / 64);
  return c.arena().String(std::move(out));
}

Value Find(const Context& c, bool from_right) {
  const auto bound = c.Bound({"sub"});
  const std::string& text = *c.self.text;
  const size_t at = from_right ? text.rfind(c.TextOf(bound[0])) : text.find(c.TextOf(bound[0]));
  if (at == text.npos) return Value::Integer(-1);
  return Value::Integer(static_cast<int64_t>(CharacterCount(std::string_view(text).substr(0, at))));
}

Value CountText(const Context& c) {
  const std::string& what = c.TextOf(c.Bound({"sub"})[0]);
  if (what.empty()) return Value::Integer(static_cast<int64_t>(CharacterCount(*c.self.text)) + 1);
  int64_t count = 0;
  for (size_t at = c.self.text->find(what); at != std::string::npos;
       at = c.self.text->find(what, at + what.size())) {
    ++count;
  }
  return Value::Integer(count);
}

Value JoinMethod(const Context& c) {
  std::string out;
  bool first = true;
  for (const Value& item : c.evaluator.ItemsOf(c.Bound({"iterable"})[0])) {
    if (!first) out += *c.self.text;
    first = false;
    out += c.TextOf(item);
  }
  c.evaluator.Step(out.size() / 64);
  return c.arena().String(std::move(out));
}

// "{} and {0} and {name}": no format specifications.
Value FormatMethod(const Context& c) {
  const std::string& format = *c.self.text;
  std::string out;
  size_t next = 0;
  for (size_t at = 0; at < format.size(); ++at) {
    const char mark = format[at];
    if ((mark == '{' || mark == '}') && at + 1 < format.size() && format[at + 1] == mark) {
      out += mark;
      ++at;
      continue;
    }
    if (mark != '{') {
      out += mark;
      continue;
    }
    const size_t end = format.find('}', at);
    if (end == format.npos) c.evaluator.Error("expected } in a format, found its end");
    const std::string field = format.substr(at + 1, end - at - 1);
    at = end;
    const bool digits =
        !field.empty() && field.size() < 6 &&
        std::all_of(field.begin(), field.end(), [](char d) { return d >= '0' && d <= '9'; });
    const size_t index = field.empty() ? next++ : digits ? std::stoul(field) : SIZE_MAX;
    const Value* value =
        index < c.arguments.positional.size() ? &c.arguments.positional[index] : nullptr;
    for (const auto& [name, named] : c.arguments.named) {
      if (index == SIZE_MAX && name == field) value = &named;
    }
    if (value == nullptr) c.evaluator.Error("expected a value for {" + field + "}, found none");
    out += ToText(*value);
  }
  return c.arena().String(std::move(out));
}

bool EveryCharacter(std::string_view text, uint8_t classes) {
  if (text.empty()) return false;
  for (size_t at = 0; at < text.size();) {
    const CodePoint p = DecodeUtf8(text, at);
    if (!(ClassOf(p.value) & classes)) return false;
    at += p.length == 0 ? 1 : p.length;
  }
  return true;
}

Value RemovePrefix(const Context& c) {
  const std::string& affix = c.TextOf(c.Bound({"prefix"})[0]);
  return c.self.text->starts_with(affix)
             ? c.String(std::string_view(*c.self.text).substr(affix.size()))
             : c.self;
}

Value RemoveSuffix(const Context& c) {
  const std::string& affix = c.TextOf(c.Bound({"suffix"})[0]);
  if (!c.self.text->ends_with(affix)) return c.self;
  return c.String(std::string_view(*c.self.text).substr(0, c.self.text->size() - affix.size()));
}

// --- lists and dictionaries ---

Value ListIndex(const Context& c) {
  const Value item = c.Bound({"value"})[0];
  for (size_t i = 0; i < c.self.list->size(); ++i) {
    if (Equals((*c.self.list)[i], item)) return Value::Integer(static_cast<int64_t>(i));
  }
  c.evaluator.Error("expected an item of the list for index(), found another value");
}

Value ListCount(const Context& c) {
  const Value item = c.Bound({"value"})[0];
  return Value::Integer(std::count_if(c.self.list->begin(), c.self.list->end(),
                                      [&](const Value& value) { return Equals(value, item); }));
}

Value DictItems(const Context& c) {
  c.Bound({});
  List items;
  for (const auto& [key, value] : c.self.dict->members)
    items.push_back(c.arena().MakeTuple({key, value}));
  c.evaluator.Step(items.size());
  return c.arena().MakeList(std::move(items));
}

Value DictKeys(const Context& c) {
  return c.Bound({}), c.arena().MakeList(c.evaluator.ItemsOf(c.self));
}

Value DictValues(const Context& c) {
  c.Bound({});
  List items;
  for (const auto& [key, value] : c.self.dict->members) items.push_back(value);
  return c.arena().MakeList(std::move(items));
}

Value DictGet(const Context& c) {
  const auto bound = c.Bound({"key", "default"});
  if (const Value* value = c.self.dict->Find(bound[0])) return *value;
  return c.arguments.positional.size() > 1 || !c.arguments.named.empty() ? bound[1] : Value::None();
}

// loop.cycle("a", "b")
Value LoopCycle(const Context& c) {
  const auto& items = c.arguments.positional;
  if (items.empty()) c.evaluator.Error("expected values for loop.cycle(), found none");
  return items[c.self.loop->index % items.size()];
}

struct Entry {
  std::string_view name;
  MethodFunction call;
};

constexpr Entry kStringMethods[] = {
    {"capitalize",
     [](const Context& c) { return c.Bound({}), c.String(Capitalize(*c.self.text)); }},
    {"count", CountText},
    {"endswith", EndsWith},
    {"find", [](const Context& c) { return Find(c, false); }},
    {"format", FormatMethod},
    {"isalpha",
     [](const Context& c) {
       return c.Bound({}), Value::Bool(EveryCharacter(*c.self.text, kLetter));
     }},
    {"isdigit",
     [](const Context& c) {
       return c.Bound({}), Value::Bool(EveryCharacter(*c.self.text, kNumber));
     }},
    {"isspace",
     [](const Context& c) {
       return c.Bound({}), Value::Bool(EveryCharacter(*c.self.text, kWhiteSpace));
     }},
    {"join", JoinMethod},
    {"lower",
     [](const Context& c) { return c.Bound({}), c.String(LowercaseUnicode(*c.self.text)); }},
    {"lstrip", [](const Context& c) { return StripSides(c, true, false); }},
    {"removeprefix", RemovePrefix},
    {"removesuffix", RemoveSuffix},
    {"replace", ReplaceMethod},
    {"rfind", [](const Context& c) { return Find(c, true); }},
    {"rsplit", RightSplit},
    {"rstrip", [](const Context& c) { return StripSides(c, false, true); }},
    {"split", Split},
    {"splitlines",
     [](const Context& c) { return c.Bound({}), ListOfTexts(c, SplitLines(*c.self.text)); }},
    {"startswith", StartsWith},
    {"strip", [](const Context& c) { return StripSides(c, true, true); }},
    {"title", [](const Context& c) { return c.Bound({}), c.String(TitleMethod(*c.self.text)); }},
    {"upper",
     [](const Context& c) { return c.Bound({}), c.String(UppercaseUnicode(*c.self.text)); }},
};
constexpr Entry kListMethods[] = {{"count", ListCount}, {"index", ListIndex}};
constexpr Entry kDictMethods[] = {
    {"get", DictGet}, {"items", DictItems}, {"keys", DictKeys}, {"values", DictValues}};
constexpr Entry kLoopMethods[] = {{"cycle", LoopCycle}};

std::span<const Entry> MethodsOf(const Value& value) {
  switch (value.kind) {
    case Kind::kString:
      return kStringMethods;
    case Kind::kList:
    case Kind::kTuple:
      return kListMethods;
    case Kind::kDict:
      return kDictMethods;
    case Kind::kLoop:
      return kLoopMethods;
    default:
      return {};
  }
}

const Entry* FindEntry(const Value& value, std::string_view name) {
  for (const Entry& entry : MethodsOf(value)) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

// --- global functions ---

Value Range(Evaluator& evaluator, const Arguments& arguments) {
  const auto bound = Bind(evaluator, "range", arguments, {"start", "stop", "step"});
  int64_t part[3] = {0, 0, 1};
  for (size_t i = 0; i < 3; ++i) {
    if (bound[i].IsUndefined()) continue;
    if (!bound[i].IsInteger())
      evaluator.Error(std::string("expected whole numbers for range(), found ") +
                      KindName(bound[i]));
    part[i] = bound[i].AsInteger();
  }
  if (bound[1].IsUndefined()) std::swap(part[0], part[1]);
  if (part[2] == 0) evaluator.Error("expected a step that is not 0 for range(), found 0");
  List items;
  for (int64_t i = part[0]; part[2] > 0 ? i < part[1] : i > part[1];) {
    if (static_cast<int64_t>(items.size()) == kMaxRange) {
      evaluator.Error("expected a range() of at most " + std::to_string(kMaxRange) +
                      " numbers, found more");
    }
    items.push_back(Value::Integer(i));
    if (__builtin_add_overflow(i, part[2], &i)) break;
  }
  evaluator.Step(items.size());
  return evaluator.arena().MakeList(std::move(items));
}

Dict DictOfArguments(Evaluator& evaluator, const Arguments& arguments) {
  Dict dict;
  if (arguments.positional.size() > 1)
    evaluator.Error("expected one dictionary at most, found more values");
  if (!arguments.positional.empty()) {
    if (arguments.positional[0].kind != Kind::kDict)
      evaluator.Error(std::string("expected a dictionary, found ") +
                      KindName(arguments.positional[0]));
    dict = *arguments.positional[0].dict;
  }
  for (const auto& [name, value] : arguments.named) {
    if (Value* old = const_cast<Value*>(dict.Find(name))) {
      *old = value;
    } else {
      dict.members.emplace_back(evaluator.arena().String(std::string(name)), value);
    }
  }
  return dict;
}

Value StrftimeNow(Evaluator& evaluator, const Arguments& arguments) {
  const auto bound = Bind(evaluator, "strftime_now", arguments, {"format"});
  if (!bound[0].IsString() || bound[0].text->size() > 256)
    evaluator.Error(
        "expected a format of at most 256 bytes for strftime_now(), found another value");
  std::tm date{};
  if (strptime(evaluator.date.c_str(), "%Y-%m-%d", &date) == nullptr) {
    evaluator.Error("expected a date like 2026-01-31 for strftime_now(), found \"" +
                    evaluator.date + "\"");
  }
  char text[1024];
  const size_t length = std::strftime(text, sizeof(text), bound[0].text->c_str(), &date);
  return evaluator.arena().String(std::string(text, length));
}

}  // namespace

std::vector<Value> Bind(Evaluator& evaluator, std::string_view callee, const Arguments& arguments,
                        std::initializer_list<std::string_view> names) {
  std::vector<Value> bound(names.size());
  if (arguments.positional.size() > names.size()) {
    evaluator.Error("expected at most " + std::to_string(names.size()) + " arguments for " +
                    std::string(callee) + ", found " + std::to_string(arguments.positional.size()));
  }
  std::copy(arguments.positional.begin(), arguments.positional.end(), bound.begin());
  for (const auto& [name, value] : arguments.named) {
    const auto* at = std::find(names.begin(), names.end(), name);
    if (at == names.end()) {
      evaluator.Error("expected arguments that " + std::string(callee) + " has, found \"" +
                      std::string(name) + "\"");
    }
    bound[static_cast<size_t>(at - names.begin())] = value;
  }
  return bound;
}

std::string_view FindMethod(const Value& value, std::string_view name) {
  const Entry* entry = FindEntry(value, name);
  return entry == nullptr ? std::string_view() : entry->name;
}

Value CallMethod(Evaluator& evaluator, std::string_view name, const Value& self,
                 const Arguments& arguments) {
  return FindEntry(self, name)->call({evaluator, name, self, arguments});
}

bool IsGlobal(std::string_view name) {
  return name == "range" || name == "dict" || name == "namespace" || name == "raise_exception" ||
         name == "strftime_now";
}

Value CallGlobal(Evaluator& evaluator, std::string_view name, const Arguments& arguments) {
  if (name == "range") return Range(evaluator, arguments);
  if (name == "dict") return evaluator.arena().MakeDict(DictOfArguments(evaluator, arguments));
  if (name == "namespace")
    return evaluator.arena().MakeNamespace(DictOfArguments(evaluator, arguments));
  if (name == "strftime_now") return StrftimeNow(evaluator, arguments);
  const auto bound = Bind(evaluator, "raise_exception", arguments, {"message"});
  evaluator.Error("the template refuses these messages: " + ToText(bound[0]));
}

}  // namespace lem::jinja
