// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/jinja_lexer.h"

#include <charconv>

#include "base/error.h"
#include "tokenizer/unicode.h"

namespace lem::jinja {
namespace {

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Line ends as "\n"; one at the very end goes, as Jinja's keep_trailing_newline=False has it.
std::string NormalizeLines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class Lexer {
 public:
  Lexer(std::string_view source, std::string_view where)
      : source_(NormalizeLines(source)), where_(where) {}

  std::vector<Token> Run() {
    while (at_ < source_.size()) ReadData();
    Add(TokenType::kEnd, at_);
    return std::move(tokens_);
  }

 private:
  bool Starts(std::string_view text) const {
    return std::string_view(source_).substr(at_, text.size()) == text;
  }

  Position PositionOf(size_t at) {
    for (; counted_ < at; ++counted_) {
      if (source_[counted_] == '\n') {
        ++position_.line;
        position_.column = 1;
      } else {
        ++position_.column;
      }
    }
    return position_;
  }

  [[noreturn]] void Error(size_t at, std::string_view message) {
    FailAt(where_, PositionOf(std::max(at, counted_)), message);
  }

  Token& Add(TokenType type, size_t at) {
    tokens_.push_back({type, "", 0, 0, PositionOf(at)});
    return tokens_.back();
  }

  // Literal text up to the next tag, and then the tag.
  void ReadData() {
    size_t end = at_;
    while (end < source_.size() &&
           !(source_[end] == '{' && end + 1 < source_.size() &&
             (source_[end + 1] == '{' || source_[end + 1] == '%' || source_[end + 1] == '#'))) {
      ++end;
    }
    std::string_view data = std::string_view(source_).substr(at_, end - at_);
    const size_t begin = at_;
    if (end < source_.size()) {
      const char sign = end + 2 < source_.size() ? source_[end + 2] : ' ';
      if (sign == '-') {
        while (!data.empty() && IsSpace(data.back())) data.remove_suffix(1);
      } else if (sign != '+' && source_[end + 1] != '{') {
        StripIndentation(&data);
      }
    }
    if (!data.empty()) Add(TokenType::kData, begin).text = data;
    at_ = end;
    if (at_ < source_.size()) ReadTag();
  }

  void StripIndentation(std::string_view* data) const {
    size_t line = data->rfind('\n');
    if (line == data->npos) {
      if (!line_starting_) return;
      line = 0;
    } else {
      ++line;
    }
    for (size_t i = line; i < data->size(); ++i) {
      if (!IsSpace((*data)[i])) return;
    }
    *data = data->substr(0, line);
  }

  void ReadTag() {
    const size_t begin = at_;
    const char kind = source_[at_ + 1];
    at_ += 2;
    if (at_ < source_.size() && (source_[at_] == '-' || source_[at_] == '+')) ++at_;
    if (kind == '#') return ReadComment(begin);
    if (kind == '%' && ReadRaw(begin)) return;
    Add(kind == '{' ? TokenType::kVariableBegin : TokenType::kBlockBegin, begin);
    ReadInside(kind == '{' ? "}}" : "%}", begin);
  }

  void ReadComment(size_t begin) {
    const size_t end = source_.find("#}", at_);
    if (end == source_.npos) Error(begin, "expected a comment to end with #}, found the end");
    const char sign = end > at_ ? source_[end - 1] : ' ';
    at_ = end + 2;
    AfterTag(sign, true);
  }

  // What follows a closing tag: "-" takes all white space, trim_blocks one newline.
  void AfterTag(char sign, bool trims) {
    const size_t begin = at_;
    if (sign == '-') {
      while (at_ < source_.size() && IsSpace(source_[at_])) ++at_;
    } else if (sign != '+' && trims && at_ < source_.size() && source_[at_] == '\n') {
      ++at_;
    }
    line_starting_ = at_ > begin && source_[at_ - 1] == '\n';
  }

  // {% raw %} ... {% endraw %}
  bool ReadRaw(size_t begin) {
    size_t at = at_;
    while (at < source_.size() && IsSpace(source_[at])) ++at;
    if (source_.compare(at, 3, "raw") != 0) return false;
    at += 3;
    while (at < source_.size() && IsSpace(source_[at])) ++at;
    const char sign = at < source_.size() ? source_[at] : ' ';
    if (sign == '-' || sign == '+') ++at;
    if (source_.compare(at, 2, "%}") != 0) return false;
    at_ = at + 2;
    AfterTag(sign, true);
    const size_t data = at_;
    for (size_t end = source_.find("{%", at_); end != source_.npos;
         end = source_.find("{%", end + 2)) {
      size_t word = end + 2;
      const char open = word < source_.size() ? source_[word] : ' ';
      if (open == '-' || open == '+') ++word;
      while (word < source_.size() && IsSpace(source_[word])) ++word;
      if (source_.compare(word, 6, "endraw") != 0) continue;
      word += 6;
      while (word < source_.size() && IsSpace(source_[word])) ++word;
      const char close = word < source_.size() ? source_[word] : ' ';
      if (close == '-' || close == '+') ++word;
      if (source_.compare(word, 2, "%}") != 0) continue;
      std::string_view text = std::string_view(source_).substr(data, end - data);
      if (open == '-') {
        while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
      } else if (open != '+') {
        StripIndentation(&text);
      }
      if (!text.empty()) Add(TokenType::kData, data).text = text;
      at_ = word + 2;
      AfterTag(close, true);
      return true;
    }
    Error(begin, "expected {% endraw %} after {% raw %}, found the end");
  }

  // Tokens up to the closing tag. Brackets are counted, so that "}}" may close two dictionaries.
  void ReadInside(std::string_view close, size_t begin) {
    std::string brackets;
    while (true) {
      while (at_ < source_.size() && IsSpace(source_[at_])) ++at_;
      if (at_ >= source_.size()) {
        Error(begin, "expected " + std::string(close) + " to close this tag, found the end");
      }
      if (brackets.empty() && ReadClose(close)) return;
      ReadToken(&brackets);
    }
  }

  bool ReadClose(std::string_view close) {
    const char sign = source_[at_];
    const size_t skip = sign == '-' || sign == '+' ? 1 : 0;
    if (std::string_view(source_).substr(at_ + skip, 2) != close) return false;
    // "{{ x +}}" has no meaning in Jinja, but costs nothing to accept.
    Add(close == "}}" ? TokenType::kVariableEnd : TokenType::kBlockEnd, at_);
    at_ += skip + 2;
    AfterTag(skip ? sign : ' ', close == "%}");
    return true;
  }

  void ReadToken(std::string* brackets) {
    const char c = source_[at_];
    if (IsNameStart(c)) return ReadName();
    if (IsDigit(c)) return ReadNumber();
    if (c == '\'' || c == '"') return ReadString();
    ReadOperator(brackets);
  }

  void ReadName() {
    const size_t begin = at_;
    while (at_ < source_.size() && (IsNameStart(source_[at_]) || IsDigit(source_[at_]))) ++at_;
    Add(TokenType::kName, begin).text = source_.substr(begin, at_ - begin);
  }

  void ReadNumber() {
    const size_t begin = at_;
    std::string digits;
    int base = 10;
    if (source_[at_] == '0' && at_ + 1 < source_.size()) {
      const char mark = source_[at_ + 1];
      base = mark == 'x' || mark == 'X'   ? 16
             : mark == 'o' || mark == 'O' ? 8
             : mark == 'b' || mark == 'B' ? 2
                                          : 10;
      if (base != 10) at_ += 2;
    }
    bool is_float = false;
    const auto take = [&] {
      while (at_ < source_.size() && (source_[at_] == '_' || (HexValue(source_[at_]) >= 0 &&
                                                              HexValue(source_[at_]) < base))) {
        if (source_[at_] != '_') digits += source_[at_];
        ++at_;
      }
    };
    take();
    if (base == 10 && at_ + 1 < source_.size() && source_[at_] == '.' &&
        IsDigit(source_[at_ + 1])) {
      is_float = true;
      digits += source_[at_++];
      take();
    }
    if (base == 10 && at_ + 1 < source_.size() && (source_[at_] == 'e' || source_[at_] == 'E')) {
      const size_t sign = source_[at_ + 1] == '-' || source_[at_ + 1] == '+' ? 1 : 0;
      if (at_ + 1 + sign < source_.size() && IsDigit(source_[at_ + 1 + sign])) {
        is_float = true;
        digits += 'e';
        if (source_[at_ + 1] == '-') digits += '-';
        at_ += 1 + sign;
        take();
      }
    }
    Token& token = Add(is_float ? TokenType::kFloat : TokenType::kInteger, begin);
    const char* last = digits.data() + digits.size();
    const auto result = is_float ? std::from_chars(digits.data(), last, token.number)
                                 : std::from_chars(digits.data(), last, token.integer, base);
    if (result.ec != std::errc() || result.ptr != last) {
      FailAt(where_, token.position,
             "expected a number of at most 64 bits, found " +
                 source_.substr(begin, std::min<size_t>(at_ - begin, 40)));
    }
  }

  void ReadString() {
    const size_t begin = at_;
    const char quote = source_[at_++];
    std::string value;
    while (true) {
      if (at_ >= source_.size()) Error(begin, "expected a closing quote, found the end");
      const char c = source_[at_++];
      if (c == quote) break;
      if (c == '\\' && at_ < source_.size()) {
        ReadEscape(&value);
      } else {
        value += c;
      }
    }
    Add(TokenType::kString, begin).text = std::move(value);
  }

  // Python's escapes; an unknown one stays as it is.
  void ReadEscape(std::string* value) {
    const char c = source_[at_++];
    switch (c) {
      case 'n':
        *value += '\n';
        return;
      case 't':
        *value += '\t';
        return;
      case 'r':
        *value += '\r';
        return;
      case 'a':
        *value += '\a';
        return;
      case 'b':
        *value += '\b';
        return;
      case 'f':
        *value += '\f';
        return;
      case 'v':
        *value += '\v';
        return;
      case '\n':
        return;
      case '\\':
      case '\'':
      case '"':
        *value += c;
        return;
      case 'x':
        return ReadHex(2, c, value);
      case 'u':
        return ReadHex(4, c, value);
      case 'U':
        return ReadHex(8, c, value);
      default:
        break;
    }
    if (c >= '0' && c <= '7') {
      uint32_t code = static_cast<uint32_t>(c - '0');
      for (int i = 0; i < 2 && at_ < source_.size() && source_[at_] >= '0' && source_[at_] <= '7';
           ++i) {
        code = code * 8 + static_cast<uint32_t>(source_[at_++] - '0');
      }
      return AppendUtf8(code, value);
    }
    *value += '\\';
    *value += c;
  }

  void ReadHex(int digits, char kind, std::string* value) {
    uint32_t code = 0;
    for (int i = 0; i < digits; ++i) {
      const int digit = at_ < source_.size() ? HexValue(source_[at_]) : -1;
      if (digit < 0) {
        Error(at_, "expected " + std::to_string(digits) + " hexadecimal digits after \\" + kind +
                       ", found fewer");
      }
      code = code << 4 | static_cast<uint32_t>(digit);
      ++at_;
    }
    AppendUtf8(code, value);
  }

  void ReadOperator(std::string* brackets) {
    static constexpr std::string_view kTwo[] = {"**", "//", "==", "!=", ">=", "<="};
    static constexpr std::string_view kOne = "+-/*%~[](){}><=.:|,;";
    for (const std::string_view two : kTwo) {
      if (!Starts(two)) continue;
      Add(TokenType::kOperator, at_).text = two;
      at_ += 2;
      return;
    }
    const char c = source_[at_];
    if (kOne.find(c) == kOne.npos) {
      Error(at_, std::string("expected an expression, found the character '") + c + "'");
    }
    if (c == '(' || c == '[' || c == '{') {
      brackets->push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
    } else if (c == ')' || c == ']' || c == '}') {
      if (brackets->empty() || brackets->back() != c) {
        Error(at_, std::string("expected brackets that match, found '") + c + "'");
      }
      brackets->pop_back();
    }
    Add(TokenType::kOperator, at_++).text = std::string(1, c);
  }

  std::string source_;
  std::string_view where_;
  size_t at_ = 0, counted_ = 0;
  Position position_;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

void FailAt(std::string_view where, Position position, std::string_view message) {
  Fail(where, ": line ", position.line, ", column ", position.column, ": ", message);
}

std::vector<Token> Tokenize(std::string_view source, std::string_view where) {
  return Lexer(source, where).Run();
}

}  // namespace lem::jinja
