// SPDX-License-Identifier: EUPL-1.2
// How a pipeline tells its caller how far it is. The command line draws it; tests ignore or record
// it.
#pragma once

#include <cstdint>
#include <string_view>

namespace lem {

class Progress {
 public:
  virtual ~Progress() = default;
  // A piece of work of `total` units begins (0: unknown). The one before it has ended.
  virtual void Begin(std::string_view what, int64_t total, std::string_view unit) = 0;
  virtual void Update(int64_t done) = 0;
  virtual void End() = 0;
  virtual void Note(std::string_view line) = 0;  // something the user should know
  virtual void Warn(std::string_view line) = 0;  // something that is likely wrong
};

}  // namespace lem
