// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/jinja_arithmetic.h"

#include <algorithm>
#include <cmath>

#include "tokenizer/unicode.h"

namespace lem::jinja {
namespace {

constexpr size_t kMaxRepeated = size_t{64} << 20;

[[noreturn]] void WrongKinds(Evaluator& evaluator, std::string_view op, const Value& a,
                             const Value& b) {
  evaluator.Error("expected two values that \"" + std::string(op) + "\" works on, found " +
                  Describe(a) + " and " + Describe(b));
}

[[noreturn]] void TooLarge(Evaluator& evaluator) {
  evaluator.Error("expected an integer of at most 64 bits, found a larger one");
}

void RequireDivisor(Evaluator& evaluator, const Value& b) {
  if (b.AsNumber() == 0) evaluator.Error("expected a divisor that is not 0, found 0");
}

// Python rounds the quotient down and gives the remainder the divisor's sign.
int64_t FloorDivide(Evaluator& evaluator, int64_t a, int64_t b) {
  if (a == INT64_MIN && b == -1) TooLarge(evaluator);
  const int64_t quotient = a / b;
  return quotient - (a % b != 0 && (a % b < 0) != (b < 0) ? 1 : 0);
}

int64_t FloorModulo(int64_t a, int64_t b) {
  if (b == -1) return 0;
  const int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

double FloorModulo(double a, double b) {
  const double rest = std::fmod(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

Value Power(Evaluator& evaluator, const Value& a, const Value& b) {
  if (!a.IsInteger() || !b.IsInteger() || b.AsInteger() < 0) {
    return Value::Float(std::pow(a.AsNumber(), b.AsNumber()));
  }
  int64_t result = 1, base = a.AsInteger(), exponent = b.AsInteger();
  if (base == 0 || base == 1) return Value::Integer(exponent == 0 ? 1 : base);
  if (base == -1) return Value::Integer(exponent % 2 == 0 ? 1 : -1);
  for (; exponent > 0; --exponent) {  // ends soon: |base| > 1 passes 64 bits within 63 rounds
    if (__builtin_mul_overflow(result, base, &result)) TooLarge(evaluator);
  }
  return Value::Integer(result);
}

Value Repeat(Evaluator& evaluator, const Value& what, const Value& count) {
  const size_t times = static_cast<size_t>(std::max<int64_t>(0, count.AsInteger()));
  const size_t size = what.IsString() ? what.text->size() : what.list->size() * sizeof(Value);
  if (size > 0 && times > kMaxRepeated / size) {
    evaluator.Error("expected a repetition of at most 64 MiB, found a longer one");
  }
  evaluator.Step(size * times / 64);
  if (what.IsString()) {
    std::string text;
    text.reserve(size * times);
    for (size_t i = 0; i < (size == 0 ? 0 : times); ++i) text += *what.text;
    return evaluator.arena().String(std::move(text));
  }
  List items;
  for (size_t i = 0; i < (size == 0 ? 0 : times); ++i) {
    items.insert(items.end(), what.list->begin(), what.list->end());
  }
  return what.kind == Kind::kTuple ? evaluator.arena().MakeTuple(std::move(items))
                                   : evaluator.arena().MakeList(std::move(items));
}

Value OfIntegers(Evaluator& evaluator, std::string_view op, const Value& a, const Value& b) {
  const int64_t x = a.AsInteger(), y = b.AsInteger();
  int64_t result = 0;
  if (op == "+" && !__builtin_add_overflow(x, y, &result)) return Value::Integer(result);
  if (op == "-" && !__builtin_sub_overflow(x, y, &result)) return Value::Integer(result);
  if (op == "*" && !__builtin_mul_overflow(x, y, &result)) return Value::Integer(result);
  if (op == "//") return Value::Integer(FloorDivide(evaluator, x, y));
  if (op == "%") return Value::Integer(FloorModulo(x, y));
  TooLarge(evaluator);
}

std::vector<size_t> CharacterStarts(Evaluator& evaluator, std::string_view text) {
  std::vector<size_t> starts;
  evaluator.Step(text.size() / 16);
  for (size_t at = 0; at < text.size(); at += std::max<size_t>(1, DecodeUtf8(text, at).length)) {
    starts.push_back(at);
  }
  starts.push_back(text.size());
  return starts;
}

// The indices that start:stop:step takes of `count` items, as Python has it.
std::vector<size_t> SliceIndices(const SliceBounds& bounds, int64_t count) {
  const int64_t step = bounds.part[2].value_or(1);
  const auto clamp = [&](std::optional<int64_t> part, int64_t otherwise) {
    if (!part) return otherwise;
    int64_t at = *part < 0 ? (*part < -count ? -1 : *part + count) : *part;
    return step > 0 ? std::clamp<int64_t>(at, 0, count) : std::clamp<int64_t>(at, -1, count - 1);
  };
  const int64_t start = clamp(bounds.part[0], step > 0 ? 0 : count - 1);
  const int64_t stop = clamp(bounds.part[1], step > 0 ? count : -1);
  std::vector<size_t> indices;
  if (step > 0) {
    for (int64_t i = start; i<stop; i = step> stop - i ? stop : i + step) {
      indices.push_back(static_cast<size_t>(i));
    }
  } else {
    for (int64_t i = start; i > stop; i = step < stop - i ? stop : i + step) {
      indices.push_back(static_cast<size_t>(i));
    }
  }
  return indices;
}

}  // namespace

Value Add(Evaluator& evaluator, const Value& a, const Value& b) {
  if (a.IsString() && b.IsString()) {
    evaluator.Step((a.text->size() + b.text->size()) / 64);
    return evaluator.arena().String(*a.text + *b.text);
  }
  if (a.IsSequence() && a.kind == b.kind) {
    List items = *a.list;
    items.insert(items.end(), b.list->begin(), b.list->end());
    evaluator.Step(items.size());
    return a.kind == Kind::kTuple ? evaluator.arena().MakeTuple(std::move(items))
                                  : evaluator.arena().MakeList(std::move(items));
  }
  if (a.IsInteger() && b.IsInteger()) return OfIntegers(evaluator, "+", a, b);
  if (a.IsNumber() && b.IsNumber()) return Value::Float(a.AsNumber() + b.AsNumber());
  WrongKinds(evaluator, "+", a, b);
}

Value Negate(Evaluator& evaluator, const Value& a) {
  if (a.kind == Kind::kFloat) return Value::Float(-a.number);
  if (!a.IsInteger())
    evaluator.Error(std::string("expected a number after \"-\", found ") + KindName(a));
  if (a.AsInteger() == INT64_MIN) TooLarge(evaluator);
  return Value::Integer(-a.AsInteger());
}

Value Arithmetic(Evaluator& evaluator, std::string_view op, const Value& a, const Value& b) {
  if (op == "+") return Add(evaluator, a, b);
  if (op == "%" && a.IsString()) {
    const List values = b.kind == Kind::kTuple ? *b.list : List{b};
    return evaluator.arena().String(FormatPercent(evaluator, *a.text, values));
  }
  if (op == "*") {
    if ((a.IsString() || a.IsSequence()) && b.IsInteger()) return Repeat(evaluator, a, b);
    if ((b.IsString() || b.IsSequence()) && a.IsInteger()) return Repeat(evaluator, b, a);
  }
  if (!a.IsNumber() || !b.IsNumber()) WrongKinds(evaluator, op, a, b);
  if (op == "**") return Power(evaluator, a, b);
  if (op == "/" || op == "//" || op == "%") RequireDivisor(evaluator, b);
  if (op == "/") return Value::Float(a.AsNumber() / b.AsNumber());
  if (a.IsInteger() && b.IsInteger()) return OfIntegers(evaluator, op, a, b);
  const double x = a.AsNumber(), y = b.AsNumber();
  if (op == "-") return Value::Float(x - y);
  if (op == "*") return Value::Float(x * y);
  if (op == "//") return Value::Float(std::floor(x / y));
  return Value::Float(FloorModulo(x, y));
}

Value Slice(Evaluator& evaluator, const Value& object, const SliceBounds& bounds) {
  if (bounds.part[2] == 0) evaluator.Error("expected a slice step that is not 0, found 0");
  if (object.IsString()) {
    const std::vector<size_t> starts = CharacterStarts(evaluator, *object.text);
    std::string text;
    for (const size_t i : SliceIndices(bounds, static_cast<int64_t>(starts.size()) - 1)) {
      text.append(*object.text, starts[i], starts[i + 1] - starts[i]);
    }
    return evaluator.arena().String(std::move(text));
  }
  if (!object.IsSequence()) {
    if (object.IsUndefined()) return evaluator.AttributeOf(object, "a slice");
    evaluator.Error(std::string("expected a list or a string to slice, found ") + KindName(object));
  }
  List items;
  for (const size_t i : SliceIndices(bounds, static_cast<int64_t>(object.list->size()))) {
    items.push_back((*object.list)[i]);
  }
  evaluator.Step(items.size());
  return object.kind == Kind::kTuple ? evaluator.arena().MakeTuple(std::move(items))
                                     : evaluator.arena().MakeList(std::move(items));
}

Value CharacterOf(Evaluator& evaluator, const Value& text, int64_t index) {
  const std::vector<size_t> starts = CharacterStarts(evaluator, *text.text);
  const int64_t count = static_cast<int64_t>(starts.size()) - 1;
  const int64_t at = index < 0 ? index + count : index;
  if (at < 0 || at >= count)
    return evaluator.arena().Undefined("character " + std::to_string(index));
  const size_t i = static_cast<size_t>(at);
  return evaluator.arena().String(text.text->substr(starts[i], starts[i + 1] - starts[i]));
}

std::string FormatPercent(Evaluator& evaluator, std::string_view format, const List& values) {
  std::string out;
  size_t used = 0;
  const auto next = [&]() -> const Value& {
    if (used == values.size())
      evaluator.Error("expected a value for each % of the format, found fewer");
    return values[used++];
  };
  for (size_t at = 0; at < format.size(); ++at) {
    if (format[at] != '%' || at + 1 == format.size()) {
      out += format[at];
      continue;
    }
    switch (format[++at]) {
      case '%':
        out += '%';
        break;
      case 's':
        out += ToText(next());
        break;
      case 'r':
        out += Repr(next());
        break;
      case 'd':
      case 'i': {
        const Value& value = next();
        if (!value.IsNumber())
          evaluator.Error(std::string("expected a number for %d, found ") + KindName(value));
        out += value.IsInteger() ? std::to_string(value.AsInteger())
                                 : FloatText(std::trunc(value.number))
                                       .substr(0, FloatText(std::trunc(value.number)).find('.'));
        break;
      }
      default:
        evaluator.Error(std::string("expected %s, %d, %r or %% in a format, found %") + format[at]);
    }
  }
  if (used < values.size())
    evaluator.Error("expected a % in the format for each value, found fewer");
  return out;
}

}  // namespace lem::jinja
