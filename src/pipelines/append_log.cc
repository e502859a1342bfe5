// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/append_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "formats/mapped_file.h"

namespace lem {
namespace {

constexpr size_t kMaxLine = size_t{64} << 20;

std::string_view TextOf(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

bool IsJson(std::string_view text) {
  if (text.size() > kMaxLine) return false;
  try {
    Json::Parse(text, "");
    return true;
  } catch (const Error&) {
    return false;
  }
}

[[noreturn]] void FailErrno(const std::filesystem::path& path, const char* doing) {
  const int error = errno;
  Fail(path.string(), ": ", doing, " failed (", std::strerror(error), ")",
       error == ENOSPC || error == EDQUOT || error == EFBIG
           ? "; free some space and run the same command again, every earlier line is kept"
           : "; every earlier line is kept");
}

// Where the complete lines end, and whether the rest is a whole line that only lacks its end.
struct Tail {
  size_t complete = 0;
  bool whole = false;
};

Tail FindTail(std::string_view text) {
  const size_t end = text.rfind('\n');
  Tail tail;
  tail.complete = end == std::string_view::npos ? 0 : end + 1;
  tail.whole = tail.complete < text.size() && IsJson(text.substr(tail.complete));
  return tail;
}

}  // namespace

void AppendLog::Read(const std::filesystem::path& path, Progress& progress,
                     const std::function<void(const Json& row, std::string_view where)>& row) {
  if (!std::filesystem::exists(path)) return;
  const MappedFile file(path);
  std::string_view text = TextOf(file);
  const Tail tail = FindTail(text);
  if (tail.complete < text.size() && !tail.whole) {
    progress.Warn(path.string() +
                  ": the last line is incomplete and is left out; it will be made again");
    text = text.substr(0, tail.complete);
  }
  int64_t number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty()) continue;
    const std::string where = path.string() + ":" + std::to_string(number);
    if (line.size() > kMaxLine) {
      Fail(where, ": expected a line of at most ", kMaxLine, " bytes, found ", line.size());
    }
    row(Json::Parse(line, where), where);
  }
}

AppendLog::AppendLog(const std::filesystem::path& path) : path_(path) {
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd_ < 0) FailErrno(path_, "opening");
  Tail tail;
  size_t size = 0;
  {
    const MappedFile file(path_);
    size = TextOf(file).size();
    tail = FindTail(TextOf(file));
  }
  if (tail.whole) {
    Append("\n");
  } else if (tail.complete < size && ::ftruncate(fd_, static_cast<off_t>(tail.complete)) != 0) {
    FailErrno(path_, "cutting off an incomplete last line");
  }
}

AppendLog::~AppendLog() {
  if (fd_ >= 0) ::close(fd_);
}

AppendLog::AppendLog(AppendLog&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

AppendLog& AppendLog::operator=(AppendLog&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  return *this;
}

void AppendLog::Append(std::string_view lines) {
  struct stat before = {};
  if (::fstat(fd_, &before) != 0) FailErrno(path_, "reading the size");
  const auto undo = [&](const char* doing) {
    const int error = errno;
    // If even this fails, the next reader drops the torn line.
    if (::ftruncate(fd_, before.st_size) != 0) errno = 0;
    errno = error;
    FailErrno(path_, doing);
  };
  while (!lines.empty()) {
    const ssize_t written = ::write(fd_, lines.data(), lines.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) undo("writing");
    lines.remove_prefix(static_cast<size_t>(written));
  }
  if (::fdatasync(fd_) != 0) undo("syncing");
}

}  // namespace lem
