// SPDX-License-Identifier: EUPL-1.2
// A parsed template. One kind of node serves expressions and statements: `children` by position, as
// listed with each kind; null where something optional is absent.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tokenizer/jinja_lexer.h"

namespace lem::jinja {

enum class NodeKind : uint8_t {
  // Expressions.
  kString,   // text
  kInteger,  // integer
  kFloat,    // number
  kTrue,
  kFalse,
  kNone,
  kName,       // text
  kList,       // items
  kTuple,      // items
  kDict,       // key, value, key, value ...
  kAttribute,  // object; text
  kSubscript,  // object, index
  kSlice,      // object, start?, stop?, step?
  kCall,       // callee, arguments (kArgument) ...
  kFilter,     // value, arguments ...; text
  kTest,       // value, arguments ...; text, negated
  kArgument,   // value; text: its name, or ""
  kNegate,     // operand
  kPlus,       // operand
  kNot,        // operand
  kAnd,        // left, right
  kOr,         // left, right
  kBinary,     // left, right; text: the operator
  kConcat,     // items joined as text
  kCompare,    // first, then (kOperand: value; text: operator) ...
  kOperand,
  kCondition,  // value, condition, otherwise?
  // Statements.
  kBlock,     // statements
  kData,      // text
  kOutput,    // expression
  kIf,        // condition, body, condition, body ..., null, else body
  kFor,       // target, iterable, filter?, body, else?
  kSet,       // target, value
  kSetBlock,  // target, body, filters applied to it as kFilter over null ...
  kMacro,     // body, parameters (kArgument: default?) ...; text
  kWith,      // body, targets and values ...
  kBreak,
  kContinue,
};

struct Node {
  NodeKind kind = NodeKind::kBlock;
  bool negated = false;
  uint32_t depth = 1;  // of the tree below, bounded by the parser
  Position position;
  std::string text;
  int64_t integer = 0;
  double number = 0;
  std::vector<const Node*> children;
};

struct Ast {
  std::vector<std::unique_ptr<Node>> nodes;  // flat, so that a deep tree is freed without recursion
  const Node* root = nullptr;
  std::string where;
};

}  // namespace lem::jinja
