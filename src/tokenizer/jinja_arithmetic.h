// SPDX-License-Identifier: EUPL-1.2
// Python's operators on template values: + - * / // % **, slices and characters of text.
#pragma once

#include <optional>
#include <string_view>

#include "tokenizer/jinja_evaluator.h"

namespace lem::jinja {

// All throw through the evaluator when the kinds do not fit or an integer passes 64 bits.
Value Add(Evaluator& evaluator, const Value& a, const Value& b);
Value Negate(Evaluator& evaluator, const Value& a);
Value Arithmetic(Evaluator& evaluator, std::string_view op, const Value& a, const Value& b);

struct SliceBounds {
  std::optional<int64_t> part[3];  // start, stop, step
};
Value Slice(Evaluator& evaluator, const Value& object, const SliceBounds& bounds);
Value CharacterOf(Evaluator& evaluator, const Value& text, int64_t index);

// "%s items" % value; also the filter `format`.
std::string FormatPercent(Evaluator& evaluator, std::string_view format, const List& values);

}  // namespace lem::jinja
