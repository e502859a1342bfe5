// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/jinja_parser.h"

#include <algorithm>
#include <initializer_list>

#include "base/error.h"
#include "tokenizer/jinja_builtins.h"
#include "tokenizer/unicode.h"

namespace lem::jinja {
namespace {

class Parser {
 public:
  Parser(std::vector<Token> tokens, std::string_view where) : tokens_(std::move(tokens)) {
    ast_.where = where;
  }

  Ast Run() {
    ast_.root = ParseBlock({});
    if (!IsEnd()) Error("expected the end of the template, found \"" + Peek().text + "\"");
    return std::move(ast_);
  }

 private:
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
      case TokenType::kEnd: return "the end of the template";
      case TokenType::kVariableEnd: return "}}";
      case TokenType::kBlockEnd: return "%}";
      case TokenType::kString: return "a string";
      case TokenType::kInteger:
      case TokenType::kFloat: return "a number";
      default: return '"' + Peek().text.substr(0, 60) + '"';
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
      FailAt(ast_.where, node->position, "expected at most " + std::to_string(kMaxTreeDepth) +
                                             " levels of nesting, found more; try a simpler template");
    }
  }
  // Bounds the recursion of the parser itself, before any node is made.
  struct Level {
    explicit Level(Parser* parser) : parser_(parser) {
      if (++parser_->level_ > static_cast<int>(kMaxTreeDepth)) {
        parser_->Error("expected at most " + std::to_string(kMaxTreeDepth) +
                       " levels of nesting, found more");
      }
    }
    ~Level() { --parser_->level_; }
    Parser* parser_;
  };

  // --- expressions, loosest first ---
  const Node* ParseExpression(bool with_condition = true) {
    const Level level(this);
    return with_condition ? ParseCondition() : ParseOr();
  }

  const Node* ParseCondition() {
    const Node* value = ParseOr();
    while (IsName("if")) {
      const Position position = Take().position;
      const Node* condition = ParseOr();
      const Node* otherwise = TakeName("else") ? ParseExpression() : nullptr;
      value = New(NodeKind::kCondition, position, {value, condition, otherwise});
    }
    return value;
  }

  const Node* ParseOr() {
    const Node* left = ParseAnd();
    while (IsName("or")) {
      const Position position = Take().position;
      left = New(NodeKind::kOr, position, {left, ParseAnd()});
    }
    return left;
  }

  const Node* ParseAnd() {
    const Node* left = ParseNot();
    while (IsName("and")) {
      const Position position = Take().position;
      left = New(NodeKind::kAnd, position, {left, ParseNot()});
    }
    return left;
  }

  const Node* ParseNot() {
    if (!IsName("not")) return ParseCompare();
    const Level level(this);
    const Position position = Take().position;
    return New(NodeKind::kNot, position, {ParseNot()});
  }

  const Node* ParseCompare() {
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

  const Node* ParseSum() {
    return ParseLeft({"+", "-"}, [&] { return ParseConcat(); });
  }

  const Node* ParseConcat() {
    const Node* first = ParseProduct();
    if (!IsOperator("~")) return first;
    Node* concat = New(NodeKind::kConcat, Peek().position, {first});
    while (TakeOperator("~")) AddChild(concat, ParseProduct());
    return concat;
  }

  const Node* ParseProduct() {
    return ParseLeft({"*", "//", "/", "%"}, [&] { return ParsePower(); });
  }

  const Node* ParsePower() {
    return ParseLeft({"**"}, [&] { return ParseUnary(true); });
  }

  const Node* ParseUnary(bool with_filter) {
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

  const Node* ParsePrimary() {
    const Token token = Take();
    Node* node = nullptr;
    switch (token.type) {
      case TokenType::kName: return ParseNameOrConstant(token);
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
      default: break;
    }
    if (token.type != TokenType::kEnd) --at_;
    Error("expected an expression, found " + Found());
  }

  const Node* ParseNameOrConstant(const Token& token) {
    const std::string& name = token.text;
    if (name == "true" || name == "True") return New(NodeKind::kTrue, token.position);
    if (name == "false" || name == "False") return New(NodeKind::kFalse, token.position);
    if (name == "none" || name == "None") return New(NodeKind::kNone, token.position);
    Node* node = New(NodeKind::kName, token.position);
    node->text = name;
    return node;
  }

  const Node* ParseParenthesis(Position position) {
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

  const Node* ParseList(Position position) {
    Node* list = New(NodeKind::kList, position);
    while (!IsOperator("]")) {
      if (!list->children.empty()) ExpectOperator(",");
      if (IsOperator("]")) break;
      AddChild(list, ParseExpression());
    }
    ExpectOperator("]");
    return list;
  }

  const Node* ParseDict(Position position) {
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

  const Node* ParsePostfix(const Node* node) {
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

  const Node* ParseAttribute(const Node* object, Position position) {
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

  const Node* ParseSubscript(const Node* object, Position position) {
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

  // Up to and including ")".
  void ParseArguments(Node* call) {
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

  const Node* ParseFiltersAndTests(const Node* node) {
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

  Node* ParseFilter(const Node* value) {
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

  const Node* ParseTest(const Node* value) {
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

  bool StartsTestOperand() const {
    switch (Peek().type) {
      case TokenType::kString:
      case TokenType::kInteger:
      case TokenType::kFloat: return true;
      case TokenType::kOperator: return IsOperator("[") || IsOperator("{");
      case TokenType::kName:
        return !IsName("else") && !IsName("or") && !IsName("and") && !IsName("if") &&
               !IsName("is") && !IsName("not") && !IsName("in");
      default: return false;
    }
  }

  // --- statements ---
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
      Error("expected {% " + std::string(*std::prev(ends.end())) + " %}, found the end of the template");
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
    Error("expected a tag that is known here (if, for, set, macro, with, generation, break, "
          "continue, raw), found " + Found());
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

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int level_ = 0, loops_ = 0;
  Ast ast_;
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
