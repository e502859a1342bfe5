// SPDX-License-Identifier: EUPL-1.2
#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/error.h"

namespace lem {
namespace {

[[noreturn]] void FailErrno(const std::filesystem::path& path, const char* doing) {
  const int error = errno;
  Fail(path.string(), ": ", doing, " failed (", std::strerror(error), ")",
       error == ENOSPC || error == EDQUOT ? "; free some space and run again, nothing was replaced"
                                          : "; nothing was replaced");
}

void SyncFolder(const std::filesystem::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);  // some file systems refuse to sync a folder; the rename itself has happened
  ::close(fd);
}

std::filesystem::path ParentOf(const std::filesystem::path& target) {
  const auto parent = target.parent_path();
  return parent.empty() ? std::filesystem::path(".") : parent;
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path target) : target_(std::move(target)) {
  std::error_code error;
  std::filesystem::create_directories(ParentOf(target_), error);
  if (error) {
    Fail(ParentOf(target_).string(), ": cannot create this folder (", error.message(), ")");
  }
  std::string pattern =
      (ParentOf(target_) / ("." + target_.filename().string() + ".XXXXXX")).string();
  fd_ = ::mkstemp(pattern.data());
  if (fd_ < 0) FailErrno(target_, "creating a temporary file beside it");
  temporary_ = pattern;
  const mode_t mask = ::umask(0);
  ::umask(mask);
  ::fchmod(fd_, 0666 & ~mask);
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::Write(std::span<const std::byte> bytes) {
  WriteAt(size_, bytes);
  size_ += bytes.size();
}

void AtomicFile::Write(std::string_view text) {
  Write(std::as_bytes(std::span(text.data(), text.size())));
}

void AtomicFile::WriteAt(uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) FailErrno(target_, "writing");
    offset += static_cast<uint64_t>(n);
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

void AtomicFile::Commit() {
  if (::fsync(fd_) != 0) FailErrno(target_, "syncing");
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) FailErrno(target_, "renaming into place");
  ::close(fd_);
  fd_ = -1;
  SyncFolder(ParentOf(target_));
}

void WriteFileAtomically(const std::filesystem::path& target, std::string_view text) {
  AtomicFile file(target);
  file.Write(text);
  file.Commit();
}

std::string ReadTextFile(const std::filesystem::path& path, size_t limit) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) Fail(path.string(), ": cannot open this file (", std::strerror(errno), ")");
  struct stat info = {};
  ::fstat(fd, &info);
  if (S_ISDIR(info.st_mode)) {
    ::close(fd);
    Fail(path.string(), ": expected a file, found a folder");
  }
  std::string text;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      ::close(fd);
      if (n < 0) Fail(path.string(), ": cannot read this file (", std::strerror(errno), ")");
      return text;
    }
    if (text.size() + static_cast<size_t>(n) > limit) {
      ::close(fd);
      Fail(path.string(), ": larger than the ", limit, " bytes allowed for a file of this kind");
    }
    text.append(buffer, static_cast<size_t>(n));
  }
}

}  // namespace lem
