// SPDX-License-Identifier: EUPL-1.2
// What a teacher is asked: prompts from JSONL, a JSON list, or a file of seeds/.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace lem {

struct DistillPrompt {
  std::string id, text;
  std::optional<bool> benign;  // what the row says of itself: "benign", "expect", "kind"
};

struct DistillPrompts {
  std::vector<DistillPrompt> prompts;  // ids are distinct
  bool from_seeds = false;  // some are evaluation prompts, which must not become training data
};

// Rows {"id","prompt"}; a row without id is named by its line or place. Throws Error with the row
// on anything else, and on an id that occurs twice.
DistillPrompts ReadDistillPrompts(const std::vector<std::string>& files);

}  // namespace lem
