// SPDX-License-Identifier: EUPL-1.2
// Values as text: Python's str(), repr() and json.dumps().
#include <algorithm>
#include <charconv>
#include <cmath>

#include "tokenizer/jinja_value.h"
#include "tokenizer/unicode.h"

namespace lem::jinja {
namespace {

constexpr size_t kMaxJson = size_t{64} << 20;

void AppendHex(uint32_t value, int digits, std::string* out) {
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) {
    *out += "0123456789abcdef"[value >> shift & 15];
  }
}

std::string ReprText(std::string_view text) {
  const bool has_single = text.find('\'') != text.npos, has_double = text.find('"') != text.npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string out(1, quote);
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = DecodeUtf8(text, at);
    const size_t length = c.length == 0 ? 1 : c.length;
    if (c.value == static_cast<uint8_t>(quote) || c.value == '\\') {
      out += '\\';
      out += static_cast<char>(c.value);
    } else if (c.value == '\n') {
      out += "\\n";
    } else if (c.value == '\r') {
      out += "\\r";
    } else if (c.value == '\t') {
      out += "\\t";
    } else if (!IsPrintable(c.value)) {
      const int digits = c.value < 0x100 ? 2 : c.value < 0x10000 ? 4 : 8;
      out += digits == 2 ? "\\x" : digits == 4 ? "\\u" : "\\U";
      AppendHex(c.value, digits, &out);
    } else {
      out.append(text, at, length);
    }
    at += length;
  }
  return out += quote;
}

std::string ReprItems(const List& items) {
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ", ";
    out += Repr(items[i]);
  }
  return out;
}

class JsonWriter {
 public:
  JsonWriter(int indent, bool sort_keys, std::string_view item_separator,
             std::string_view key_separator, std::string* out, std::string* what)
      : indent_(indent),
        sort_keys_(sort_keys),
        item_separator_(item_separator),
        key_separator_(key_separator),
        out_(out),
        what_(what) {}

  bool Write(const Value& value, int level) {
    if (out_->size() > kMaxJson) {
      *what_ = "more text than 64 MiB";
      return false;
    }
    switch (value.kind) {
      case Kind::kNone:
        *out_ += "null";
        return true;
      case Kind::kBool:
        *out_ += value.boolean ? "true" : "false";
        return true;
      case Kind::kInteger:
        *out_ += std::to_string(value.integer);
        return true;
      case Kind::kFloat:
        WriteFloat(value.number);
        return true;
      case Kind::kString:
        AppendJsonString(*value.text, out_);
        return true;
      case Kind::kList:
      case Kind::kTuple:
        return WriteList(*value.list, level);
      case Kind::kDict:
        return WriteDict(*value.dict, level);
      default:
        *what_ = KindName(value);
        return false;
    }
  }

 private:
  void NewLine(int level) {
    if (indent_ < 0) return;
    *out_ += '\n';
    out_->append(static_cast<size_t>(indent_) * static_cast<size_t>(level), ' ');
  }

  void WriteFloat(double number) {
    if (std::isnan(number)) {
      *out_ += "NaN";
    } else if (std::isinf(number)) {
      *out_ += number > 0 ? "Infinity" : "-Infinity";
    } else {
      *out_ += FloatText(number);
    }
  }

  bool WriteList(const List& items, int level) {
    *out_ += '[';
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_->append(item_separator_);
      NewLine(level + 1);
      if (!Write(items[i], level + 1)) return false;
    }
    if (!items.empty()) NewLine(level);
    *out_ += ']';
    return true;
  }

  static std::string KeyText(const Value& key) {
    switch (key.kind) {
      case Kind::kNone:
        return "null";
      case Kind::kBool:
        return key.boolean ? "true" : "false";
      default:
        return ToText(key);
    }
  }

  bool WriteDict(const Dict& dict, int level) {
    auto members = dict.members;
    if (sort_keys_) {
      std::stable_sort(members.begin(), members.end(), [](const auto& a, const auto& b) {
        return KeyText(a.first) < KeyText(b.first);
      });
    }
    *out_ += '{';
    for (size_t i = 0; i < members.size(); ++i) {
      if (i > 0) out_->append(item_separator_);
      NewLine(level + 1);
      AppendJsonString(KeyText(members[i].first), out_);
      out_->append(key_separator_);
      if (!Write(members[i].second, level + 1)) return false;
    }
    if (!members.empty()) NewLine(level);
    *out_ += '}';
    return true;
  }

  int indent_;
  bool sort_keys_;
  std::string_view item_separator_, key_separator_;
  std::string* out_;
  std::string* what_;
};

}  // namespace

// repr(): the fewest digits that give the number back; an exponent below 1e-4 and from 1e16 on.
std::string FloatText(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[64];
  const double size = std::fabs(value);
  const bool plain = value == 0 || (size >= 1e-4 && size < 1e16);
  const auto result =
      std::to_chars(buffer, buffer + sizeof(buffer), value,
                    plain ? std::chars_format::fixed : std::chars_format::scientific);
  std::string text(buffer, result.ptr);
  if (plain && text.find('.') == text.npos) text += ".0";
  return text;
}

std::string Repr(const Value& value) {
  switch (value.kind) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kString:
      return ReprText(*value.text);
    case Kind::kList:
      return '[' + ReprItems(*value.list) + ']';
    case Kind::kTuple:
      return '(' + ReprItems(*value.list) + (value.list->size() == 1 ? ",)" : ")");
    case Kind::kDict: {
      std::string out = "{";
      for (const auto& [key, member] : value.dict->members) {
        if (out.size() > 1) out += ", ";
        out += Repr(key) + ": " + Repr(member);
      }
      return out + '}';
    }
    default:
      return ToText(value);
  }
}

std::string ToText(const Value& value) {
  switch (value.kind) {
    case Kind::kUndefined:
      return "";
    case Kind::kNone:
      return "None";
    case Kind::kBool:
      return value.boolean ? "True" : "False";
    case Kind::kInteger:
      return std::to_string(value.integer);
    case Kind::kFloat:
      return FloatText(value.number);
    case Kind::kString:
      return *value.text;
    case Kind::kNamespace:
      return "<Namespace>";
    case Kind::kLoop:
      return "<LoopContext>";
    case Kind::kMacro:
      return "<Macro>";
    case Kind::kFunction:
      return "<function>";
    default:
      return Repr(value);
  }
}

void AppendJsonString(std::string_view text, std::string* out) {
  *out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        *out += "\\\"";
        break;
      case '\\':
        *out += "\\\\";
        break;
      case '\n':
        *out += "\\n";
        break;
      case '\r':
        *out += "\\r";
        break;
      case '\t':
        *out += "\\t";
        break;
      case '\b':
        *out += "\\b";
        break;
      case '\f':
        *out += "\\f";
        break;
      default:
        if (static_cast<uint8_t>(c) < 0x20) {
          *out += "\\u";
          AppendHex(static_cast<uint8_t>(c), 4, out);
        } else {
          *out += c;
        }
    }
  }
  *out += '"';
}

bool ToJson(const Value& value, int indent, bool sort_keys, std::string_view item_separator,
            std::string_view key_separator, std::string* out, std::string* what) {
  return JsonWriter(indent, sort_keys, item_separator, key_separator, out, what).Write(value, 0);
}

}  // namespace lem::jinja
