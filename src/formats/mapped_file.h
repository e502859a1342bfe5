// SPDX-License-Identifier: EUPL-1.2
// A read-only memory-mapped file.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace lem {

class MappedFile {
 public:
  MappedFile() = default;
  explicit MappedFile(const std::filesystem::path& path);  // throws Error
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  // Lets go of the memory that holds pages read so far. The bytes stay valid: the next read of a
  // page fetches it again.
  void ReleasePages() const;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace lem
