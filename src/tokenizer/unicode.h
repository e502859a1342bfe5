// SPDX-License-Identifier: EUPL-1.2
// UTF-8 and the Unicode properties that pre-tokenizers ask for. The data are utf8proc's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lem {

constexpr uint32_t kReplacementCharacter = 0xFFFD;

struct CodePoint {
  uint32_t value = 0;
  uint32_t length = 0;  // bytes; 0 where the bytes are no UTF-8 (or there are none)
};

// The character that starts at `at`; strict: no surrogates, no overlong forms, at most U+10FFFF.
CodePoint DecodeUtf8(std::string_view text, size_t at);
void AppendUtf8(uint32_t code_point, std::string* out);

// Length of the longest prefix that is valid UTF-8.
size_t ValidUtf8Prefix(std::string_view text);

// How many bytes at `at` belong to one broken character: the maximal subpart of a sequence, as the
// Unicode standard recommends, so that it becomes one U+FFFD. `unfinished`: the text ends inside
// it.
size_t BrokenUtf8Length(std::string_view text, size_t at, bool* unfinished);

enum CharacterClass : uint8_t {
  kLetter = 1,       // L*
  kNumber = 2,       // N*
  kWhiteSpace = 4,   // White_Space
  kUpperLike = 8,    // Lu Lt Lm Lo M*
  kLowerLike = 16,   // Ll Lm Lo M*
  kWord = 32,        // L* M* Nd Nl Pc
  kPunctuation = 64  // P*
};
uint8_t ClassOf(uint32_t code_point);
bool IsPrintable(
    uint32_t code_point);  // Python's: no control, format, private, unassigned, or separator

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };
// Expects valid UTF-8.
std::string NormalizeUnicode(std::string_view text, NormalForm form);
std::string LowercaseUnicode(std::string_view text);
std::string UppercaseUnicode(std::string_view text);
uint32_t ToLower(uint32_t code_point);
uint32_t ToUpper(uint32_t code_point);

}  // namespace lem
