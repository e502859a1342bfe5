// SPDX-License-Identifier: EUPL-1.2
// Template text to tokens, with white space handled as Hugging Face sets Jinja up: trim_blocks (the
// newline after a block goes) and lstrip_blocks (so does the indentation before one).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lem::jinja {

enum class TokenType : uint8_t {
  kData,  // literal output
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kInteger,
  kFloat,
  kString,
  kOperator,
  kEnd,
};

struct Position {
  uint32_t line = 1, column = 1;  // 1-based; columns count bytes
};

struct Token {
  TokenType type = TokenType::kEnd;
  std::string text;  // data, name, operator, or the value of a string
  int64_t integer = 0;
  double number = 0;
  Position position;
};

// Throws Error with line and column.
std::vector<Token> Tokenize(std::string_view source, std::string_view where);

[[noreturn]] void FailAt(std::string_view where, Position position, std::string_view message);

}  // namespace lem::jinja
