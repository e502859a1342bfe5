// SPDX-License-Identifier: EUPL-1.2
// Reads GGUF v2 and v3. Every count is held against the bytes that remain before anything is
// allocated.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "base/error.h"
#include "formats/gguf.h"
#include "tensor/shape.h"

namespace lem {
namespace {

using Type = GgufValue::Type;

// Types that are listed with their right size but not computed with (model-formats 7).
struct OtherType {
  uint32_t id;
  GgmlTypeInfo info;
};
constexpr OtherType kOtherTypes[] = {
    {9, {"Q8_1", 32, 36}},     {15, {"Q8_K", 256, 292}},   {16, {"IQ2_XXS", 256, 66}},
    {17, {"IQ2_XS", 256, 74}}, {18, {"IQ3_XXS", 256, 98}}, {19, {"IQ1_S", 256, 50}},
    {21, {"IQ3_S", 256, 110}}, {22, {"IQ2_S", 256, 82}},   {24, {"I8", 1, 1}},
    {25, {"I16", 1, 2}},       {26, {"I32", 1, 4}},        {27, {"I64", 1, 8}},
    {28, {"F64", 1, 8}},       {29, {"IQ1_M", 256, 56}},   {34, {"TQ1_0", 256, 54}},
    {35, {"TQ2_0", 256, 66}},  {40, {"NVFP4", 64, 36}},    {41, {"Q1_0", 128, 18}},
    {42, {"Q2_0", 64, 18}},
};

const GgmlTypeInfo* FindAnyType(uint32_t id) {
  if (const GgmlTypeInfo* info = FindGgmlType(id)) return info;
  for (const OtherType& other : kOtherTypes) {
    if (other.id == id) return &other.info;
  }
  return nullptr;
}

class Reader {
 public:
  Reader(std::span<const std::byte> file, const std::string& name) : file_(file), name_(name) {}

  template <class T>
  T Number(std::string_view what) {
    T value;
    std::memcpy(&value, Take(sizeof value, what).data(), sizeof value);
    return value;
  }

  std::string String(std::string_view what) {
    const uint64_t size = Number<uint64_t>(what);
    const auto bytes = Take(size, what);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  // A count of things of which each takes at least `smallest` bytes.
  uint64_t Count(uint64_t smallest, std::string_view what) {
    const uint64_t count = Number<uint64_t>(what);
    if (count > left() / smallest) {
      Fail(name_, ": the file claims ", count, " ", what, ", more than its remaining ", left(),
           " bytes can hold; it is damaged or incomplete, get it again");
    }
    return count;
  }

  std::span<const std::byte> Take(uint64_t size, std::string_view what) {
    if (size > left()) {
      Fail(name_, ": the file ends inside ", what, " (", size, " bytes wanted at byte ", at_, ", ",
           left(), " left); it is damaged or incomplete, get it again");
    }
    const auto bytes = file_.subspan(at_, size);
    at_ += size;
    return bytes;
  }

  uint64_t at() const { return at_; }
  uint64_t left() const { return file_.size() - at_; }
  const std::string& name() const { return name_; }

 private:
  std::span<const std::byte> file_;
  const std::string& name_;
  uint64_t at_ = 0;
};

Type ReadType(Reader& reader, const std::string& key) {
  const uint32_t type = reader.Number<uint32_t>("the type of key " + key);
  if (type > static_cast<uint32_t>(Type::kF64)) {
    Fail(reader.name(), ": key ", key, ": expected a value type of 0 to 12, found ", type);
  }
  return static_cast<Type>(type);
}

bool ReadBool(Reader& reader, const std::string& key) {
  const uint8_t byte = reader.Number<uint8_t>(key);
  if (byte > 1)
    Fail(reader.name(), ": key ", key, ": expected a boolean of 0 or 1, found ", int{byte});
  return byte == 1;
}

// What GgufValue keeps a number of the file's type T in.
template <class T>
using Wide = std::conditional_t<std::is_floating_point_v<T>, double,
                                std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>;

// Calls use(T()) with the C++ type of a number's `type`; false if it is no number.
template <class Use>
bool ForNumber(Type type, const Use& use) {
  const auto call = [&](auto zero) {
    use(zero);
    return true;
  };
  // clang-format off
  switch (type) {
    case Type::kU8: return call(uint8_t());
    case Type::kI8: return call(int8_t());
    case Type::kU16: return call(uint16_t());
    case Type::kI16: return call(int16_t());
    case Type::kU32: return call(uint32_t());
    case Type::kI32: return call(int32_t());
    case Type::kU64: return call(uint64_t());
    case Type::kI64: return call(int64_t());
    case Type::kF32: return call(float());
    case Type::kF64: return call(double());
    default: return false;
  }
  // clang-format on
}

template <class T>
std::vector<Wide<T>> ReadNumbers(Reader& reader, const std::string& key) {
  const uint64_t count = reader.Count(sizeof(T), "elements of " + key);
  const auto bytes = reader.Take(count * sizeof(T), key);
  std::vector<Wide<T>> values(count);
  for (uint64_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<Wide<T>>(value);
  }
  return values;
}

std::vector<bool> ReadBools(Reader& reader, const std::string& key) {
  std::vector<bool> flags(reader.Count(1, "elements of " + key));
  for (size_t i = 0; i < flags.size(); ++i) flags[i] = ReadBool(reader, key);
  return flags;
}

std::vector<std::string> ReadStrings(Reader& reader, const std::string& key) {
  const uint64_t count = reader.Count(sizeof(uint64_t), "strings of " + key);
  std::vector<std::string> strings;
  strings.reserve(count);
  for (uint64_t i = 0; i < count; ++i) strings.push_back(reader.String(key));
  return strings;
}

void ReadArray(Reader& reader, const std::string& key, GgufValue* out) {
  out->element = ReadType(reader, key);
  const bool numbers = ForNumber(
      out->element, [&](auto zero) { out->value = ReadNumbers<decltype(zero)>(reader, key); });
  if (numbers) return;
  if (out->element == Type::kArray) {
    Fail(reader.name(), ": key ", key, ": arrays of arrays are not supported");
  }
  if (out->element == Type::kBool) {
    out->value = ReadBools(reader, key);
  } else {
    out->value = ReadStrings(reader, key);
  }
}

GgufValue ReadValue(Reader& reader, const std::string& key) {
  GgufValue value;
  value.type = ReadType(reader, key);
  const bool number = ForNumber(value.type, [&](auto zero) {
    using T = decltype(zero);
    value.value = static_cast<Wide<T>>(reader.Number<T>(key));
  });
  if (number) return value;
  if (value.type == Type::kBool) {
    value.value = ReadBool(reader, key);
  } else if (value.type == Type::kString) {
    value.value = reader.String(key);
  } else {
    ReadArray(reader, key, &value);
  }
  return value;
}

void CheckMagic(Reader& reader) {
  if (reader.left() < 4 || std::memcmp(reader.Take(4, "the magic").data(), "GGUF", 4) != 0) {
    Fail(reader.name(), ": expected a GGUF file, but it does not begin with the letters GGUF");
  }
  const uint32_t version = reader.Number<uint32_t>("the version");
  if (version != 0 && (version & 0xffff) == 0) {
    Fail(reader.name(), ": this GGUF file is big-endian; expected a little-endian one, convert it");
  }
  if (version != 2 && version != 3) {
    Fail(reader.name(), ": expected GGUF version 2 or 3, found ", version,
         "; convert the model again with a current converter");
  }
}

struct TensorEntry {
  GgufTensor tensor;
  uint64_t offset = 0, size = 0;
};

// Bytes of a tensor whose rows are `tensor.shape.back()` elements of `info`'s blocks.
uint64_t TensorBytes(const Reader& reader, const GgufTensor& tensor, const GgmlTypeInfo& info) {
  const auto count = CountElements(tensor.shape);
  const int64_t row = tensor.shape.empty() ? 1 : tensor.shape.back();
  uint64_t bytes = 0;
  if (!count || __builtin_mul_overflow(static_cast<uint64_t>(*count) / info.block_elements,
                                       uint64_t{info.block_bytes}, &bytes)) {
    Fail(reader.name(), ": tensor ", tensor.name, ": shape ", ShapeText(tensor.shape),
         " is larger than any file");
  }
  if (row % info.block_elements != 0) {
    Fail(reader.name(), ": tensor ", tensor.name, ": rows of ", row,
         " elements are not a multiple of the ", info.block_elements, " in a block of ", info.name);
  }
  return bytes;
}

TensorEntry ReadTensor(Reader& reader) {
  TensorEntry entry;
  GgufTensor& tensor = entry.tensor;
  tensor.name = reader.String("a tensor's name");
  const std::string what = "the description of tensor " + tensor.name;
  const uint32_t dimensions = reader.Number<uint32_t>(what);
  if (dimensions > 4) {
    Fail(reader.name(), ": tensor ", tensor.name, ": expected at most 4 dimensions, found ",
         dimensions);
  }
  for (uint32_t i = 0; i < dimensions; ++i) {
    const uint64_t size = reader.Number<uint64_t>(what);
    if (size > static_cast<uint64_t>(INT64_MAX)) {
      Fail(reader.name(), ": tensor ", tensor.name, ": a dimension of ", size,
           " is larger than any file");
    }
    tensor.shape.insert(tensor.shape.begin(),
                        static_cast<int64_t>(size));  // the file has innermost first
  }
  tensor.type_id = reader.Number<uint32_t>(what);
  entry.offset = reader.Number<uint64_t>(what);
  const GgmlTypeInfo* info = FindAnyType(tensor.type_id);
  if (!info) {
    Fail(reader.name(), ": tensor ", tensor.name, " has ggml type ", tensor.type_id,
         ", which this program does not know; quantise the model to another type");
  }
  tensor.readable = FindGgmlType(tensor.type_id) != nullptr;
  if (tensor.readable) tensor.type = static_cast<GgmlType>(tensor.type_id);
  entry.size = TensorBytes(reader, tensor, *info);
  return entry;
}

void CheckOverlaps(const Reader& reader, const std::vector<TensorEntry>& entries) {
  std::vector<const TensorEntry*> order;
  for (const TensorEntry& entry : entries) {
    if (entry.size > 0) order.push_back(&entry);
  }
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->offset < b->offset; });
  for (size_t i = 1; i < order.size(); ++i) {
    if (order[i]->offset < order[i - 1]->offset + order[i - 1]->size) {
      Fail(reader.name(), ": tensors ", order[i - 1]->tensor.name, " and ", order[i]->tensor.name,
           " overlap in the file");
    }
  }
}

// Points every tensor at its bytes in `blob`, the part of the file after the padding.
void Locate(const Reader& reader, std::span<const std::byte> blob, uint64_t alignment,
            std::vector<TensorEntry>& entries) {
  for (TensorEntry& entry : entries) {
    if (entry.offset % alignment != 0) {
      Fail(reader.name(), ": tensor ", entry.tensor.name, ": its offset ", entry.offset,
           " is not a multiple of the file's alignment ", alignment);
    }
    if (entry.offset > blob.size() || entry.size > blob.size() - entry.offset) {
      Fail(reader.name(), ": tensor ", entry.tensor.name, ": its ", entry.size, " bytes at ",
           entry.offset, " lie outside the file's ", blob.size(),
           " bytes of data; the file is damaged or incomplete, get it again");
    }
    entry.tensor.bytes = blob.subspan(entry.offset, entry.size);
  }
  CheckOverlaps(reader, entries);
}

}  // namespace

Gguf Gguf::Parse(std::span<const std::byte> file, std::string name) {
  Gguf result;
  result.name_ = std::move(name);
  Reader reader(file, result.name_);
  CheckMagic(reader);
  const uint64_t tensors = reader.Count(24, "tensors");
  const uint64_t values = reader.Count(13, "metadata keys");
  for (uint64_t i = 0; i < values; ++i) {
    std::string key = reader.String("a metadata key");
    GgufValue value = ReadValue(reader, key);
    if (!result.value_index_.emplace(key, i).second) {
      Fail(result.name_, ": the metadata key ", key, " appears twice");
    }
    result.values_.emplace_back(std::move(key), std::move(value));
  }
  std::vector<TensorEntry> entries;
  for (uint64_t i = 0; i < tensors; ++i) {
    entries.push_back(ReadTensor(reader));
    if (!result.tensor_index_.emplace(entries.back().tensor.name, i).second) {
      Fail(result.name_, ": the tensor ", entries.back().tensor.name, " appears twice");
    }
  }
  int64_t alignment = 32;
  result.FindInteger("general.alignment", &alignment);
  if (alignment <= 0 || alignment > (int64_t{1} << 30) || (alignment & (alignment - 1)) != 0) {
    Fail(result.name_, ": general.alignment: expected a power of two, found ", alignment);
  }
  const uint64_t step = static_cast<uint64_t>(alignment);
  const uint64_t start = std::min<uint64_t>((reader.at() + step - 1) / step * step, file.size());
  Locate(reader, file.subspan(start), step, entries);
  for (TensorEntry& entry : entries) result.tensors_.push_back(std::move(entry.tensor));
  return result;
}

}  // namespace lem
