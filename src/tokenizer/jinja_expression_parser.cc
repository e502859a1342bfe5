// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/jinja_expression_parser.h"

#include "tokenizer/jinja_builtins.h"

namespace lem::jinja {

const Node* ExpressionParser::ParseExpression(bool with_condition) {
  const Level level(this);
  return with_condition ? ParseCondition() : ParseOr();
}

const Node* ExpressionParser::ParseCondition() {
  const Node* value = ParseOr();
  while (IsName("if")) {
    const Position position = Take().position;
    const Node* condition = ParseOr();
    const Node* otherwise = TakeName("else") ? ParseExpression() : nullptr;
    value = New(NodeKind::kCondition, position, {value, condition, otherwise});
  }
  return value;
}

const Node* ExpressionParser::ParseOr() {
  const Node* left = ParseAnd();
  while (IsName("or")) {
    const Position position = Take().position;
    left = New(NodeKind::kOr, position, {left, ParseAnd()});
  }
  return left;
}

const Node* ExpressionParser::ParseAnd() {
  const Node* left = ParseNot();
  while (IsName("and")) {
    const Position position = Take().position;
    left = New(NodeKind::kAnd, position, {left, ParseNot()});
  }
  return left;
}

const Node* ExpressionParser::ParseNot() {
  if (!IsName("not")) return ParseCompare();
  const Level level(this);
  const Position position = Take().position;
  return New(NodeKind::kNot, position, {ParseNot()});
}

const Node* ExpressionParser::ParseCompare() {
  const Node* first = ParseSum();
  Node* compare = nullptr;
  while (true) {
    std::string op;
    const Position position = Peek().position;
    for (const char* text : {"==", "!=", "<", "<=", ">", ">="}) {
      if (TakeOperator(text)) op = text;
    }
    if (op.empty() && TakeName("in")) op = "in";
    if (op.empty() && IsName("not") && IsName("in", 1)) {
      at_ += 2;
      op = "not in";
    }
    if (op.empty()) return compare == nullptr ? first : compare;
    if (compare == nullptr) compare = New(NodeKind::kCompare, position, {first});
    Node* operand = New(NodeKind::kOperand, position, {ParseSum()});
    operand->text = op;
    AddChild(compare, operand);
  }
}

const Node* ExpressionParser::ParseSum() {
  return ParseLeft({"+", "-"}, [&] { return ParseConcat(); });
}

const Node* ExpressionParser::ParseConcat() {
  const Node* first = ParseProduct();
  if (!IsOperator("~")) return first;
  Node* concat = New(NodeKind::kConcat, Peek().position, {first});
  while (TakeOperator("~")) AddChild(concat, ParseProduct());
  return concat;
}

const Node* ExpressionParser::ParseProduct() {
  return ParseLeft({"*", "//", "/", "%"}, [&] { return ParsePower(); });
}

const Node* ExpressionParser::ParsePower() {
  return ParseLeft({"**"}, [&] { return ParseUnary(true); });
}

const Node* ExpressionParser::ParseUnary(bool with_filter) {
  const Level level(this);
  const Node* node = nullptr;
  if (IsOperator("-") || IsOperator("+")) {
    const Token sign = Take();
    node = New(sign.text == "-" ? NodeKind::kNegate : NodeKind::kPlus, sign.position,
               {ParseUnary(false)});
  } else {
    node = ParsePrimary();
  }
  node = ParsePostfix(node);
  return with_filter ? ParseFiltersAndTests(node) : node;
}

const Node* ExpressionParser::ParsePrimary() {
  const Token token = Take();
  Node* node = nullptr;
  switch (token.type) {
    case TokenType::kName:
      return ParseNameOrConstant(token);
    case TokenType::kString:
      node = New(NodeKind::kString, token.position);
      node->text = token.text;
      while (Peek().type == TokenType::kString) node->text += Take().text;
      return node;
    case TokenType::kInteger:
      node = New(NodeKind::kInteger, token.position);
      node->integer = token.integer;
      return node;
    case TokenType::kFloat:
      node = New(NodeKind::kFloat, token.position);
      node->number = token.number;
      return node;
    case TokenType::kOperator:
      if (token.text == "(") return ParseParenthesis(token.position);
      if (token.text == "[") return ParseList(token.position);
      if (token.text == "{") return ParseDict(token.position);
      break;
    default:
      break;
  }
  if (token.type != TokenType::kEnd) --at_;
  Error("expected an expression, found " + Found());
}

const Node* ExpressionParser::ParseNameOrConstant(const Token& token) {
  const std::string& name = token.text;
  if (name == "true" || name == "True") return New(NodeKind::kTrue, token.position);
  if (name == "false" || name == "False") return New(NodeKind::kFalse, token.position);
  if (name == "none" || name == "None") return New(NodeKind::kNone, token.position);
  Node* node = New(NodeKind::kName, token.position);
  node->text = name;
  return node;
}

const Node* ExpressionParser::ParseParenthesis(Position position) {
  if (TakeOperator(")")) return New(NodeKind::kTuple, position);
  const Node* first = ParseExpression();
  if (TakeOperator(")")) return first;
  Node* tuple = New(NodeKind::kTuple, position, {first});
  while (TakeOperator(",")) {
    if (IsOperator(")")) break;
    AddChild(tuple, ParseExpression());
  }
  ExpectOperator(")");
  return tuple;
}

const Node* ExpressionParser::ParseList(Position position) {
  Node* list = New(NodeKind::kList, position);
  while (!IsOperator("]")) {
    if (!list->children.empty()) ExpectOperator(",");
    if (IsOperator("]")) break;
    AddChild(list, ParseExpression());
  }
  ExpectOperator("]");
  return list;
}

const Node* ExpressionParser::ParseDict(Position position) {
  Node* dict = New(NodeKind::kDict, position);
  while (!IsOperator("}")) {
    if (!dict->children.empty()) ExpectOperator(",");
    if (IsOperator("}")) break;
    AddChild(dict, ParseExpression());
    ExpectOperator(":");
    AddChild(dict, ParseExpression());
  }
  ExpectOperator("}");
  return dict;
}

const Node* ExpressionParser::ParsePostfix(const Node* node) {
  while (true) {
    const Position position = Peek().position;
    if (TakeOperator(".")) {
      node = ParseAttribute(node, position);
    } else if (TakeOperator("[")) {
      node = ParseSubscript(node, position);
    } else if (TakeOperator("(")) {
      Node* call = New(NodeKind::kCall, position, {node});
      ParseArguments(call);
      node = call;
    } else {
      return node;
    }
  }
}

const Node* ExpressionParser::ParseAttribute(const Node* object, Position position) {
  const Token token = Take();
  if (token.type == TokenType::kInteger) {
    Node* index = New(NodeKind::kInteger, token.position);
    index->integer = token.integer;
    return New(NodeKind::kSubscript, position, {object, index});
  }
  if (token.type != TokenType::kName) {
    --at_;
    Error("expected a name after \".\", found " + Found());
  }
  Node* node = New(NodeKind::kAttribute, position, {object});
  node->text = token.text;
  return node;
}

const Node* ExpressionParser::ParseSubscript(const Node* object, Position position) {
  const Node* parts[3] = {};
  int colons = 0;
  while (!IsOperator("]")) {
    if (TakeOperator(":")) {
      if (++colons > 2) Error("expected at most start:stop:step, found another \":\"");
    } else {
      parts[colons] = ParseExpression();
      if (!IsOperator(":") && !IsOperator("]")) Error("expected \"]\", found " + Found());
    }
  }
  ExpectOperator("]");
  if (colons > 0) return New(NodeKind::kSlice, position, {object, parts[0], parts[1], parts[2]});
  if (parts[0] == nullptr) Error("expected an index inside [ ], found none");
  return New(NodeKind::kSubscript, position, {object, parts[0]});
}

void ExpressionParser::ParseArguments(Node* call) {
  bool first = true;
  while (!TakeOperator(")")) {
    if (!first) ExpectOperator(",");
    if (TakeOperator(")")) return;
    first = false;
    if (IsOperator("*") || IsOperator("**")) Error("expected plain arguments, found " + Found());
    Node* argument = New(NodeKind::kArgument, Peek().position);
    if (Peek().type == TokenType::kName && IsOperator("=", 1)) {
      argument->text = Take().text;
      Take();
    }
    AddChild(argument, ParseExpression());
    AddChild(call, argument);
  }
}

const Node* ExpressionParser::ParseFiltersAndTests(const Node* node) {
  while (true) {
    if (TakeOperator("|")) {
      node = ParseFilter(node);
    } else if (IsName("is")) {
      Take();
      node = ParseTest(node);
    } else if (IsOperator("(")) {
      const Position position = Take().position;
      Node* call = New(NodeKind::kCall, position, {node});
      ParseArguments(call);
      node = call;
    } else {
      return node;
    }
  }
}

Node* ExpressionParser::ParseFilter(const Node* value) {
  const Token name = Take();
  if (name.type != TokenType::kName || !IsFilter(name.text)) {
    --at_;
    Error("expected a filter that is known here, found " + Found());
  }
  Node* filter = New(NodeKind::kFilter, name.position, {value});
  filter->text = name.text;
  if (TakeOperator("(")) ParseArguments(filter);
  return filter;
}

const Node* ExpressionParser::ParseTest(const Node* value) {
  const bool negated = TakeName("not");
  Token name = Take();
  if (name.type != TokenType::kName || !IsTest(name.text)) {
    --at_;
    Error("expected a test that is known here, found " + Found());
  }
  Node* test = New(NodeKind::kTest, name.position, {value});
  test->text = name.text;
  test->negated = negated;
  if (TakeOperator("(")) {
    ParseArguments(test);
  } else if (StartsTestOperand()) {
    const Node* operand = ParsePostfix(ParsePrimary());
    AddChild(test, New(NodeKind::kArgument, operand->position, {operand}));
  }
  return test;
}

bool ExpressionParser::StartsTestOperand() const {
  switch (Peek().type) {
    case TokenType::kString:
    case TokenType::kInteger:
    case TokenType::kFloat:
      return true;
    case TokenType::kOperator:
      return IsOperator("[") || IsOperator("{");
    case TokenType::kName:
      return !IsName("else") && !IsName("or") && !IsName("and") && !IsName("if") && !IsName("is") &&
             !IsName("not") && !IsName("in");
    default:
      return false;
  }
}

}  // namespace lem::jinja
