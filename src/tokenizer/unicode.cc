// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/unicode.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "base/error.h"

namespace lem {
namespace {

constexpr uint32_t kTableSize =
    0x10000;  // the basic plane; rarer characters are looked up each time

// Bounds of the second byte where the first one narrows them (Unicode standard, table 3-7).
struct SecondByte {
  uint8_t low = 0x80, high = 0xBF;
};

SecondByte SecondByteOf(uint8_t first) {
  switch (first) {
    case 0xE0:
      return {0xA0, 0xBF};
    case 0xED:
      return {0x80, 0x9F};
    case 0xF0:
      return {0x90, 0xBF};
    case 0xF4:
      return {0x80, 0x8F};
    default:
      return {};
  }
}

int SequenceLength(uint8_t first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return 2;
  if (first >= 0xE0 && first <= 0xEF) return 3;
  if (first >= 0xF0 && first <= 0xF4) return 4;
  return 0;
}

uint8_t CategoryClass(uint32_t code_point) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code_point))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LT:
      return kLetter | kUpperLike | kWord;
    case UTF8PROC_CATEGORY_LL:
      return kLetter | kLowerLike | kWord;
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return kLetter | kUpperLike | kLowerLike | kWord;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return kUpperLike | kLowerLike | kWord;
    case UTF8PROC_CATEGORY_ND:
      return kNumber | kWord;
    case UTF8PROC_CATEGORY_NL:
      return kNumber | kWord;
    case UTF8PROC_CATEGORY_NO:
      return kNumber;
    case UTF8PROC_CATEGORY_PC:
      return kPunctuation | kWord;
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
      return kPunctuation;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return kWhiteSpace;
    default:
      return 0;
  }
}

uint8_t ComputeClass(uint32_t code_point) {
  if ((code_point >= 9 && code_point <= 13) || code_point == 0x85) return kWhiteSpace;
  return CategoryClass(code_point);
}

std::vector<uint8_t> MakeTable() {
  std::vector<uint8_t> table(kTableSize);
  for (uint32_t i = 0; i < kTableSize; ++i) table[i] = ComputeClass(i);
  return table;
}

std::string MapUnicode(std::string_view text, utf8proc_option_t options) {
  utf8proc_uint8_t* mapped = nullptr;
  const utf8proc_ssize_t length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &mapped, options);
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
  if (length < 0) {
    Fail("Unicode normalization: expected UTF-8 text, found: ", utf8proc_errmsg(length),
         "; try converting the text to UTF-8");
  }
  return std::string(reinterpret_cast<const char*>(mapped), static_cast<size_t>(length));
}

template <class Map>
std::string MapEach(std::string_view text, Map map) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = DecodeUtf8(text, at);
    if (c.length == 0) {
      out += text[at++];
      continue;
    }
    map(c.value, &out);
    at += c.length;
  }
  return out;
}

}  // namespace

CodePoint DecodeUtf8(std::string_view text, size_t at) {
  if (at >= text.size()) return {};
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[at + i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const int length = SequenceLength(first);
  if (length == 0 || text.size() - at < static_cast<size_t>(length)) return {};
  const SecondByte second = SecondByteOf(first);
  if (byte(1) < second.low || byte(1) > second.high) return {};
  uint32_t value = first & (0xFF >> (length + 1));
  for (int i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3F);
  }
  return {value, static_cast<uint32_t>(length)};
}

void AppendUtf8(uint32_t c, std::string* out) {
  if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) c = kReplacementCharacter;
  if (c < 0x80) {
    *out += static_cast<char>(c);
  } else if (c < 0x800) {
    *out += static_cast<char>(0xC0 | c >> 6);
    *out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    *out += static_cast<char>(0xE0 | c >> 12);
    *out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    *out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    *out += static_cast<char>(0xF0 | c >> 18);
    *out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    *out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    *out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

size_t ValidUtf8Prefix(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    if (static_cast<uint8_t>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    const CodePoint c = DecodeUtf8(text, at);
    if (c.length == 0) break;
    at += c.length;
  }
  return at;
}

size_t BrokenUtf8Length(std::string_view text, size_t at, bool* unfinished) {
  *unfinished = false;
  const uint8_t first = static_cast<uint8_t>(text[at]);
  const int length = SequenceLength(first);
  if (length <= 1) return 1;
  const SecondByte second = SecondByteOf(first);
  for (int i = 1; i < length; ++i) {
    if (at + i >= text.size()) {
      *unfinished = true;
      return static_cast<size_t>(i);
    }
    const uint8_t byte = static_cast<uint8_t>(text[at + i]);
    const uint8_t low = i == 1 ? second.low : 0x80, high = i == 1 ? second.high : 0xBF;
    if (byte < low || byte > high) return static_cast<size_t>(i);
  }
  return 1;
}

uint8_t ClassOf(uint32_t code_point) {
  static const std::vector<uint8_t> table = MakeTable();
  return code_point < kTableSize ? table[code_point] : ComputeClass(code_point);
}

bool IsPrintable(uint32_t code_point) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code_point))) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    case UTF8PROC_CATEGORY_ZS:
      return code_point == ' ';
    default:
      return true;
  }
}

std::string NormalizeUnicode(std::string_view text, NormalForm form) {
  if (text.empty()) return {};
  int options = UTF8PROC_STABLE;
  if (form == NormalForm::kNfc || form == NormalForm::kNfkc) options |= UTF8PROC_COMPOSE;
  if (form == NormalForm::kNfd || form == NormalForm::kNfkd) options |= UTF8PROC_DECOMPOSE;
  if (form == NormalForm::kNfkc || form == NormalForm::kNfkd) options |= UTF8PROC_COMPAT;
  return MapUnicode(text, static_cast<utf8proc_option_t>(options));
}

uint32_t ToLower(uint32_t c) {
  return static_cast<uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}

uint32_t ToUpper(uint32_t c) {
  return static_cast<uint32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c)));
}

// The two common characters whose other case is two characters, U+0130 and U+00DF, are written out.
std::string LowercaseUnicode(std::string_view text) {
  return MapEach(text, [](uint32_t c, std::string* out) {
    AppendUtf8(c == 0x130 ? 'i' : ToLower(c), out);
    if (c == 0x130) AppendUtf8(0x307, out);
  });
}

std::string UppercaseUnicode(std::string_view text) {
  return MapEach(text, [](uint32_t c, std::string* out) {
    AppendUtf8(c == 0xDF ? 'S' : ToUpper(c), out);
    if (c == 0xDF) AppendUtf8('S', out);
  });
}

}  // namespace lem
