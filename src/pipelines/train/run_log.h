// SPDX-License-Identifier: EUPL-1.2
// --log FILE.jsonl: the configuration, then one row per iteration and per validation.
#pragma once

#include <string>

#include "pipelines/train/observer.h"
#include "pipelines/train/state.h"

namespace lem {

class RunLog {
 public:
  RunLog() = default;  // writes nothing
  // A new file whose first row is the run. Throws Error when it cannot be written.
  static RunLog Create(const std::string& path, const RunIdentity& identity);
  // Continues a file: rows of iterations after `iteration` are dropped, and a line cut short too.
  static RunLog Continue(const std::string& path, const RunIdentity& identity, int64_t iteration);
  RunLog(RunLog&& other) noexcept;
  RunLog& operator=(RunLog&& other) noexcept;
  ~RunLog();

  void Step(const StepEvent& event, uint64_t peak_memory_bytes);
  void Validation(const ValidationEvent& event);

 private:
  void Write(const Json& row);
  std::string path_;
  int fd_ = -1;
};

}  // namespace lem
