// SPDX-License-Identifier: EUPL-1.2
#define PCRE2_CODE_UNIT_WIDTH 8
#include "pipelines/score/python_pattern.h"

#include <pcre2.h>

#include <string>

#include "base/error.h"

namespace lem {
namespace {

constexpr std::string_view kSpaceName = "[[:pyspace:]]";
constexpr std::string_view kSpaceClass =
    "[\\t-\\r\\x{1c}-\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"
    "\\x{205f}\\x{3000}]";
// Enough for any text that a model writes with our patterns; a hostile one ends in an error.
constexpr uint32_t kMatchLimit = 2'000'000;
constexpr uint32_t kDepthLimit = 20'000;

std::string WithSpaces(std::string_view source) {
  std::string out(source);
  for (size_t at = 0; (at = out.find(kSpaceName, at)) != std::string::npos;
       at += kSpaceClass.size()) {
    out.replace(at, kSpaceName.size(), kSpaceClass);
  }
  return out;
}

std::string Message(int code) {
  unsigned char text[256] = {};
  pcre2_get_error_message(code, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

// Python ignores case for U+0130 and U+0131 as if they were i; PCRE2 does not.
std::string DottedAsPlain(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dotted = text[i] == '\xC4' && i + 1 < text.size() &&
                        (text[i + 1] == '\xB0' || text[i + 1] == '\xB1');
    out.push_back(dotted ? 'i' : text[i]);
    i += dotted ? 1 : 0;
  }
  return out;
}

}  // namespace

struct PythonPattern::Code {
  std::string source;
  bool ignores_case = false;
  pcre2_code* code = nullptr;
  pcre2_match_context* context = nullptr;
  pcre2_match_data* data = nullptr;

  ~Code() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_code_free(code);
  }
};

PythonPattern::PythonPattern(std::string_view source, Case letters)
    : code_(std::make_unique<Code>()) {
  code_->source = WithSpaces(source);
  code_->ignores_case = letters == Case::kIgnored;
  const uint32_t options =
      PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | (code_->ignores_case ? PCRE2_CASELESS : 0);
  pcre2_compile_context* compile = pcre2_compile_context_create(nullptr);
  pcre2_set_newline(compile, PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE offset = 0;
  code_->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(code_->source.data()),
                              code_->source.size(), options, &error, &offset, compile);
  pcre2_compile_context_free(compile);
  if (code_->code == nullptr) {
    Fail("pattern ", source, ": ", Message(error), " at byte ", offset);
  }
  pcre2_jit_compile(code_->code, PCRE2_JIT_COMPLETE);  // where there is none, it interprets
  code_->context = pcre2_match_context_create(nullptr);
  pcre2_set_match_limit(code_->context, kMatchLimit);
  pcre2_set_depth_limit(code_->context, kDepthLimit);
  code_->data = pcre2_match_data_create_from_pattern(code_->code, nullptr);
}

PythonPattern::~PythonPattern() = default;
PythonPattern::PythonPattern(PythonPattern&&) noexcept = default;
PythonPattern& PythonPattern::operator=(PythonPattern&&) noexcept = default;

std::vector<AnswerSpan> PythonPattern::FindAll(std::string_view text, size_t limit) const {
  std::vector<AnswerSpan> spans;
  const std::string plain = code_->ignores_case ? DottedAsPlain(text) : std::string();
  // Replacing changes offsets, so spans of such a text are of the replaced one; only counts of
  // case-ignoring patterns are used.
  if (code_->ignores_case) text = plain;
  for (size_t at = 0; at <= text.size() && spans.size() < limit;) {
    const int found = pcre2_match(code_->code, reinterpret_cast<PCRE2_SPTR>(text.data()),
                                  text.size(), at, 0, code_->data, code_->context);
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0) {
      Fail("pattern ", code_->source.substr(0, 60), ": gave up on a text of ", text.size(),
           " bytes (", Message(found), ")");
    }
    const PCRE2_SIZE* span = pcre2_get_ovector_pointer(code_->data);
    spans.push_back({span[0], span[1]});
    at = span[1] > span[0] ? span[1] : span[1] + 1;
  }
  return spans;
}

int64_t PythonPattern::Count(std::string_view text) const {
  return static_cast<int64_t>(FindAll(text).size());
}

bool PythonPattern::Found(std::string_view text) const { return !FindAll(text, 1).empty(); }

}  // namespace lem
