// SPDX-License-Identifier: EUPL-1.2
// Progress that draws nothing and keeps what it was told.
#pragma once

#include <string>
#include <vector>

#include "pipelines/progress.h"

namespace lem::testing {

struct SilentProgress final : Progress {
  void Begin(std::string_view, int64_t, std::string_view) override {}
  void Update(int64_t) override {}
  void End() override {}
  void Note(std::string_view line) override { notes.emplace_back(line); }
  void Warn(std::string_view line) override { warnings.emplace_back(line); }

  std::vector<std::string> notes, warnings;
};

}  // namespace lem::testing
