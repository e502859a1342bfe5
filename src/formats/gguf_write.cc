// SPDX-License-Identifier: EUPL-1.2
// Writes GGUF v3: metadata and tensor table first, since all sizes are known, then the data
// streams.
#include <cstring>
#include <set>

#include "base/atomic_file.h"
#include "base/check.h"
#include "base/error.h"
#include "formats/gguf.h"
#include "tensor/shape.h"

namespace lem {
namespace {

using Type = GgufValue::Type;

constexpr size_t kLongestName = 63;  // ggml keeps names in 64 bytes with a final zero

template <class T>
void Put(T value, std::string* out) {
  out->append(reinterpret_cast<const char*>(&value), sizeof value);
}

void PutString(std::string_view text, std::string* out) {
  Put<uint64_t>(text.size(), out);
  out->append(text);
}

// One number of the file's type; Wide is what GgufValue keeps it in.
template <class Wide>
void PutNumber(Type type, Wide value, std::string* out) {
  switch (type) {
    case Type::kU8:
      return Put(static_cast<uint8_t>(value), out);
    case Type::kI8:
      return Put(static_cast<int8_t>(value), out);
    case Type::kU16:
      return Put(static_cast<uint16_t>(value), out);
    case Type::kI16:
      return Put(static_cast<int16_t>(value), out);
    case Type::kU32:
      return Put(static_cast<uint32_t>(value), out);
    case Type::kI32:
      return Put(static_cast<int32_t>(value), out);
    case Type::kU64:
      return Put(static_cast<uint64_t>(value), out);
    case Type::kI64:
      return Put(static_cast<int64_t>(value), out);
    case Type::kF32:
      return Put(static_cast<float>(value), out);
    case Type::kF64:
      return Put(static_cast<double>(value), out);
    default:
      LEM_CHECK(false);
  }
}

struct ValueWriter {
  const GgufValue& value;
  std::string* out;

  void operator()(bool flag) const { Put<uint8_t>(flag, out); }
  void operator()(const std::string& text) const { PutString(text, out); }
  template <class Number>
  requires std::is_arithmetic_v<Number>
  void operator()(Number number) const { PutNumber(value.type, number, out); }
  void operator()(const std::vector<bool>& flags) const {
    PutHead(flags.size());
    for (const bool flag : flags) Put<uint8_t>(flag, out);
  }
  void operator()(const std::vector<std::string>& texts) const {
    PutHead(texts.size());
    for (const std::string& text : texts) PutString(text, out);
  }
  template <class Number>
  void operator()(const std::vector<Number>& numbers) const {
    PutHead(numbers.size());
    for (const Number number : numbers) PutNumber(value.element, number, out);
  }
  void PutHead(size_t count) const {
    Put(static_cast<uint32_t>(value.element), out);
    Put<uint64_t>(count, out);
  }
};

uint64_t BytesOf(const GgufTensorToWrite& tensor) {
  const auto count = CountElements(tensor.shape);
  const GgmlTypeInfo& info = InfoOf(tensor.type);
  LEM_CHECK(count && !tensor.shape.empty() && tensor.shape.size() <= 4);
  if (tensor.shape.back() % info.block_elements != 0) {
    Fail("tensor ", tensor.name, ": rows of ", tensor.shape.back(),
         " elements cannot be written as ", info.name, ", whose blocks hold ", info.block_elements,
         "; choose f16 or bf16 for it");
  }
  return static_cast<uint64_t>(*count) / info.block_elements * info.block_bytes;
}

uint64_t AlignUp(uint64_t size, uint64_t step) { return (size + step - 1) / step * step; }

uint64_t AlignmentOf(const std::vector<std::pair<std::string, GgufValue>>& values) {
  for (const auto& [key, value] : values) {
    if (key != "general.alignment") continue;
    const auto* step = std::get_if<uint64_t>(&value.value);
    LEM_CHECK(step && value.type == Type::kU32 && *step > 0 && (*step & (*step - 1)) == 0);
    return *step;
  }
  return 32;
}

void RequireNames(const std::filesystem::path& path,
                  const std::vector<GgufTensorToWrite>& tensors) {
  std::set<std::string_view> names;
  for (const GgufTensorToWrite& tensor : tensors) {
    if (tensor.name.size() > kLongestName) {
      Fail(path.string(), ": the tensor name ", tensor.name, " is longer than the ", kLongestName,
           " bytes that GGUF readers allow");
    }
    if (!names.insert(tensor.name).second)
      Fail(path.string(), ": two tensors are named ", tensor.name);
  }
}

std::string Head(const std::vector<std::pair<std::string, GgufValue>>& values,
                 const std::vector<GgufTensorToWrite>& tensors, uint64_t alignment) {
  std::string head = "GGUF";
  Put<uint32_t>(3, &head);
  Put<uint64_t>(tensors.size(), &head);
  Put<uint64_t>(values.size(), &head);
  for (const auto& [key, value] : values) {
    PutString(key, &head);
    Put(static_cast<uint32_t>(value.type), &head);
    std::visit(ValueWriter{value, &head}, value.value);
  }
  uint64_t offset = 0;
  for (const GgufTensorToWrite& tensor : tensors) {
    PutString(tensor.name, &head);
    Put(static_cast<uint32_t>(tensor.shape.size()), &head);
    for (size_t i = tensor.shape.size(); i-- > 0;)
      Put<uint64_t>(tensor.shape[i], &head);  // innermost first
    Put(static_cast<uint32_t>(tensor.type), &head);
    Put<uint64_t>(offset, &head);
    offset += AlignUp(BytesOf(tensor), alignment);
  }
  head.resize(AlignUp(head.size(), alignment), '\0');
  return head;
}

}  // namespace

void WriteGguf(const std::filesystem::path& path,
               const std::vector<std::pair<std::string, GgufValue>>& values,
               const std::vector<GgufTensorToWrite>& tensors) {
  RequireNames(path, tensors);
  const uint64_t alignment = AlignmentOf(values);
  const std::string head = Head(values, tensors, alignment);
  AtomicFile file(path);
  file.Write(head);
  for (const GgufTensorToWrite& tensor : tensors) {
    const uint64_t end = file.size() + BytesOf(tensor);
    tensor.write([&](std::span<const std::byte> bytes) {
      LEM_CHECK(bytes.size() <= end - file.size());
      file.Write(bytes);
    });
    LEM_CHECK(file.size() == end);
    file.Write(std::string(AlignUp(end, alignment) - end, '\0'));
  }
  file.Commit();
}

}  // namespace lem
