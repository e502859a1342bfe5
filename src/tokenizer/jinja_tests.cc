// SPDX-License-Identifier: EUPL-1.2
// Jinja's tests: "x is defined".
#include "tokenizer/jinja_builtins.h"
#include "tokenizer/jinja_evaluator.h"
#include "tokenizer/unicode.h"

namespace lem::jinja {
namespace {

struct Context {
  Evaluator& evaluator;
  std::string_view name;
  const Value& value;
  const Arguments& arguments;

  const Value& Operand() const {
    if (arguments.positional.size() != 1 || !arguments.named.empty()) {
      evaluator.Error("expected one operand for the test " + std::string(name) + ", found " +
                      std::to_string(arguments.positional.size()));
    }
    return arguments.positional[0];
  }
  int64_t Whole(const Value& v) const {
    if (!v.IsInteger()) {
      evaluator.Error("expected a whole number for the test " + std::string(name) + ", found " +
                      KindName(v));
    }
    return v.AsInteger();
  }
  int Order() const {
    int order = 0;
    if (!Compare(value, Operand(), &order)) {
      evaluator.Error(std::string("expected two values that can be ordered, found ") +
                      KindName(value) + " and " + KindName(Operand()));
    }
    return order;
  }
};

using TestFunction = bool (*)(const Context&);

bool IsEqual(const Context& c) { return Equals(c.value, c.Operand()); }
bool IsUnequal(const Context& c) { return !Equals(c.value, c.Operand()); }
bool IsLess(const Context& c) { return c.Order() < 0; }
bool IsAtMost(const Context& c) { return c.Order() <= 0; }
bool IsGreater(const Context& c) { return c.Order() > 0; }
bool IsAtLeast(const Context& c) { return c.Order() >= 0; }

bool DivisibleBy(const Context& c) {
  const int64_t by = c.Whole(c.Operand());
  if (by == 0) c.evaluator.Error("expected a divisor that is not 0, found 0");
  return by == -1 || c.Whole(c.value) % by == 0;
}

bool IsIterable(const Context& c) {
  return c.value.IsString() || c.value.IsSequence() || c.value.kind == Kind::kDict ||
         c.value.IsUndefined();
}

bool IsSequenceTest(const Context& c) {
  return c.value.IsString() || c.value.IsSequence() || c.value.kind == Kind::kDict ||
         c.value.IsUndefined();
}

// islower, isupper: at least one letter with case, and none of the other.
bool HasCase(const Context& c, uint32_t (*other)(uint32_t), uint32_t (*same)(uint32_t)) {
  const std::string text = ToText(c.value);
  bool found = false;
  for (size_t at = 0; at < text.size();) {
    const CodePoint p = DecodeUtf8(text, at);
    const bool changes = other(p.value) != p.value, stays = same(p.value) == p.value;
    if (!stays) return false;
    found |= changes;
    at += p.length == 0 ? 1 : p.length;
  }
  return found;
}

struct Entry {
  std::string_view name;
  TestFunction passes;
};

constexpr Entry kTests[] = {
    {"!=", IsUnequal},
    {"<", IsLess},
    {"<=", IsAtMost},
    {"==", IsEqual},
    {">", IsGreater},
    {">=", IsAtLeast},
    {"boolean", [](const Context& c) { return c.value.kind == Kind::kBool; }},
    {"callable",
     [](const Context& c) {
       return c.value.kind == Kind::kFunction || c.value.kind == Kind::kMacro;
     }},
    {"defined", [](const Context& c) { return !c.value.IsUndefined(); }},
    {"divisibleby", DivisibleBy},
    {"eq", IsEqual},
    {"equalto", IsEqual},
    {"escaped", [](const Context&) { return false; }},
    {"even", [](const Context& c) { return c.Whole(c.value) % 2 == 0; }},
    {"false", [](const Context& c) { return c.value.kind == Kind::kBool && !c.value.boolean; }},
    {"filter", [](const Context& c) { return c.value.IsString() && IsFilter(*c.value.text); }},
    {"float", [](const Context& c) { return c.value.kind == Kind::kFloat; }},
    {"ge", IsAtLeast},
    {"greaterthan", IsGreater},
    {"gt", IsGreater},
    {"in", [](const Context& c) { return c.evaluator.Contains(c.Operand(), c.value); }},
    {"integer", [](const Context& c) { return c.value.kind == Kind::kInteger; }},
    {"iterable", IsIterable},
    {"le", IsAtMost},
    {"lessthan", IsLess},
    {"lower", [](const Context& c) { return HasCase(c, ToUpper, ToLower); }},
    {"lt", IsLess},
    {"mapping", [](const Context& c) { return c.value.kind == Kind::kDict; }},
    {"ne", IsUnequal},
    {"none", [](const Context& c) { return c.value.kind == Kind::kNone; }},
    {"number", [](const Context& c) { return c.value.IsNumber(); }},
    {"odd", [](const Context& c) { return c.Whole(c.value) % 2 != 0; }},
    {"sameas",
     [](const Context& c) {
       return c.value.kind == c.Operand().kind && Equals(c.value, c.Operand());
     }},
    {"sequence", IsSequenceTest},
    {"string", [](const Context& c) { return c.value.IsString(); }},
    {"test", [](const Context& c) { return c.value.IsString() && IsTest(*c.value.text); }},
    {"true", [](const Context& c) { return c.value.kind == Kind::kBool && c.value.boolean; }},
    {"undefined", [](const Context& c) { return c.value.IsUndefined(); }},
    {"upper", [](const Context& c) { return HasCase(c, ToLower, ToUpper); }},
};

TestFunction FindTest(std::string_view name) {
  for (const Entry& entry : kTests) {
    if (entry.name == name) return entry.passes;
  }
  return nullptr;
}

}  // namespace

bool IsTest(std::string_view name) { return FindTest(name) != nullptr; }

bool ApplyTest(Evaluator& evaluator, std::string_view name, const Value& value,
               const Arguments& arguments) {
  return FindTest(name)({evaluator, name, value, arguments});
}

}  // namespace lem::jinja
