// SPDX-License-Identifier: EUPL-1.2
// Lists in flags: "--task a,b --task c" is a, b, c.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace lem::cli {

inline std::vector<std::string> SplitAtCommas(const std::vector<std::string>& values) {
  std::vector<std::string> words;
  for (const std::string& value : values) {
    for (size_t begin = 0; begin <= value.size();) {
      const size_t end = std::min(value.find(',', begin), value.size());
      if (end > begin) words.push_back(value.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  return words;
}

}  // namespace lem::cli
