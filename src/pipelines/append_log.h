// SPDX-License-Identifier: EUPL-1.2
// A file of JSON lines that only grows: every Append is on the disk when it returns, and a line
// that was torn by a crash is dropped when the file is read again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "formats/json.h"
#include "pipelines/progress.h"

namespace lem {

class AppendLog {
 public:
  // Calls `row` for every line, with a name for messages ("PATH:LINE"). A last line without its end
  // that is no JSON is dropped with a warning; any other malformed line is an Error. A file that is
  // not there is empty.
  static void Read(const std::filesystem::path& path, Progress& progress,
                   const std::function<void(const Json& row, std::string_view where)>& row);

  AppendLog() = default;
  // Opens for appending, having cut off a torn last line. Throws Error.
  explicit AppendLog(const std::filesystem::path& path);
  ~AppendLog();
  AppendLog(AppendLog&& other) noexcept;
  AppendLog& operator=(AppendLog&& other) noexcept;

  bool is_open() const { return fd_ >= 0; }
  // One or several whole lines, each ending in '\n'. When the disk is full the part that was
  // written is cut off again, and Error says so.
  void Append(std::string_view lines);

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

}  // namespace lem
