// SPDX-License-Identifier: EUPL-1.2
#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizer/pattern.h"

#include <pcre2.h>

#include "base/error.h"
#include "tokenizer/unicode.h"

namespace lem {
namespace {

constexpr size_t kMaxSource = 16384;
constexpr uint32_t kMatchLimit = 10'000'000, kDepthLimit = 20'000;  // per match
constexpr uint32_t kHeapLimitKib = 65536;
constexpr size_t kJitStack = size_t{1} << 20;

// White_Space, without PCRE2's U+180E; the members of a class, without brackets.
constexpr std::string_view kSpaceMembers = "\\t-\\r\\x{85}\\p{Z}";
constexpr std::string_view kNotSpaceMembers =
    "\\x00-\\x08\\x0E-\\x1F\\x21-\\x{84}\\x{86}-\\x{9F}\\x{A1}-\\x{167F}\\x{1681}-\\x{1FFF}\\x{"
    "200B}-\\x{2027}"
    "\\x{202A}-\\x{202E}\\x{2030}-\\x{205E}\\x{2060}-\\x{2FFF}\\x{3001}-\\x{10FFFF}";
constexpr std::string_view kWordMembers = "\\p{L}\\p{M}\\p{N}\\p{Pc}";

[[noreturn]] void Refuse(std::string_view where, std::string_view source, std::string_view what) {
  Fail(where, ": expected a pattern that means the same here as in the original tokenizer, found ",
       what, " in \"", source, "\"; try the model's GGUF file");
}

void TranslateEscape(char c, bool in_class, std::string_view where, std::string_view source,
                     std::string* out) {
  const auto set = [&](std::string_view members, bool negated) {
    if (in_class) {
      if (negated) Refuse(where, source, "a negated shorthand inside a class");
      out->append(members);
    } else {
      out->append(negated ? "[^" : "[").append(members).append("]");
    }
  };
  switch (c) {
    case 's':
      return set(kSpaceMembers, false);
    case 'S':
      return in_class ? set(kNotSpaceMembers, false) : set(kSpaceMembers, true);
    case 'w':
      return set(kWordMembers, false);
    case 'W':
      return set(kWordMembers, true);
    case 'b':
    case 'B':
      if (in_class) break;
      // Between a word character and none, by the same members.
      out->append(c == 'b' ? "(?:(?<=[W])(?![W])|(?<![W])(?=[W]))"
                           : "(?:(?<=[W])(?=[W])|(?<![W])(?![W]))");
      for (size_t at = out->rfind("[W]"); at != out->npos; at = out->rfind("[W]")) {
        out->replace(at, 3, "[" + std::string(kWordMembers) + "]");
      }
      return;
    case 'h':
    case 'H':
      Refuse(where, source, "\\h, which is a hexadecimal digit there");
    case 'R':
    case 'X':
    case 'y':
    case 'Y':
    case 'K':
    case 'C':
    case 'O':
    case 'm':
    case 'M':
      Refuse(where, source, std::string("\\") + c);
    default:
      break;
  }
  out->append({'\\', c});
}

// (?i) and (?x) are the same; (?m) lets "." match line ends there, and (?s) is unknown there.
void RequireKnownOptions(std::string_view source, size_t at, std::string_view where) {
  const size_t end = source.find_first_not_of("imsxn-", at);
  if (end == source.npos || (source[end] != ':' && source[end] != ')')) return;
  const std::string_view options = source.substr(at, end - at);
  if (options.find_first_of("msn") != options.npos) {
    Refuse(where, source, "the option (?" + std::string(options) + ")");
  }
}

}  // namespace

std::string TranslateOniguruma(std::string_view source, std::string_view where) {
  std::string out;
  bool in_class = false;
  for (size_t at = 0; at < source.size(); ++at) {
    const char c = source[at];
    if (c == '\\') {
      if (++at == source.size()) Refuse(where, source, "a backslash at its end");
      TranslateEscape(source[at], in_class, where, source, &out);
      continue;
    }
    if (!in_class && c == '(' && source.substr(at, 2) == "(?")
      RequireKnownOptions(source, at + 2, where);
    if (in_class) {
      if (c == '[' && at + 1 < source.size() && source[at + 1] == ':') {
        const size_t end = source.find(":]", at + 2);
        if (end == source.npos) Refuse(where, source, "an unfinished [: :]");
        out.append(source.substr(at, end + 2 - at));
        at = end + 1;
        continue;
      }
      if (c == '[') Refuse(where, source, "a class inside a class");
      if (c == '&' && source.substr(at, 2) == "&&") Refuse(where, source, "&& inside a class");
      if (c == ']') in_class = false;
    } else if (c == '[') {
      in_class = true;
      out += c;
      if (at + 1 < source.size() && source[at + 1] == '^') out += source[++at];
      if (at + 1 < source.size() && source[at + 1] == ']') {
        out += "\\]";
        ++at;
      }
      continue;
    }
    out += c;
  }
  return out;
}

struct Pattern::Compiled {
  pcre2_code* code = nullptr;
  pcre2_match_context* context = nullptr;

  ~Compiled() {
    pcre2_match_context_free(context);
    pcre2_code_free(code);
  }
};

namespace {

// What one search needs besides the pattern; freed together.
struct MatchMemory {
  pcre2_match_data* data = nullptr;
  pcre2_jit_stack* stack = nullptr;
  pcre2_match_context* context = nullptr;

  MatchMemory(const pcre2_code* code, const pcre2_match_context* limits)
      : data(pcre2_match_data_create_from_pattern(code, nullptr)),
        stack(pcre2_jit_stack_create(32 * 1024, kJitStack, nullptr)),
        context(pcre2_match_context_copy(const_cast<pcre2_match_context*>(limits))) {
    pcre2_jit_stack_assign(context, nullptr, stack);
  }
  ~MatchMemory() {
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
    pcre2_match_data_free(data);
  }
};

}  // namespace

Pattern::Pattern(std::string source, std::string_view where)
    : source_(std::move(source)), where_(where), compiled_(std::make_unique<Compiled>()) {
  if (source_.size() > kMaxSource) {
    Fail(where, ": expected a pattern of at most ", kMaxSource, " bytes, found ", source_.size(),
         "; try the model's GGUF file");
  }
  if (ValidUtf8Prefix(source_) != source_.size()) {
    Fail(where, ": expected a pattern in UTF-8, found other bytes; try another copy of the file");
  }
  const std::string translated = TranslateOniguruma(source_, where);
  int error = 0;
  PCRE2_SIZE offset = 0;
  compiled_->code = pcre2_compile(
      reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &offset, nullptr);
  if (compiled_->code == nullptr) {
    char message[200] = "";
    pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(message), sizeof(message));
    Fail(where, ": expected a regular expression, found \"", source_, "\": ", message, " (at byte ",
         offset, "); try another copy of the file");
  }
  pcre2_jit_compile(compiled_->code, PCRE2_JIT_COMPLETE);  // without it, matching is only slower
  compiled_->context = pcre2_match_context_create(nullptr);
  pcre2_set_match_limit(compiled_->context, kMatchLimit);
  pcre2_set_depth_limit(compiled_->context, kDepthLimit);
  pcre2_set_heap_limit(compiled_->context, kHeapLimitKib);
}

Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;
Pattern::~Pattern() = default;

void Pattern::FindAll(std::string_view text, const std::function<void(TextSpan)>& found) const {
  const MatchMemory memory(compiled_->code, compiled_->context);
  const PCRE2_SIZE* span = pcre2_get_ovector_pointer(memory.data);
  for (size_t at = 0; at < text.size();) {
    const int count = pcre2_match(compiled_->code, reinterpret_cast<PCRE2_SPTR>(text.data()),
                                  text.size(), at, PCRE2_NO_UTF_CHECK, memory.data, memory.context);
    if (count == PCRE2_ERROR_NOMATCH) return;
    if (count < 0) {
      char message[200] = "";
      pcre2_get_error_message(count, reinterpret_cast<PCRE2_UCHAR*>(message), sizeof(message));
      Fail(where_, ": expected the pattern \"", source_,
           "\" to match within its limits, found: ", message, " at byte ", at,
           " of the text; try a shorter text");
    }
    if (span[1] > span[0]) found({span[0], span[1]});
    at = span[1] > span[0] ? span[1]
                           : span[1] + std::max<size_t>(1, DecodeUtf8(text, span[1]).length);
  }
}

}  // namespace lem
