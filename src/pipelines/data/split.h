// SPDX-License-Identifier: EUPL-1.2
// One file of conversations into train.jsonl and valid.jsonl: seeded, rows as they stand, and near
// duplicates on one side, because a validation row that was also trained on measures memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lem {

struct SplitOptions {
  std::string file;
  int64_t valid = 0;   // rows to set aside; 0: use ratio
  double ratio = 0.1;  // share of rows to set aside
  uint64_t seed = 0;
  double near = 0.6;
  std::filesystem::path to;  // folder; empty: the file's own
  bool overwrite = false;
};

struct SplitResult {
  std::filesystem::path train, valid;
  int64_t train_rows = 0, valid_rows = 0, wanted = 0;  // valid_rows may miss `wanted` because of
  int64_t groups = 0;  // groups of near-duplicates, which are not torn apart
};

// Both files appear whole or not at all. Throws Error.
SplitResult Split(const SplitOptions& options);

// Which of the rows go to the validation side. `groups` names each row's group. Exposed for tests.
std::vector<bool> ChooseValid(const std::vector<size_t>& groups, int64_t wanted, uint64_t seed);

}  // namespace lem
