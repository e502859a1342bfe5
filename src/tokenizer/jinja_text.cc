// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/jinja_text.h"

#include <algorithm>

#include "tokenizer/unicode.h"

namespace lem::jinja {
namespace {

struct Character {
  std::string_view bytes;
  uint32_t value = 0;
};

Character FirstOf(std::string_view text) {
  const CodePoint c = DecodeUtf8(text, 0);
  return {text.substr(0, std::max<size_t>(1, c.length)), c.value};
}

Character LastOf(std::string_view text) {
  size_t at = text.size() - 1;
  while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) --at;
  return {text.substr(at), DecodeUtf8(text, at).value};
}

std::vector<std::string_view> SplitSpaces(std::string_view text, int64_t limit) {
  std::vector<std::string_view> parts;
  while (true) {
    text = Strip(text, std::nullopt, true, false);
    if (text.empty()) return parts;
    if (limit >= 0 && static_cast<int64_t>(parts.size()) == limit) {
      parts.push_back(Strip(text, std::nullopt, false, true));
      return parts;
    }
    size_t end = 0;
    while (end < text.size()) {
      const Character c = FirstOf(text.substr(end));
      if (IsPythonSpace(c.value)) break;
      end += c.bytes.size();
    }
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

// Upper case for a letter after something else, lower case for the others.
template <class StartsWord>
std::string Title(std::string_view text, StartsWord starts_word) {
  std::string out;
  uint32_t before = 0;
  bool first = true;
  while (!text.empty()) {
    const Character c = FirstOf(text);
    AppendUtf8(first || starts_word(before) ? ToUpper(c.value) : ToLower(c.value), &out);
    before = c.value;
    first = false;
    text.remove_prefix(c.bytes.size());
  }
  return out;
}

}  // namespace

bool IsPythonSpace(uint32_t c) {
  return (ClassOf(c) & kWhiteSpace) != 0 || (c >= 0x1C && c <= 0x1F);
}

std::string_view Strip(std::string_view text, std::optional<std::string_view> characters, bool left,
                       bool right) {
  const auto strips = [&](const Character& c) {
    return characters ? characters->find(c.bytes) != std::string_view::npos
                      : IsPythonSpace(c.value);
  };
  while (left && !text.empty() && strips(FirstOf(text))) {
    text.remove_prefix(FirstOf(text).bytes.size());
  }
  while (right && !text.empty() && strips(LastOf(text))) {
    text.remove_suffix(LastOf(text).bytes.size());
  }
  return text;
}

std::vector<std::string_view> SplitText(std::string_view text,
                                        std::optional<std::string_view> separator, int64_t limit) {
  if (!separator) return SplitSpaces(text, limit);
  std::vector<std::string_view> parts;
  size_t done = 0;
  for (size_t at = text.find(*separator); at != text.npos; at = text.find(*separator, done)) {
    if (limit >= 0 && static_cast<int64_t>(parts.size()) == limit) break;
    parts.push_back(text.substr(done, at - done));
    done = at + separator->size();
  }
  parts.push_back(text.substr(done));
  return parts;
}

std::vector<std::string_view> SplitLines(std::string_view text) {
  std::vector<std::string_view> lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const Character c = FirstOf(text.substr(at));
    const bool ends = (c.value >= 0x0A && c.value <= 0x0D) ||
                      (c.value >= 0x1C && c.value <= 0x1E) || c.value == 0x85 ||
                      c.value == 0x2028 || c.value == 0x2029;
    size_t next = at + c.bytes.size();
    if (ends) {
      lines.push_back(text.substr(begin, at - begin));
      if (c.value == '\r' && next < text.size() && text[next] == '\n') ++next;
      begin = next;
    }
    at = next;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

std::string ReplaceText(std::string_view text, std::string_view from, std::string_view to,
                        int64_t limit) {
  std::string out;
  size_t done = 0;
  for (int64_t count = 0; limit < 0 || count < limit; ++count) {
    size_t at = done;
    if (!from.empty()) {
      at = text.find(from, done);
      if (at == text.npos) break;
      out.append(text, done, at - done).append(to);
      done = at + from.size();
      continue;
    }
    // An empty text is found before every character and at the end.
    out.append(to);
    if (done >= text.size()) return out;
    const Character c = FirstOf(text.substr(done));
    out.append(c.bytes);
    done += c.bytes.size();
  }
  return out.append(text.substr(std::min(done, text.size())));
}

std::string Capitalize(std::string_view text) {
  return Title(text, [](uint32_t) { return false; });
}

std::string TitleMethod(std::string_view text) {
  return Title(text, [](uint32_t before) { return (ClassOf(before) & kLetter) == 0; });
}

std::string TitleFilter(std::string_view text) {
  return Title(text, [](uint32_t before) {
    return IsPythonSpace(before) || before == '-' || before == '(' || before == '{' ||
           before == '[' || before == '<';
  });
}

size_t CharacterCount(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

std::string EscapeHtml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string Indent(std::string_view text, std::string_view by, bool first, bool blank) {
  const std::string with_end = std::string(text) + '\n';
  std::string out;
  bool at_first = true;
  for (const std::string_view line : SplitLines(with_end)) {
    if (!at_first) out += '\n';
    if ((at_first ? first : blank || !line.empty())) out.append(by);
    out.append(line);
    at_first = false;
  }
  return out;
}

}  // namespace lem::jinja
