// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/jinja_parser.h"

#include <algorithm>
#include <initializer_list>

#include "base/error.h"
#include "tokenizer/jinja_expression_parser.h"
#include "tokenizer/unicode.h"

namespace lem::jinja {
namespace {

// Statements: tags, and the text between them.
class Parser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  Ast Run() {
    ast_.root = ParseBlock({});
    if (!IsEnd()) Error("expected the end of the template, found \"" + Peek().text + "\"");
    return std::move(ast_);
  }

 private:
  // Up to a block tag whose name is one of `ends`; that tag's "{%" and name are taken.
  const Node* ParseBlock(std::initializer_list<std::string_view> ends) {
    const Level level(this);
    Node* block = New(NodeKind::kBlock, Peek().position);
    while (!IsEnd()) {
      const Token token = Take();
      if (token.type == TokenType::kData) {
        Node* data = New(NodeKind::kData, token.position);
        data->text = token.text;
        AddChild(block, data);
      } else if (token.type == TokenType::kVariableBegin) {
        AddChild(block, New(NodeKind::kOutput, token.position, {ParseTupleOrExpression()}));
        if (Take().type != TokenType::kVariableEnd) {
          --at_;
          Error("expected }}, found " + Found());
        }
      } else {
        if (Peek().type != TokenType::kName) Error("expected the name of a tag, found " + Found());
        if (std::find(ends.begin(), ends.end(), Peek().text) != ends.end()) return block;
        if (const Node* statement = ParseStatement()) AddChild(block, statement);
      }
    }
    if (ends.size() > 0) {
      Error("expected {% " + std::string(*std::prev(ends.end())) +
            " %}, found the end of the template");
    }
    return block;
  }

  const Node* ParseTupleOrExpression() {
    const Node* first = ParseExpression();
    if (!IsOperator(",")) return first;
    Node* tuple = New(NodeKind::kTuple, first->position, {first});
    while (TakeOperator(",")) {
      if (Peek().type == TokenType::kVariableEnd || Peek().type == TokenType::kBlockEnd) break;
      AddChild(tuple, ParseExpression());
    }
    return tuple;
  }

  const Node* ParseStatement() {
    const Token tag = Take();
    const std::string& name = tag.text;
    if (name == "if") return ParseIf(tag.position);
    if (name == "for") return ParseFor(tag.position);
    if (name == "set") return ParseSet(tag.position);
    if (name == "macro") return ParseMacro(tag.position);
    if (name == "with") return ParseWith(tag.position);
    if (name == "generation") return ParseGeneration();
    if (name == "break" || name == "continue") {
      if (loops_ == 0) Error("expected {% " + name + " %} inside a loop, found it outside");
      ExpectBlockEnd();
      return New(name == "break" ? NodeKind::kBreak : NodeKind::kContinue, tag.position);
    }
    --at_;
    Error(
        "expected a tag that is known here (if, for, set, macro, with, generation, break, "
        "continue, raw), found " +
        Found());
  }

  const Node* ParseIf(Position position) {
    Node* node = New(NodeKind::kIf, position);
    AddChild(node, ParseExpression());
    ExpectBlockEnd();
    while (true) {
      AddChild(node, ParseBlock({"elif", "else", "endif"}));
      const std::string tag = Take().text;
      if (tag == "elif") {
        AddChild(node, ParseExpression());
        ExpectBlockEnd();
        continue;
      }
      ExpectBlockEnd();
      if (tag == "endif") return node;
      AddChild(node, nullptr);
      AddChild(node, ParseBlock({"endif"}));
      Take();
      ExpectBlockEnd();
      return node;
    }
  }

  // A name, or several with commas, perhaps in parentheses; for `set`, also space.attribute.
  const Node* ParseTarget(bool allow_attribute) {
    const Level level(this);
    const Position position = Peek().position;
    Node* tuple = nullptr;
    const Node* first = nullptr;
    do {
      if (first != nullptr && !IsOperator("(") && Peek().type != TokenType::kName) break;
      const Node* part = nullptr;
      if (TakeOperator("(")) {
        part = ParseTarget(false);
        ExpectOperator(")");
      } else {
        const Token name = Take();
        if (name.type != TokenType::kName) {
          --at_;
          Error("expected a name to assign to, found " + Found());
        }
        part = ParseNameOrConstant(name);
        if (part->kind != NodeKind::kName) Error("expected a name to assign to, found a constant");
        if (allow_attribute && IsOperator(".")) {
          const Position dot = Take().position;
          part = ParseAttribute(part, dot);
        }
      }
      if (first == nullptr) {
        first = part;
      } else {
        if (tuple == nullptr) tuple = New(NodeKind::kTuple, position, {first});
        AddChild(tuple, part);
      }
    } while (TakeOperator(","));
    return tuple == nullptr ? first : tuple;
  }

  const Node* ParseFor(Position position) {
    const Node* target = ParseTarget(false);
    ExpectName("in");
    const Node* iterable = ParseExpression(false);
    const Node* filter = TakeName("if") ? ParseExpression() : nullptr;
    if (IsName("recursive")) Error("expected a loop that is not recursive, found \"recursive\"");
    ExpectBlockEnd();
    ++loops_;
    const Node* body = ParseBlock({"else", "endfor"});
    --loops_;
    const Node* otherwise = nullptr;
    if (Take().text == "else") {
      ExpectBlockEnd();
      otherwise = ParseBlock({"endfor"});
      Take();
    }
    ExpectBlockEnd();
    return New(NodeKind::kFor, position, {target, iterable, filter, body, otherwise});
  }

  const Node* ParseSet(Position position) {
    const Node* target = ParseTarget(true);
    if (TakeOperator("=")) {
      const Node* value = ParseTupleOrExpression();
      ExpectBlockEnd();
      return New(NodeKind::kSet, position, {target, value});
    }
    Node* node = New(NodeKind::kSetBlock, position, {target, nullptr});
    while (TakeOperator("|")) AddChild(node, ParseFilter(nullptr));
    ExpectBlockEnd();
    node->children[1] = ParseBlock({"endset"});
    node->depth = std::max(node->depth, node->children[1]->depth + 1);
    Take();
    ExpectBlockEnd();
    return node;
  }

  const Node* ParseMacro(Position position) {
    Node* node = New(NodeKind::kMacro, position, {nullptr});
    const Token name = Take();
    if (name.type != TokenType::kName) {
      --at_;
      Error("expected the macro's name, found " + Found());
    }
    node->text = name.text;
    ExpectOperator("(");
    while (!TakeOperator(")")) {
      if (node->children.size() > 1) ExpectOperator(",");
      const Token parameter = Take();
      if (parameter.type != TokenType::kName) {
        --at_;
        Error("expected the name of a parameter, found " + Found());
      }
      Node* argument = New(NodeKind::kArgument, parameter.position);
      argument->text = parameter.text;
      if (TakeOperator("=")) AddChild(argument, ParseExpression());
      AddChild(node, argument);
    }
    ExpectBlockEnd();
    const int loops = std::exchange(loops_, 0);
    node->children[0] = ParseBlock({"endmacro"});
    loops_ = loops;
    node->depth = std::max(node->depth, node->children[0]->depth + 1);
    Take();
    ExpectBlockEnd();
    return node;
  }

  const Node* ParseWith(Position position) {
    Node* node = New(NodeKind::kWith, position, {nullptr});
    while (Peek().type != TokenType::kBlockEnd) {
      if (node->children.size() > 1) ExpectOperator(",");
      AddChild(node, ParseTarget(false));
      ExpectOperator("=");
      AddChild(node, ParseExpression());
    }
    ExpectBlockEnd();
    node->children[0] = ParseBlock({"endwith"});
    node->depth = std::max(node->depth, node->children[0]->depth + 1);
    Take();
    ExpectBlockEnd();
    return node;
  }

  // Marks what the assistant said, for masks; the text is the same with and without.
  const Node* ParseGeneration() {
    ExpectBlockEnd();
    const Node* body = ParseBlock({"endgeneration"});
    Take();
    ExpectBlockEnd();
    return body;
  }

  int loops_ = 0;  // around the statement being parsed
};

}  // namespace

Ast Parse(std::string_view source, std::string_view where) {
  if (source.size() > kMaxTemplateBytes) {
    Fail(where, ": expected a template of at most ", kMaxTemplateBytes, " bytes, found ",
         source.size(), "; try a template of the model's own files");
  }
  if (ValidUtf8Prefix(source) != source.size()) {
    Fail(where, ": expected a template in UTF-8, found another byte at offset ",
         ValidUtf8Prefix(source), "; try converting it to UTF-8");
  }
  return Parser(Tokenize(source, where), where).Run();
}

}  // namespace lem::jinja
