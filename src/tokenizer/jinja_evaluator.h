// SPDX-License-Identifier: EUPL-1.2
// Runs a parsed template within limits: steps, output, memory, depth.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/jinja_ast.h"
#include "tokenizer/jinja_builtins.h"
#include "tokenizer/jinja_value.h"

namespace lem::jinja {

struct Limits {
  size_t output = size_t{64} << 20;   // bytes
  size_t memory = size_t{256} << 20;  // bytes of values
  size_t steps = 20'000'000;
  int depth = 400;  // nested evaluations
};

// Names of one scope; inner scopes see outer ones.
struct Frame {
  Frame* outer = nullptr;
  std::vector<std::pair<std::string_view, Value>> names;
};

class Evaluator {
 public:
  Evaluator(const Ast& ast, const Limits& limits);

  void Define(std::string_view name, const Json& value);  // both must outlive Run
  void Define(std::string_view name, Value value);
  std::string Run();

  // For the built-in functions.
  Arena& arena() { return arena_; }
  [[noreturn]] void Error(std::string_view message) const;  // at the expression being evaluated
  void Step(size_t count = 1);
  List ItemsOf(const Value& value);  // what a loop over it sees
  Value AttributeOf(const Value& object, std::string_view name);
  Value ItemOf(const Value& object, const Value& index);
  bool Contains(const Value& container, const Value& item);
  Value AddValues(const Value& a, const Value& b);
  std::string TextOf(const Value& value);  // its str(), counted as work
  std::string date;  // "YYYY-MM-DD" for strftime_now; "" leaves that function undefined

 private:
  enum class Flow { kNormal, kBreak, kContinue };

  Flow Execute(const Node& node);
  Flow ExecuteIf(const Node& node);
  Flow ExecuteFor(const Node& node);
  void ExecuteSet(const Node& node);
  void ExecuteSetBlock(const Node& node);
  Flow ExecuteWith(const Node& node);
  void Assign(const Node& target, const Value& value);
  void Write(std::string_view text);
  std::string Capture(const Node& body);

  Value Evaluate(const Node& node);
  Value EvaluateAtDepth(const Node& node);
  Value EvaluateName(const Node& node);
  Value EvaluateCompare(const Node& node);
  Value EvaluateBinary(const Node& node);
  Value EvaluateConcat(const Node& node);
  Value EvaluateSlice(const Node& node);
  Value EvaluateDict(const Node& node);
  Value EvaluateCall(const Node& node);
  Value CallMacro(const Macro& macro, const Arguments& arguments);
  List EvaluateAll(const std::vector<const Node*>& nodes);
  Arguments EvaluateArguments(const Node& node, size_t first);
  bool CompareWith(std::string_view op, const Value& a, const Value& b);
  Value LoopAttribute(const Loop& loop, std::string_view name);
  Frame* NewFrame(Frame* outer);
  void SetName(Frame* frame, std::string_view name, const Value& value);

  const Ast& ast_;
  Limits limits_;
  Arena arena_;
  std::deque<Frame> frames_;
  Frame* frame_;
  std::string* output_ = nullptr;
  const Node* current_ = nullptr;
  size_t steps_ = 0, written_ = 0;
  int depth_ = 0;
  bool macro_defined_ = false;  // since the flag was last cleared: frames may be held
};

}  // namespace lem::jinja
