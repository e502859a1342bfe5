// SPDX-License-Identifier: EUPL-1.2
// The filters, tests, methods and functions that templates may use. Python's and Jinja's own
// definitions hold; what is not in these tables is refused by name.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/jinja_value.h"

namespace lem::jinja {

class Evaluator;

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string_view, Value>> named;
};

// Arguments by position or name, checked: Bind(arguments, {"width", "first"}) gives two values,
// undefined where absent. Throws through the evaluator on one too many or an unknown name.
std::vector<Value> Bind(Evaluator& evaluator, std::string_view callee, const Arguments& arguments,
                        std::initializer_list<std::string_view> names);

bool IsFilter(std::string_view name);
bool IsTest(std::string_view name);
bool IsGlobal(std::string_view name);

Value ApplyFilter(Evaluator& evaluator, std::string_view name, const Value& value,
                  const Arguments& arguments);
bool ApplyTest(Evaluator& evaluator, std::string_view name, const Value& value,
               const Arguments& arguments);
Value CallGlobal(Evaluator& evaluator, std::string_view name, const Arguments& arguments);

// The method's name as a literal, or "" when this kind of value has none of that name.
std::string_view FindMethod(const Value& value, std::string_view name);
Value CallMethod(Evaluator& evaluator, std::string_view name, const Value& self,
                 const Arguments& arguments);

}  // namespace lem::jinja
