// SPDX-License-Identifier: EUPL-1.2
// Rows of a training file as conversations, with what a rule needs to point at them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"

namespace lem {

struct Turn {
  std::string role, content;
};

struct TrainingRow {
  std::string file, id;  // id: the row's own, else empty
  int64_t line = 0;
  std::string raw;  // the line as it stands, without its end
  std::vector<Turn> turns;
  std::optional<bool> benign;  // what the row says of its request
  std::string problem;         // why it is no conversation; then turns is empty

  std::string TextOf(std::string_view role) const;  // all its turns, joined by blank lines
};

// One conversation per line that is not blank, in order: {"messages":[{"role","content"}..]} or
// {"prompt","completion"}. A row that is neither is returned with its problem said. Throws Error
// only when the file cannot be read.
//
// A row marks its request by "benign": true|false, "expect": "answer"|"refuse", or the kinds
// "refusal" and "safe-sounding" of training/.
std::vector<TrainingRow> ReadTrainingRows(const std::string& path);

}  // namespace lem
