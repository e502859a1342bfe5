// SPDX-License-Identifier: EUPL-1.2
// Jinja's filters.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "tokenizer/jinja_arithmetic.h"
#include "tokenizer/jinja_builtins.h"
#include "tokenizer/jinja_evaluator.h"
#include "tokenizer/jinja_text.h"
#include "tokenizer/unicode.h"

namespace lem::jinja {
namespace {

// What a filter is given.
struct Context {
  Evaluator& evaluator;
  std::string_view name;
  const Value& value;
  const Arguments& arguments;

  Arena& arena() const { return evaluator.arena(); }
  std::vector<Value> Bound(std::initializer_list<std::string_view> names) const {
    return Bind(evaluator, name, arguments, names);
  }
  std::string Text() const { return evaluator.TextOf(value); }
  Value String(std::string text) const { return arena().String(std::move(text)); }
  List Items() const { return evaluator.ItemsOf(value); }
  [[noreturn]] void Error(const std::string& message) const { evaluator.Error(message); }
};

using FilterFunction = Value (*)(const Context&);

// a.b.0 : attributes and items, one after another.
Value Deep(const Context& c, Value value, const Value& path) {
  if (path.IsInteger()) return c.evaluator.ItemOf(value, path);
  const std::string names = ToText(path);
  for (const std::string_view part : SplitText(names, ".", -1)) {
    int64_t index = 0;
    const auto parsed = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool is_number = parsed.ec == std::errc() && parsed.ptr == part.data() + part.size();
    value = c.evaluator.ItemOf(
        value, is_number ? Value::Integer(index) : c.arena().String(std::string(part)));
  }
  return value;
}

bool SameIgnoringCase(const Value& a, const Value& b, bool case_sensitive) {
  if (case_sensitive || !a.IsString() || !b.IsString()) return Equals(a, b);
  return LowercaseUnicode(*a.text) == LowercaseUnicode(*b.text);
}

Value FoldCase(const Context& c, const Value& value, bool case_sensitive) {
  return case_sensitive || !value.IsString() ? value : c.String(LowercaseUnicode(*value.text));
}

bool OptionOf(const Value& value, bool otherwise) {
  return value.IsUndefined() ? otherwise : IsTrue(value);
}

int64_t IntegerOf(const Context& c, const Value& value, int64_t otherwise) {
  if (value.IsUndefined()) return otherwise;
  if (!value.IsInteger())
    c.Error("expected a whole number for the filter " + std::string(c.name) + ", found " +
            KindName(value));
  return value.AsInteger();
}

Value Trim(const Context& c) {
  const auto bound = c.Bound({"chars"});
  const std::string text = c.Text();
  std::optional<std::string> characters;
  if (bound[0].IsString()) characters = *bound[0].text;
  return c.String(std::string(Strip(text, characters, true, true)));
}

Value Length(const Context& c) {
  c.Bound({});
  const Value& v = c.value;
  switch (v.kind) {
    case Kind::kUndefined:
      return Value::Integer(0);
    case Kind::kString:
      return Value::Integer(static_cast<int64_t>(CharacterCount(*v.text)));
    case Kind::kList:
    case Kind::kTuple:
      return Value::Integer(static_cast<int64_t>(v.list->size()));
    case Kind::kDict:
      return Value::Integer(static_cast<int64_t>(v.dict->members.size()));
    default:
      c.Error(std::string("expected something with a length, found ") + KindName(v));
  }
}

Value ToJsonFilter(const Context& c) {
  const auto bound = c.Bound({"ensure_ascii", "indent", "separators", "sort_keys"});
  const bool indented = !bound[1].IsUndefined() && bound[1].kind != Kind::kNone;
  const int64_t indent = indented ? IntegerOf(c, bound[1], 0) : -1;
  if (indent > 64) c.Error("expected an indent of at most 64, found " + std::to_string(indent));
  std::string items = indented ? "," : ", ", keys = ": ", out, what;
  if (bound[2].IsSequence() && bound[2].list->size() == 2) {
    items = ToText((*bound[2].list)[0]);
    keys = ToText((*bound[2].list)[1]);
  }
  if (!ToJson(c.value, static_cast<int>(indent), OptionOf(bound[3], false), items, keys, &out,
              &what)) {
    c.Error("expected a value that JSON can hold for tojson, found " + what);
  }
  c.evaluator.Step(out.size() / 64);
  return c.String(std::move(out));
}

Value Upper(const Context& c) { return c.Bound({}), c.String(UppercaseUnicode(c.Text())); }
Value Lower(const Context& c) { return c.Bound({}), c.String(LowercaseUnicode(c.Text())); }
Value TitleOf(const Context& c) { return c.Bound({}), c.String(TitleFilter(c.Text())); }
Value CapitalizeOf(const Context& c) { return c.Bound({}), c.String(Capitalize(c.Text())); }
Value StringOf(const Context& c) { return c.Bound({}), c.String(c.Text()); }
Value Same(const Context& c) { return c.Bound({}), c.value; }
Value Escape(const Context& c) { return c.Bound({}), c.String(EscapeHtml(c.Text())); }

Value Join(const Context& c) {
  const auto bound = c.Bound({"d", "attribute"});
  const std::string separator = bound[0].IsUndefined() ? "" : ToText(bound[0]);
  std::string out;
  bool first = true;
  for (Value item : c.Items()) {
    if (!bound[1].IsUndefined()) item = Deep(c, item, bound[1]);
    if (!first) out += separator;
    first = false;
    out += c.evaluator.TextOf(item);
  }
  return c.String(std::move(out));
}

Value Default(const Context& c) {
  const auto bound = c.Bound({"default_value", "boolean"});
  const bool absent = c.value.IsUndefined() || (OptionOf(bound[1], false) && !IsTrue(c.value));
  if (!absent) return c.value;
  return bound[0].IsUndefined() ? c.String("") : bound[0];
}

Value First(const Context& c) {
  c.Bound({});
  const List items = c.Items();
  return items.empty() ? c.arena().Undefined("the first of no items") : items.front();
}

Value Last(const Context& c) {
  c.Bound({});
  const List items = c.Items();
  return items.empty() ? c.arena().Undefined("the last of no items") : items.back();
}

Value Replace(const Context& c) {
  const auto bound = c.Bound({"old", "new", "count"});
  if (bound[0].IsUndefined() || bound[1].IsUndefined()) {
    c.Error("expected replace(old, new), found fewer arguments");
  }
  std::string out = ReplaceText(c.Text(), ToText(bound[0]), ToText(bound[1]),
                                bound[2].kind == Kind::kNone ? -1 : IntegerOf(c, bound[2], -1));
  c.evaluator.Step(out.size() / 64);
  return c.String(std::move(out));
}

Value ListOf(const Context& c) { return c.Bound({}), c.arena().MakeList(c.Items()); }

Value Items(const Context& c) {
  c.Bound({});
  if (c.value.IsUndefined()) return c.arena().MakeList({});
  if (c.value.kind != Kind::kDict)
    c.Error(std::string("expected a dictionary for items, found ") + KindName(c.value));
  return CallMethod(c.evaluator, "items", c.value, {});
}

Value Map(const Context& c) {
  List out;
  if (c.arguments.positional.empty()) {
    const auto bound = c.Bound({"attribute", "default"});
    if (bound[0].IsUndefined())
      c.Error("expected map(attribute=...) or map(\"filter\"), found neither");
    for (const Value& item : c.Items()) {
      const Value value = Deep(c, item, bound[0]);
      out.push_back(value.IsUndefined() && !bound[1].IsUndefined() ? bound[1] : value);
    }
    return c.arena().MakeList(std::move(out));
  }
  const std::string name = ToText(c.arguments.positional[0]);
  if (!IsFilter(name)) c.Error("expected a filter that is known here, found \"" + name + "\"");
  Arguments rest = c.arguments;
  rest.positional.erase(rest.positional.begin());
  for (const Value& item : c.Items()) out.push_back(ApplyFilter(c.evaluator, name, item, rest));
  return c.arena().MakeList(std::move(out));
}

// select, reject, selectattr, rejectattr: items that pass a test (or are true), or do not.
Value Select(const Context& c, bool by_attribute, bool wanted) {
  Arguments rest = c.arguments;
  const auto take = [&] {
    const Value value = rest.positional[0];
    rest.positional.erase(rest.positional.begin());
    return value;
  };
  if (by_attribute && rest.positional.empty())
    c.Error("expected an attribute for " + std::string(c.name) + ", found none");
  const Value attribute = by_attribute ? take() : Value();
  const std::string test = rest.positional.empty() ? "" : ToText(take());
  if (!test.empty() && !IsTest(test))
    c.Error("expected a test that is known here, found \"" + test + "\"");
  List out;
  for (const Value& item : c.Items()) {
    const Value value = by_attribute ? Deep(c, item, attribute) : item;
    const bool passes = test.empty() ? IsTrue(value) : ApplyTest(c.evaluator, test, value, rest);
    if (passes == wanted) out.push_back(item);
  }
  return c.arena().MakeList(std::move(out));
}

Value SelectOf(const Context& c) { return Select(c, false, true); }
Value Reject(const Context& c) { return Select(c, false, false); }
Value SelectAttr(const Context& c) { return Select(c, true, true); }
Value RejectAttr(const Context& c) { return Select(c, true, false); }

// int(value): text that is no number gives the default.
Value Integer(const Context& c) {
  const auto bound = c.Bound({"default", "base"});
  const Value otherwise = bound[0].IsUndefined() ? Value::Integer(0) : bound[0];
  const int64_t base = IntegerOf(c, bound[1], 10);
  if (c.value.IsInteger()) return Value::Integer(c.value.AsInteger());
  double number = 0;
  if (c.value.kind == Kind::kFloat) {
    number = c.value.number;
  } else if (c.value.IsString() && base >= 2 && base <= 36) {
    std::string_view text = Strip(*c.value.text, std::nullopt, true, true);
    if (text.starts_with('+')) text.remove_prefix(1);
    if (base == 16 && (text.starts_with("0x") || text.starts_with("0X"))) text.remove_prefix(2);
    const char* last = text.data() + text.size();
    int64_t integer = 0;
    auto parsed = std::from_chars(text.data(), last, integer, static_cast<int>(base));
    if (parsed.ec == std::errc() && parsed.ptr == last) return Value::Integer(integer);
    parsed = std::from_chars(text.data(), last, number);
    if (parsed.ec != std::errc() || parsed.ptr != last) return otherwise;
  } else {
    return otherwise;
  }
  if (!(std::fabs(number) < 9e18)) return otherwise;
  return Value::Integer(static_cast<int64_t>(number));
}

Value Float(const Context& c) {
  const auto bound = c.Bound({"default"});
  const Value otherwise = bound[0].IsUndefined() ? Value::Float(0) : bound[0];
  if (c.value.IsNumber()) return Value::Float(c.value.AsNumber());
  if (!c.value.IsString()) return otherwise;
  const std::string_view text = Strip(*c.value.text, std::nullopt, true, true);
  double number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return otherwise;
  return Value::Float(number);
}

Value Round(const Context& c) {
  const auto bound = c.Bound({"precision", "method"});
  if (!c.value.IsNumber())
    c.Error(std::string("expected a number to round, found ") + KindName(c.value));
  const int64_t precision = IntegerOf(c, bound[0], 0);
  if (precision < -300 || precision > 300)
    c.Error("expected a precision between -300 and 300, found another");
  const std::string method = bound[1].IsUndefined() ? "common" : ToText(bound[1]);
  const double factor = std::pow(10.0, static_cast<double>(precision));
  const double scaled = c.value.AsNumber() * factor;
  if (method == "ceil") return Value::Float(std::ceil(scaled) / factor);
  if (method == "floor") return Value::Float(std::floor(scaled) / factor);
  if (method != "common")
    c.Error("expected common, ceil or floor for round, found \"" + method + "\"");
  if (c.value.IsInteger() && precision >= 0) return Value::Integer(c.value.AsInteger());
  if (precision >= 0) {
    // The decimal digits of the number itself decide, as in Python; ties go to even.
    std::array<char, 1024> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), c.value.AsNumber(),
                                   std::chars_format::fixed, static_cast<int>(precision));
    double rounded = 0;
    std::from_chars(digits.data(), end.ptr, rounded);
    return Value::Float(rounded);
  }
  const double rounded = std::nearbyint(scaled) / factor;
  if (!c.value.IsInteger() || !(std::fabs(rounded) < 9e18)) return Value::Float(rounded);
  return Value::Integer(static_cast<int64_t>(std::nearbyint(rounded)));
}

Value Abs(const Context& c) {
  c.Bound({});
  if (c.value.kind == Kind::kFloat) return Value::Float(std::fabs(c.value.number));
  return c.value.IsInteger() && c.value.AsInteger() >= 0 ? c.value : Negate(c.evaluator, c.value);
}

Value Reverse(const Context& c) {
  c.Bound({});
  List items = c.Items();
  std::reverse(items.begin(), items.end());
  if (!c.value.IsString()) return c.arena().MakeList(std::move(items));
  std::string out;
  for (const Value& item : items) out += *item.text;
  return c.String(std::move(out));
}

Value Unique(const Context& c) {
  const auto bound = c.Bound({"case_sensitive", "attribute"});
  const bool exact = OptionOf(bound[0], false);
  List out, keys;
  for (const Value& item : c.Items()) {
    const Value key = bound[1].IsUndefined() ? item : Deep(c, item, bound[1]);
    c.evaluator.Step(keys.size());
    const bool known = std::any_of(keys.begin(), keys.end(), [&](const Value& other) {
      return SameIgnoringCase(key, other, exact);
    });
    if (known) continue;
    keys.push_back(key);
    out.push_back(item);
  }
  return c.arena().MakeList(std::move(out));
}

// Sorts by keys; an Error where two keys have no order.
void SortByKeys(const Context& c, bool reverse, std::vector<std::pair<Value, Value>>* keyed) {
  const auto before = [&](const auto& a, const auto& b) {
    int order = 0;
    if (!Compare(a.first, b.first, &order)) {
      c.Error(std::string("expected values that can be ordered, found ") + KindName(a.first) +
              " and " + KindName(b.first));
    }
    return reverse ? order > 0 : order < 0;
  };
  c.evaluator.Step(keyed->size() * 8);
  std::stable_sort(keyed->begin(), keyed->end(), before);
}

Value Sort(const Context& c) {
  const auto bound = c.Bound({"reverse", "case_sensitive", "attribute"});
  const bool exact = OptionOf(bound[1], false);
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : c.Items()) {
    const Value key = bound[2].IsUndefined() ? item : Deep(c, item, bound[2]);
    keyed.emplace_back(FoldCase(c, key, exact), item);
  }
  SortByKeys(c, OptionOf(bound[0], false), &keyed);
  List out;
  for (const auto& [key, item] : keyed) out.push_back(item);
  return c.arena().MakeList(std::move(out));
}

Value DictSort(const Context& c) {
  const auto bound = c.Bound({"case_sensitive", "by", "reverse"});
  if (c.value.kind != Kind::kDict)
    c.Error(std::string("expected a dictionary for dictsort, found ") + KindName(c.value));
  const bool by_value = bound[1].IsString() && *bound[1].text == "value";
  std::vector<std::pair<Value, Value>> keyed;
  for (const auto& [key, value] : c.value.dict->members) {
    keyed.emplace_back(FoldCase(c, by_value ? value : key, OptionOf(bound[0], false)),
                       c.arena().MakeTuple({key, value}));
  }
  SortByKeys(c, OptionOf(bound[2], false), &keyed);
  List out;
  for (const auto& [key, item] : keyed) out.push_back(item);
  return c.arena().MakeList(std::move(out));
}

Value Extreme(const Context& c, int wanted) {
  const auto bound = c.Bound({"case_sensitive", "attribute"});
  const bool exact = OptionOf(bound[0], false);
  Value best, best_key;
  bool first = true;
  for (const Value& item : c.Items()) {
    const Value key = FoldCase(c, bound[1].IsUndefined() ? item : Deep(c, item, bound[1]), exact);
    int order = 0;
    if (!first && !Compare(key, best_key, &order)) {
      c.Error(std::string("expected values that can be ordered, found ") + KindName(key) + " and " +
              KindName(best_key));
    }
    if (!first && order != wanted) continue;
    best = item;
    best_key = key;
    first = false;
  }
  return first ? c.arena().Undefined("the extreme of no items") : best;
}

Value Min(const Context& c) { return Extreme(c, -1); }
Value Max(const Context& c) { return Extreme(c, 1); }

Value Sum(const Context& c) {
  const auto bound = c.Bound({"attribute", "start"});
  Value total = bound[1].IsUndefined() ? Value::Integer(0) : bound[1];
  for (const Value& item : c.Items()) {
    total = Add(c.evaluator, total, bound[0].IsUndefined() ? item : Deep(c, item, bound[0]));
  }
  return total;
}

Value IndentOf(const Context& c) {
  const auto bound = c.Bound({"width", "first", "blank"});
  const std::string by =
      bound[0].IsString()
          ? *bound[0].text
          : std::string(static_cast<size_t>(std::clamp<int64_t>(IntegerOf(c, bound[0], 4), 0, 256)),
                        ' ');
  std::string out = Indent(c.Text(), by, OptionOf(bound[1], false), OptionOf(bound[2], false));
  c.evaluator.Step(out.size() / 64);
  return c.String(std::move(out));
}

Value Format(const Context& c) {
  if (!c.arguments.named.empty()) c.Error("expected values by position for format, found a name");
  return c.String(FormatPercent(c.evaluator, c.Text(), c.arguments.positional));
}

Value WordCount(const Context& c) {
  c.Bound({});
  int64_t words = 0;
  bool inside = false;
  const std::string text = c.Text();
  for (size_t at = 0; at < text.size(); at += std::max<size_t>(1, DecodeUtf8(text, at).length)) {
    const bool word = (ClassOf(DecodeUtf8(text, at).value) & (kWord | kNumber)) != 0;
    words += word && !inside;
    inside = word;
  }
  return Value::Integer(words);
}

Value Attr(const Context& c) {
  const auto bound = c.Bound({"name"});
  return c.evaluator.AttributeOf(c.value, ToText(bound[0]));
}

struct Entry {
  std::string_view name;
  FilterFunction apply;
};

constexpr Entry kFilters[] = {
    {"abs", Abs},
    {"attr", Attr},
    {"capitalize", CapitalizeOf},
    {"count", Length},
    {"d", Default},
    {"default", Default},
    {"dictsort", DictSort},
    {"e", Escape},
    {"escape", Escape},
    {"first", First},
    {"float", Float},
    {"format", Format},
    {"indent", IndentOf},
    {"int", Integer},
    {"items", Items},
    {"join", Join},
    {"last", Last},
    {"length", Length},
    {"list", ListOf},
    {"lower", Lower},
    {"map", Map},
    {"max", Max},
    {"min", Min},
    {"reject", Reject},
    {"rejectattr", RejectAttr},
    {"replace", Replace},
    {"reverse", Reverse},
    {"round", Round},
    {"safe", Same},
    {"select", SelectOf},
    {"selectattr", SelectAttr},
    {"sort", Sort},
    {"string", StringOf},
    {"sum", Sum},
    {"title", TitleOf},
    {"tojson", ToJsonFilter},
    {"trim", Trim},
    {"unique", Unique},
    {"upper", Upper},
    {"wordcount", WordCount},
};

FilterFunction FindFilter(std::string_view name) {
  for (const Entry& entry : kFilters) {
    if (entry.name == name) return entry.apply;
  }
  return nullptr;
}

}  // namespace

bool IsFilter(std::string_view name) { return FindFilter(name) != nullptr; }

Value ApplyFilter(Evaluator& evaluator, std::string_view name, const Value& value,
                  const Arguments& arguments) {
  return FindFilter(name)({evaluator, name, value, arguments});
}

}  // namespace lem::jinja
