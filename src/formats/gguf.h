// SPDX-License-Identifier: EUPL-1.2
// Reads GGUF v2 and v3 and writes v3 (model-formats 6).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tensor/ggml_blocks.h"

namespace lem {

// A metadata value. Integers of every width are kept as int64 or uint64, floats as double; `type`
// remembers the file's type so that it can be written back. Arrays keep one element type.
struct GgufValue {
  enum class Type : uint32_t {
    kU8,
    kI8,
    kU16,
    kI16,
    kU32,
    kI32,
    kF32,
    kBool,
    kString,
    kArray,
    kU64,
    kI64,
    kF64
  };
  Type type = Type::kU32;
  Type element = Type::kU32;  // when type is kArray
  std::variant<int64_t, uint64_t, double, bool, std::string, std::vector<int64_t>,
               std::vector<uint64_t>, std::vector<double>, std::vector<bool>,
               std::vector<std::string>>
      value;

  static GgufValue U32(uint32_t v);
  static GgufValue F32(float v);
  static GgufValue Bool(bool v);
  static GgufValue String(std::string v);
  static GgufValue Strings(std::vector<std::string> v);
  static GgufValue F32Array(const std::vector<float>& v);
  static GgufValue I32Array(const std::vector<int32_t>& v);
};

struct GgufTensor {
  std::string name;
  std::vector<int64_t> shape;  // outermost first, as Hugging Face writes it: (out, in)
  uint32_t type_id = 0;
  bool readable = false;  // a type of tensor/ggml_blocks.h; others can be listed, not read
  GgmlType type = GgmlType::kF32;
  std::span<const std::byte> bytes;
};

class Gguf {
 public:
  // Views point into `file`. Throws Error on truncation, lying sizes, overlaps, duplicates, byte
  // order, v1.
  static Gguf Parse(std::span<const std::byte> file, std::string name);

  const GgufValue* Find(std::string_view key) const;
  // Typed reads; the optional ones return `nullopt`-like via pointer null. Throw Error on a wrong
  // type.
  const std::string* FindString(std::string_view key) const;
  bool FindInteger(std::string_view key, int64_t* out) const;  // false when absent
  bool FindNumber(std::string_view key, double* out) const;
  bool FindBool(std::string_view key, bool* out) const;
  std::vector<int64_t> Integers(
      std::string_view key) const;  // scalar becomes one element; empty if absent
  std::vector<double> Numbers(std::string_view key) const;  // accepts integer arrays too
  const std::vector<std::string>* FindStrings(std::string_view key) const;

  const GgufTensor* FindTensor(std::string_view name) const;
  const std::vector<GgufTensor>& tensors() const { return tensors_; }
  const std::vector<std::pair<std::string, GgufValue>>& values() const { return values_; }
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::vector<std::pair<std::string, GgufValue>> values_;
  std::map<std::string, size_t, std::less<>> value_index_, tensor_index_;
  std::vector<GgufTensor> tensors_;
};

struct GgufTensorToWrite {
  std::string name;
  std::vector<int64_t> shape;  // outermost first
  GgmlType type = GgmlType::kF32;
  std::function<void(const std::function<void(std::span<const std::byte>)>& sink)> write;
};

void WriteGguf(const std::filesystem::path& path,
               const std::vector<std::pair<std::string, GgufValue>>& values,
               const std::vector<GgufTensorToWrite>& tensors);

}  // namespace lem
