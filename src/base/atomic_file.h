// SPDX-License-Identifier: EUPL-1.2
// Files that appear whole or not at all: written under a temporary name in the same folder, synced,
// renamed over the target, and the folder synced.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace lem {

class AtomicFile {
 public:
  // Creates parent folders. Throws Error when the file cannot be created.
  explicit AtomicFile(std::filesystem::path target);
  ~AtomicFile();  // removes the temporary file unless Commit was reached
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  // Throw Error on a full disk or any other failure, naming the target and the cause.
  void Write(std::span<const std::byte> bytes);
  void Write(std::string_view text);
  void WriteAt(uint64_t offset, std::span<const std::byte> bytes);  // to fill in a header later
  void Commit();

  uint64_t size() const { return size_; }

 private:
  std::filesystem::path target_, temporary_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

void WriteFileAtomically(const std::filesystem::path& target, std::string_view text);

// Reads a whole text file of at most `limit` bytes. Throws Error (missing, a folder, too large).
std::string ReadTextFile(const std::filesystem::path& path, size_t limit = size_t{1} << 30);

}  // namespace lem
