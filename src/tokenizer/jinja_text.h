// SPDX-License-Identifier: EUPL-1.2
// Python's string methods, on UTF-8.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lem::jinja {

bool IsPythonSpace(uint32_t code_point);  // str.isspace: White_Space and U+001C to U+001F

// str.strip(characters); without them, white space.
std::string_view Strip(std::string_view text, std::optional<std::string_view> characters, bool left,
                       bool right);
// str.split(separator, limit); without a separator, runs of white space. limit < 0: no limit.
std::vector<std::string_view> SplitText(std::string_view text,
                                        std::optional<std::string_view> separator, int64_t limit);
std::vector<std::string_view> SplitLines(std::string_view text);
std::string ReplaceText(std::string_view text, std::string_view from, std::string_view to,
                        int64_t limit);
std::string Capitalize(std::string_view text);
std::string TitleMethod(std::string_view text);  // str.title
std::string TitleFilter(std::string_view text);  // Jinja's filter, which differs
size_t CharacterCount(std::string_view text);
std::string EscapeHtml(std::string_view text);
std::string Indent(std::string_view text, std::string_view by, bool first, bool blank);

}  // namespace lem::jinja
