// SPDX-License-Identifier: EUPL-1.2
// The expressions of Jinja's grammar, and the tokens and nodes that statements are parsed with too.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/jinja_ast.h"
#include "tokenizer/jinja_parser.h"

namespace lem::jinja {

class ExpressionParser {
 public:
  ExpressionParser(std::vector<Token> tokens, std::string_view where) : tokens_(std::move(tokens)) {
    ast_.where = where;
  }

 protected:
  // --- tokens ---
  const Token& Peek(size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  bool IsEnd() const { return Peek().type == TokenType::kEnd; }
  bool IsOperator(std::string_view text, size_t ahead = 0) const {
    return Peek(ahead).type == TokenType::kOperator && Peek(ahead).text == text;
  }
  bool IsName(std::string_view text, size_t ahead = 0) const {
    return Peek(ahead).type == TokenType::kName && Peek(ahead).text == text;
  }
  Token Take() {
    Token token = Peek();
    if (!IsEnd()) ++at_;
    return token;
  }
  bool TakeOperator(std::string_view text) {
    if (!IsOperator(text)) return false;
    ++at_;
    return true;
  }
  bool TakeName(std::string_view text) {
    if (!IsName(text)) return false;
    ++at_;
    return true;
  }
  void ExpectOperator(std::string_view text) {
    if (!TakeOperator(text)) Error("expected \"" + std::string(text) + "\", found " + Found());
  }
  void ExpectName(std::string_view text) {
    if (!TakeName(text)) Error("expected \"" + std::string(text) + "\", found " + Found());
  }
  void ExpectBlockEnd() {
    if (Take().type != TokenType::kBlockEnd) {
      --at_;
      Error("expected %}, found " + Found());
    }
  }
  std::string Found() const {
    switch (Peek().type) {
      case TokenType::kEnd:
        return "the end of the template";
      case TokenType::kVariableEnd:
        return "}}";
      case TokenType::kBlockEnd:
        return "%}";
      case TokenType::kString:
        return "a string";
      case TokenType::kInteger:
      case TokenType::kFloat:
        return "a number";
      default:
        return '"' + Peek().text.substr(0, 60) + '"';
    }
  }
  [[noreturn]] void Error(const std::string& message) const {
    FailAt(ast_.where, Peek().position, message + "; try a template of the model's own files");
  }

  // --- nodes ---
  Node* New(NodeKind kind, Position position, std::initializer_list<const Node*> children = {}) {
    ast_.nodes.push_back(std::make_unique<Node>());
    Node* node = ast_.nodes.back().get();
    node->kind = kind;
    node->position = position;
    for (const Node* child : children) AddChild(node, child);
    return node;
  }
  void AddChild(Node* node, const Node* child) {
    node->children.push_back(child);
    if (child == nullptr) return;
    node->depth = std::max(node->depth, child->depth + 1);
    if (node->depth > kMaxTreeDepth) {
      FailAt(ast_.where, node->position,
             "expected at most " + std::to_string(kMaxTreeDepth) +
                 " levels of nesting, found more; try a simpler template");
    }
  }
  // Bounds the recursion of the parser itself, before any node is made.
  struct Level {
    explicit Level(ExpressionParser* parser) : parser_(parser) {
      if (++parser_->level_ > static_cast<int>(kMaxTreeDepth)) {
        parser_->Error("expected at most " + std::to_string(kMaxTreeDepth) +
                       " levels of nesting, found more");
      }
    }
    ~Level() { --parser_->level_; }
    ExpressionParser* parser_;
  };

  // --- expressions, loosest first ---
  const Node* ParseExpression(bool with_condition = true);
  const Node* ParseCondition();
  const Node* ParseOr();
  const Node* ParseAnd();
  const Node* ParseNot();
  const Node* ParseCompare();
  template <class Next>
  const Node* ParseLeft(std::initializer_list<const char*> operators, Next next) {
    const Node* left = next();
    while (true) {
      const Position position = Peek().position;
      std::string op;
      for (const char* text : operators) {
        if (op.empty() && TakeOperator(text)) op = text;
      }
      if (op.empty()) return left;
      Node* node = New(NodeKind::kBinary, position, {left, next()});
      node->text = op;
      left = node;
    }
  }
  const Node* ParseSum();
  const Node* ParseConcat();
  const Node* ParseProduct();
  const Node* ParsePower();
  const Node* ParseUnary(bool with_filter);
  const Node* ParsePrimary();
  const Node* ParseNameOrConstant(const Token& token);
  const Node* ParseParenthesis(Position position);
  const Node* ParseList(Position position);
  const Node* ParseDict(Position position);
  const Node* ParsePostfix(const Node* node);
  const Node* ParseAttribute(const Node* object, Position position);
  const Node* ParseSubscript(const Node* object, Position position);
  // Up to and including ")".
  void ParseArguments(Node* call);
  const Node* ParseFiltersAndTests(const Node* node);
  Node* ParseFilter(const Node* value);
  const Node* ParseTest(const Node* value);
  bool StartsTestOperand() const;

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int level_ = 0;
  Ast ast_;
};

}  // namespace lem::jinja
