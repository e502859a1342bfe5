// SPDX-License-Identifier: EUPL-1.2
// SHA-256 (FIPS 180-4, by OpenSSL), as lower-case hex.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace lem {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  void Update(std::span<const std::byte> bytes);
  void Update(std::string_view text);
  std::string Hex();  // call once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string Sha256Hex(std::string_view text);
std::string Sha256File(const std::filesystem::path& path);  // throws Error if it cannot be read

}  // namespace lem
