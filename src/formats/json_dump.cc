// SPDX-License-Identifier: EUPL-1.2
// Writes JSON: compact, indented, or as Python's json.dumps spells it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "formats/json.h"

namespace lem {
namespace {

constexpr uint32_t kReplacement = 0xfffd;

// The code point at text[*at], moving *at past it; U+FFFD for a byte that starts no valid sequence.
uint32_t NextCodePoint(std::string_view text, size_t* at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte((*at)++);
  if (first < 0x80) return first;
  const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
  if (first < 0xc2 || first > 0xf4) return kReplacement;
  uint32_t code = first & (0x3fu >> more);
  for (int i = 0; i < more; ++i) {
    if (*at + static_cast<size_t>(i) >= text.size()) return kReplacement;
    const unsigned char next = byte(*at + static_cast<size_t>(i));
    if ((next & 0xc0) != 0x80) return kReplacement;
    code = code << 6 | (next & 0x3fu);
  }
  const bool overlong = (more == 2 && code < 0x800) || (more == 3 && code < 0x10000);
  if (overlong || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return kReplacement;
  *at += static_cast<size_t>(more);
  return code;
}

void AppendUtf8(uint32_t code, std::string* out) {
  if (code < 0x800) {
    out->push_back(static_cast<char>(0xc0 | code >> 6));
  } else {
    if (code < 0x10000) {
      out->push_back(static_cast<char>(0xe0 | code >> 12));
    } else {
      out->push_back(static_cast<char>(0xf0 | code >> 18));
      out->push_back(static_cast<char>(0x80 | (code >> 12 & 0x3f)));
    }
    out->push_back(static_cast<char>(0x80 | (code >> 6 & 0x3f)));
  }
  out->push_back(static_cast<char>(0x80 | (code & 0x3f)));
}

void AppendEscaped(uint32_t code, std::string* out) {
  const auto sink = std::back_inserter(*out);
  if (code >= 0x10000) {
    fmt::format_to(sink, "\\u{:04x}\\u{:04x}", 0xd7c0 + (code >> 10), 0xdc00 + (code & 0x3ff));
  } else {
    fmt::format_to(sink, "\\u{:04x}", code);
  }
}

void AppendString(std::string_view text, bool ascii, std::string* out) {
  out->push_back('"');
  for (size_t at = 0; at < text.size();) {
    const uint32_t code = NextCodePoint(text, &at);
    constexpr std::string_view kNamed = "\"\\\b\f\n\r\t", kLetters = "\"\\bfnrt";
    const size_t named = code < 0x80 ? kNamed.find(static_cast<char>(code)) : kNamed.npos;
    if (named != kNamed.npos) {
      out->push_back('\\');
      out->push_back(kLetters[named]);
    } else if (code < 0x20 || (ascii && code > 0x7e)) {
      AppendEscaped(code, out);
    } else if (code < 0x80) {
      out->push_back(static_cast<char>(code));
    } else {
      AppendUtf8(code, out);
    }
  }
  out->push_back('"');
}

void AppendNumber(double value, std::string* out) {
  if (!std::isfinite(value)) {
    *out += "null";
    return;
  }
  const size_t begin = out->size();
  fmt::format_to(std::back_inserter(*out), "{}", value);  // the shortest text that reads back equal
  if (out->find_first_of(".e", begin) == out->npos) *out += ".0";
}

class Writer {
 public:
  Writer(const Json::Format& format, std::string* out) : format_(format), out_(out) {}

  void Value(const Json& value, int depth) {
    if (value.IsNull()) {
      *out_ += "null";
    } else if (value.IsBool()) {
      *out_ += value.boolean() ? "true" : "false";
    } else if (value.IsInteger()) {
      fmt::format_to(std::back_inserter(*out_), "{}", value.integer());
    } else if (value.IsNumber()) {
      AppendNumber(value.number(), out_);
    } else if (value.IsString()) {
      String(value.string());
    } else if (value.IsArray()) {
      Array(value.array(), depth);
    } else {
      Object(value.object(), depth);
    }
  }

 private:
  void String(std::string_view text) {
    AppendString(text, format_.ascii || format_.python_style, out_);
  }

  void Separate(bool first, int depth) {
    if (!first) out_->push_back(',');
    if (format_.indent >= 0) {
      out_->push_back('\n');
      out_->append(static_cast<size_t>(format_.indent) * static_cast<size_t>(depth), ' ');
    } else if (!first && format_.python_style) {
      out_->push_back(' ');
    }
  }

  void Array(const Json::Array& items, int depth) {
    out_->push_back('[');
    for (size_t i = 0; i < items.size(); ++i) {
      Separate(i == 0, depth + 1);
      Value(items[i], depth + 1);
    }
    if (!items.empty() && format_.indent >= 0) Separate(true, depth);
    out_->push_back(']');
  }

  void Object(const Json::Object& members, int depth) {
    std::vector<const Json::Member*> order;
    for (const Json::Member& member : members) order.push_back(&member);
    if (format_.sort_keys) {
      std::stable_sort(order.begin(), order.end(),
                       [](const auto* a, const auto* b) { return a->first < b->first; });
    }
    out_->push_back('{');
    for (size_t i = 0; i < order.size(); ++i) {
      Separate(i == 0, depth + 1);
      String(order[i]->first);
      *out_ += format_.indent >= 0 || format_.python_style ? ": " : ":";
      Value(order[i]->second, depth + 1);
    }
    if (!order.empty() && format_.indent >= 0) Separate(true, depth);
    out_->push_back('}');
  }

  const Json::Format& format_;
  std::string* out_;
};

}  // namespace

std::string Json::Dump(const Format& format) const {
  std::string out;
  Writer(format, &out).Value(*this, 0);
  return out;
}

std::string Json::Dump() const { return Dump(Format{}); }

}  // namespace lem
