// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/jinja_evaluator.h"

#include <algorithm>

#include "base/error.h"
#include "tokenizer/jinja_arithmetic.h"
#include "tokenizer/unicode.h"

namespace lem::jinja {

Evaluator::Evaluator(const Ast& ast, const Limits& limits)
    : ast_(ast), limits_(limits), arena_(limits.memory), frame_(NewFrame(nullptr)) {}

Frame* Evaluator::NewFrame(Frame* outer) {
  arena_.Charge(sizeof(Frame));
  frames_.push_back({outer, {}});
  return &frames_.back();
}

void Evaluator::SetName(Frame* frame, std::string_view name, const Value& value) {
  for (auto& [known, old] : frame->names) {
    if (known == name) {
      old = value;
      return;
    }
  }
  arena_.Charge(sizeof(frame->names[0]));
  frame->names.emplace_back(name, value);
}

void Evaluator::Define(std::string_view name, const Json& value) {
  try {
    SetName(frame_, name, arena_.FromJson(value));
  } catch (const ArenaLimit& limit) {
    Error(limit.message);
  }
}

void Evaluator::Define(std::string_view name, Value value) { SetName(frame_, name, value); }

void Evaluator::Error(std::string_view message) const {
  FailAt(ast_.where, current_ == nullptr ? Position{} : current_->position, message);
}

void Evaluator::Step(size_t count) {
  steps_ += count;
  if (steps_ > limits_.steps) {
    Error("expected to finish within " + std::to_string(limits_.steps) +
          " steps, found more; try a simpler template");
  }
}

std::string Evaluator::Run() {
  frame_ = NewFrame(frame_);  // what the template sets may hide what it was given
  std::string out;
  output_ = &out;
  try {
    Execute(*ast_.root);
  } catch (const ArenaLimit& limit) {
    Error(limit.message);
  }
  return out;
}

void Evaluator::Write(std::string_view text) {
  written_ += text.size();
  if (written_ > limits_.output) {
    Error("expected at most " + std::to_string(limits_.output) +
          " bytes of output, found more; try a simpler template or fewer messages");
  }
  output_->append(text);
}

// --- statements ---

Evaluator::Flow Evaluator::Execute(const Node& node) {
  Step();
  current_ = &node;
  switch (node.kind) {
    case NodeKind::kBlock:
      for (const Node* child : node.children) {
        if (const Flow flow = Execute(*child); flow != Flow::kNormal) return flow;
      }
      return Flow::kNormal;
    case NodeKind::kData:
      Write(node.text);
      return Flow::kNormal;
    case NodeKind::kOutput:
      Write(TextOf(Evaluate(*node.children[0])));
      return Flow::kNormal;
    case NodeKind::kIf:
      return ExecuteIf(node);
    case NodeKind::kFor:
      return ExecuteFor(node);
    case NodeKind::kSet:
      ExecuteSet(node);
      return Flow::kNormal;
    case NodeKind::kSetBlock:
      ExecuteSetBlock(node);
      return Flow::kNormal;
    case NodeKind::kWith:
      return ExecuteWith(node);
    case NodeKind::kMacro:
      macro_defined_ = true;
      SetName(frame_, node.text, arena_.MakeMacro({&node, frame_}));
      return Flow::kNormal;
    case NodeKind::kBreak:
      return Flow::kBreak;
    case NodeKind::kContinue:
      return Flow::kContinue;
    default:
      Error("expected a statement, found an expression");
  }
}

Evaluator::Flow Evaluator::ExecuteIf(const Node& node) {
  for (size_t i = 0; i < node.children.size(); i += 2) {
    const Node* condition = node.children[i];
    if (condition == nullptr || IsTrue(Evaluate(*condition))) return Execute(*node.children[i + 1]);
  }
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::ExecuteFor(const Node& node) {
  const Node& target = *node.children[0];
  List items = ItemsOf(Evaluate(*node.children[1]));
  Frame* const outer = frame_;
  if (node.children[2] != nullptr) {
    List kept;
    frame_ = NewFrame(outer);
    for (const Value& item : items) {
      Assign(target, item);
      if (IsTrue(Evaluate(*node.children[2]))) kept.push_back(item);
    }
    frame_ = outer;
    items = std::move(kept);
  }
  if (items.empty()) {
    return node.children[4] == nullptr ? Flow::kNormal : Execute(*node.children[4]);
  }
  const Value list = arena_.MakeList(std::move(items));
  Loop* loop = arena_.MakeLoop({list.list, 0});
  Value loop_value;
  loop_value.kind = Kind::kLoop;
  loop_value.loop = loop;
  frame_ = NewFrame(outer);
  const bool defined_before = std::exchange(macro_defined_, false);
  for (; loop->index < list.list->size(); ++loop->index) {
    if (macro_defined_) frame_ = NewFrame(outer);
    frame_->names.clear();
    SetName(frame_, "loop", loop_value);
    Assign(target, (*list.list)[loop->index]);
    if (Execute(*node.children[3]) == Flow::kBreak) break;
  }
  macro_defined_ |= defined_before;
  frame_ = outer;
  return Flow::kNormal;
}

void Evaluator::Assign(const Node& target, const Value& value) {
  if (target.kind == NodeKind::kName) return SetName(frame_, target.text, value);
  if (target.kind == NodeKind::kTuple) {
    const List items = ItemsOf(value);
    if (items.size() != target.children.size()) {
      Error("expected " + std::to_string(target.children.size()) + " values to unpack, found " +
            std::to_string(items.size()));
    }
    for (size_t i = 0; i < items.size(); ++i) Assign(*target.children[i], items[i]);
    return;
  }
  const Value object = Evaluate(*target.children[0]);
  if (object.kind != Kind::kNamespace) {
    Error("expected a namespace to set \"" + target.text + "\" in, found " + KindName(object));
  }
  for (auto& [name, old] : object.space->members) {
    if (name == target.text) {
      old = value;
      return;
    }
  }
  arena_.Charge(64 + target.text.size());
  object.space->members.emplace_back(target.text, value);
}

void Evaluator::ExecuteSet(const Node& node) {
  Assign(*node.children[0], Evaluate(*node.children[1]));
}

std::string Evaluator::Capture(const Node& body) {
  std::string text;
  std::string* const outer = std::exchange(output_, &text);
  Execute(body);
  output_ = outer;
  return text;
}

void Evaluator::ExecuteSetBlock(const Node& node) {
  Frame* const outer = frame_;
  frame_ = NewFrame(outer);
  Value value = arena_.String(Capture(*node.children[1]));
  frame_ = outer;
  for (size_t i = 2; i < node.children.size(); ++i) {
    current_ = node.children[i];
    value =
        ApplyFilter(*this, node.children[i]->text, value, EvaluateArguments(*node.children[i], 1));
  }
  Assign(*node.children[0], value);
}

Evaluator::Flow Evaluator::ExecuteWith(const Node& node) {
  Frame* const outer = frame_;
  Frame* const inner = NewFrame(outer);
  for (size_t i = 1; i < node.children.size(); i += 2) {
    const Value value = Evaluate(*node.children[i + 1]);
    frame_ = inner;
    Assign(*node.children[i], value);
    frame_ = outer;
  }
  frame_ = inner;
  const Flow flow = Execute(*node.children[0]);
  frame_ = outer;
  return flow;
}

// --- expressions ---

Value Evaluator::Evaluate(const Node& node) {
  Step();
  if (++depth_ > limits_.depth) {
    Error("expected at most " + std::to_string(limits_.depth) +
          " levels of nested evaluation, found more; try a template without deep recursion");
  }
  const Node* const outer = std::exchange(current_, &node);
  const Value value = EvaluateAtDepth(node);
  current_ = outer;
  --depth_;
  return value;
}

Value Evaluator::EvaluateAtDepth(const Node& node) {
  const auto child = [&](size_t i) { return Evaluate(*node.children[i]); };
  switch (node.kind) {
    case NodeKind::kString:
      return arena_.StringView(&node.text);
    case NodeKind::kInteger:
      return Value::Integer(node.integer);
    case NodeKind::kFloat:
      return Value::Float(node.number);
    case NodeKind::kTrue:
      return Value::Bool(true);
    case NodeKind::kFalse:
      return Value::Bool(false);
    case NodeKind::kNone:
      return Value::None();
    case NodeKind::kName:
      return EvaluateName(node);
    case NodeKind::kList:
      return arena_.MakeList(EvaluateAll(node.children));
    case NodeKind::kTuple:
      return arena_.MakeTuple(EvaluateAll(node.children));
    case NodeKind::kDict:
      return EvaluateDict(node);
    case NodeKind::kAttribute:
      return AttributeOf(child(0), node.text);
    case NodeKind::kSubscript: {
      const Value object = child(0);
      return ItemOf(object, child(1));
    }
    case NodeKind::kSlice:
      return EvaluateSlice(node);
    case NodeKind::kCall:
      return EvaluateCall(node);
    case NodeKind::kFilter: {
      const Value value = child(0);
      return ApplyFilter(*this, node.text, value, EvaluateArguments(node, 1));
    }
    case NodeKind::kTest: {
      const Value value = child(0);
      return Value::Bool(ApplyTest(*this, node.text, value, EvaluateArguments(node, 1)) !=
                         node.negated);
    }
    case NodeKind::kNegate:
      return Negate(*this, child(0));
    case NodeKind::kPlus:
      return AddValues(Value::Integer(0), child(0));
    case NodeKind::kNot:
      return Value::Bool(!IsTrue(child(0)));
    case NodeKind::kAnd: {
      const Value left = child(0);
      return IsTrue(left) ? child(1) : left;
    }
    case NodeKind::kOr: {
      const Value left = child(0);
      return IsTrue(left) ? left : child(1);
    }
    case NodeKind::kBinary:
      return EvaluateBinary(node);
    case NodeKind::kConcat:
      return EvaluateConcat(node);
    case NodeKind::kCompare:
      return EvaluateCompare(node);
    case NodeKind::kCondition:
      if (IsTrue(child(1))) return child(0);
      return node.children[2] == nullptr ? Value() : child(2);
    default:
      Error("expected an expression, found a statement");
  }
}

List Evaluator::EvaluateAll(const std::vector<const Node*>& nodes) {
  List values;
  values.reserve(nodes.size());
  for (const Node* node : nodes) values.push_back(Evaluate(*node));
  return values;
}

Value Evaluator::EvaluateName(const Node& node) {
  for (const Frame* frame = frame_; frame != nullptr; frame = frame->outer) {
    for (const auto& [name, value] : frame->names) {
      if (name == node.text) return value;
    }
  }
  if (IsGlobal(node.text) && (node.text != "strftime_now" || !date.empty())) {
    return arena_.MakeFunction({node.text, false, {}});
  }
  return arena_.Undefined("\"" + node.text + "\"");
}

Value Evaluator::EvaluateDict(const Node& node) {
  Dict dict;
  for (size_t i = 0; i < node.children.size(); i += 2) {
    const Value key = Evaluate(*node.children[i]);
    const Value value = Evaluate(*node.children[i + 1]);
    Step(dict.members.size() / 8);
    if (Value* old = const_cast<Value*>(dict.Find(key))) {
      *old = value;
    } else {
      dict.members.emplace_back(key, value);
    }
  }
  return arena_.MakeDict(std::move(dict));
}

Value Evaluator::EvaluateConcat(const Node& node) {
  std::string text;
  for (const Node* part : node.children) {
    text += TextOf(Evaluate(*part));
    if (text.size() > limits_.output)
      Error("expected a shorter text, found more than the output may be");
  }
  return arena_.String(std::move(text));
}

Value Evaluator::AddValues(const Value& a, const Value& b) { return Add(*this, a, b); }

Value Evaluator::EvaluateBinary(const Node& node) {
  const Value a = Evaluate(*node.children[0]);
  const Value b = Evaluate(*node.children[1]);
  return Arithmetic(*this, node.text, a, b);
}

std::string Evaluator::TextOf(const Value& value) {
  Step(value.weight / 64);
  return ToText(value);
}

bool Evaluator::CompareWith(std::string_view op, const Value& a, const Value& b) {
  Step(std::min(a.weight, b.weight) / 64);
  if (op == "==") return Equals(a, b);
  if (op == "!=") return !Equals(a, b);
  if (op == "in") return Contains(b, a);
  if (op == "not in") return !Contains(b, a);
  int order = 0;
  if (!Compare(a, b, &order)) {
    Error(std::string("expected two values that can be ordered, found ") + KindName(a) + " and " +
          KindName(b));
  }
  if (op == "<") return order < 0;
  if (op == "<=") return order <= 0;
  return op == ">" ? order > 0 : order >= 0;
}

Value Evaluator::EvaluateCompare(const Node& node) {
  Value left = Evaluate(*node.children[0]);
  for (size_t i = 1; i < node.children.size(); ++i) {
    const Value right = Evaluate(*node.children[i]->children[0]);
    if (!CompareWith(node.children[i]->text, left, right)) return Value::Bool(false);
    left = right;
  }
  return Value::Bool(true);
}

bool Evaluator::Contains(const Value& container, const Value& item) {
  switch (container.kind) {
    case Kind::kString:
      if (!item.IsString())
        Error(std::string("expected a string to look for in a string, found ") + KindName(item));
      Step(container.weight / 64);
      return container.text->find(*item.text) != std::string::npos;
    case Kind::kDict:
      Step(container.weight / 64);
      return container.dict->Find(item) != nullptr;
    case Kind::kList:
    case Kind::kTuple:
      Step(container.weight / 64);
      return std::any_of(container.list->begin(), container.list->end(),
                         [&](const Value& value) { return Equals(value, item); });
    case Kind::kUndefined:
      return false;
    default:
      Error(std::string("expected something to look into after \"in\", found ") +
            KindName(container));
  }
}

List Evaluator::ItemsOf(const Value& value) {
  switch (value.kind) {
    case Kind::kUndefined:
      return {};
    case Kind::kList:
    case Kind::kTuple:
      Step(value.list->size());
      return *value.list;
    case Kind::kDict: {
      List keys;
      for (const auto& [key, member] : value.dict->members) keys.push_back(key);
      Step(keys.size());
      return keys;
    }
    case Kind::kString: {
      List characters;
      for (size_t at = 0; at < value.text->size();) {
        const size_t length = std::max<size_t>(1, DecodeUtf8(*value.text, at).length);
        characters.push_back(arena_.String(value.text->substr(at, length)));
        Step();
        at += length;
      }
      return characters;
    }
    default:
      Error(std::string("expected something to loop over, found ") + KindName(value));
  }
}

Value Evaluator::EvaluateSlice(const Node& node) {
  const Value object = Evaluate(*node.children[0]);
  SliceBounds bounds;
  for (size_t i = 0; i < 3; ++i) {
    if (node.children[i + 1] == nullptr) continue;
    const Value part = Evaluate(*node.children[i + 1]);
    if (part.kind == Kind::kNone) continue;
    if (!part.IsInteger())
      Error(std::string("expected whole numbers in a slice, found ") + KindName(part));
    bounds.part[i] = part.AsInteger();
  }
  return Slice(*this, object, bounds);
}

// --- attributes and calls ---

Value Evaluator::LoopAttribute(const Loop& loop, std::string_view name) {
  const auto at = [&](size_t i) {
    return i < loop.items->size() ? (*loop.items)[i]
                                  : arena_.Undefined("the item beside the loop's end");
  };
  const int64_t index = static_cast<int64_t>(loop.index);
  const int64_t count = static_cast<int64_t>(loop.items->size());
  if (name == "index") return Value::Integer(index + 1);
  if (name == "index0") return Value::Integer(index);
  if (name == "revindex") return Value::Integer(count - index);
  if (name == "revindex0") return Value::Integer(count - index - 1);
  if (name == "first") return Value::Bool(index == 0);
  if (name == "last") return Value::Bool(index + 1 == count);
  if (name == "length") return Value::Integer(count);
  if (name == "depth") return Value::Integer(1);  // of recursive loops, which are refused
  if (name == "depth0") return Value::Integer(0);
  if (name == "previtem") return at(loop.index - 1);
  if (name == "nextitem") return at(loop.index + 1);
  return arena_.Undefined("loop." + std::string(name));
}

Value Evaluator::AttributeOf(const Value& object, std::string_view name) {
  if (object.IsUndefined()) {
    Error("expected something that has \"" + std::string(name) + "\", found " +
          (object.text == nullptr ? "an undefined value" : *object.text + ", which is undefined"));
  }
  if (object.kind == Kind::kNamespace) {
    for (const auto& [known, value] : object.space->members) {
      if (known == name) return value;
    }
  }
  const std::string_view method = FindMethod(object, name);
  if (!method.empty()) {
    Value self = object;
    return arena_.MakeFunction({method, true, self});
  }
  if (object.kind == Kind::kDict) {
    if (const Value* value = object.dict->Find(name)) return *value;
  }
  if (object.kind == Kind::kLoop) return LoopAttribute(*object.loop, name);
  return arena_.Undefined("\"" + std::string(name) + "\" of " + KindName(object));
}

Value Evaluator::ItemOf(const Value& object, const Value& index) {
  if (object.kind == Kind::kDict) {
    if (const Value* value = object.dict->Find(index)) return *value;
  }
  if (object.IsSequence() && index.IsInteger()) {
    const int64_t count = static_cast<int64_t>(object.list->size());
    const int64_t at = index.AsInteger() < 0 ? index.AsInteger() + count : index.AsInteger();
    if (at >= 0 && at < count) return (*object.list)[static_cast<size_t>(at)];
    return arena_.Undefined("item " + std::to_string(index.AsInteger()) + " of " +
                            KindName(object));
  }
  if (object.IsString() && index.IsInteger()) return CharacterOf(*this, object, index.AsInteger());
  if (index.IsString()) return AttributeOf(object, *index.text);
  if (object.IsUndefined()) return AttributeOf(object, ToText(index));
  return arena_.Undefined("item " + Repr(index) + " of " + KindName(object));
}

Arguments Evaluator::EvaluateArguments(const Node& node, size_t first) {
  Arguments arguments;
  for (size_t i = first; i < node.children.size(); ++i) {
    const Node& argument = *node.children[i];
    const Value value = Evaluate(*argument.children[0]);
    if (!argument.text.empty()) {
      arguments.named.emplace_back(argument.text, value);
    } else if (arguments.named.empty()) {
      arguments.positional.push_back(value);
    } else {
      Error("expected named arguments last, found one without a name after them");
    }
  }
  return arguments;
}

Value Evaluator::EvaluateCall(const Node& node) {
  const Value callee = Evaluate(*node.children[0]);
  const Arguments arguments = EvaluateArguments(node, 1);
  if (callee.kind == Kind::kMacro) return CallMacro(*callee.macro, arguments);
  if (callee.kind == Kind::kFunction) {
    const Function& function = *callee.function;
    return function.is_method ? CallMethod(*this, function.name, function.self, arguments)
                              : CallGlobal(*this, function.name, arguments);
  }
  if (callee.IsUndefined()) {
    Error("expected a function that is known here, found " +
          (callee.text == nullptr ? std::string("an undefined value") : *callee.text));
  }
  Error(std::string("expected a function to call, found ") + KindName(callee));
}

Value Evaluator::CallMacro(const Macro& macro, const Arguments& arguments) {
  const Node& node = *macro.node;
  const size_t count = node.children.size() - 1;
  if (arguments.positional.size() > count) {
    Error("expected at most " + std::to_string(count) + " arguments for the macro \"" + node.text +
          "\", found " + std::to_string(arguments.positional.size()));
  }
  for (const auto& argument : arguments.named) {
    const std::string_view name = argument.first;
    const bool known = std::any_of(node.children.begin() + 1, node.children.end(),
                                   [&](const Node* p) { return p->text == name; });
    if (!known) {
      Error("expected arguments that the macro \"" + node.text + "\" has, found \"" +
            std::string(name) + "\"");
    }
  }
  Frame* const outer = std::exchange(frame_, NewFrame(macro.frame));
  for (size_t i = 0; i < count; ++i) {
    const Node& parameter = *node.children[i + 1];
    Value value = arena_.Undefined("the parameter \"" + parameter.text + "\"");
    if (i < arguments.positional.size()) {
      value = arguments.positional[i];
    } else if (!parameter.children.empty()) {
      value = Evaluate(*parameter.children[0]);
    }
    for (const auto& [name, named] : arguments.named) {
      if (name == parameter.text) value = named;
    }
    SetName(frame_, parameter.text, value);
  }
  const Value text = arena_.String(Capture(*node.children[0]));
  frame_ = outer;
  return text;
}

}  // namespace lem::jinja
