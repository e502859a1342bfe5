// SPDX-License-Identifier: EUPL-1.2
// The reader refuses every lie about the file; what the writer writes is read back unchanged.
#include "formats/gguf.h"

#include <gtest/gtest.h>

#include <cstring>

#include "formats/mapped_file.h"
#include "tests/support/error_text.h"
#include "tests/support/scratch_folder.h"

namespace lem {
namespace {

using testing::ErrorText;
using testing::ScratchFolder;

// A file byte by byte, so that each lie can be told on its own.
struct Builder {
  std::string bytes = "GGUF";

  template <class T>
  Builder& Put(T value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Builder& Text(std::string_view text) {
    Put<uint64_t>(text.size());
    bytes += text;
    return *this;
  }
  Builder& Head(uint64_t tensors, uint64_t values, uint32_t version = 3) {
    return Put(version).Put(tensors).Put(values);
  }
  Builder& Tensor(std::string_view name, std::vector<uint64_t> dims, uint32_t type,
                  uint64_t offset) {
    Text(name).Put<uint32_t>(dims.size());
    for (const uint64_t dim : dims) Put(dim);
    return Put(type).Put(offset);
  }
  Builder& Data(size_t size) {
    bytes.resize((bytes.size() + 31) / 32 * 32 + size);
    return *this;
  }
};

std::span<const std::byte> BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string ParseError(const std::string& bytes) {
  return ErrorText([&] { Gguf::Parse(BytesOf(bytes), "m"); });
}
std::string ParseError(const Builder& file) { return ParseError(file.bytes); }

Builder SmallFile(uint32_t version = 3) {
  Builder file;
  file.Head(2, 3, version);
  file.Text("general.architecture").Put<uint32_t>(8).Text("llama");
  file.Text("a.u8").Put<uint32_t>(0).Put<uint8_t>(200);
  file.Text("a.list")
      .Put<uint32_t>(9)
      .Put<uint32_t>(5)
      .Put<uint64_t>(2)
      .Put<int32_t>(-1)
      .Put<int32_t>(7);
  file.Tensor("w", {32, 2}, 8, 0).Tensor("v", {3}, 0, 96);
  return file.Data(96 + 12);
}

TEST(Gguf, ReadsVersions2And3) {
  for (const uint32_t version : {2, 3}) {
    const Builder file = SmallFile(version);
    const Gguf gguf = Gguf::Parse(BytesOf(file.bytes), "m");
    EXPECT_EQ(*gguf.FindString("general.architecture"), "llama");
    EXPECT_EQ(gguf.Integers("a.list"), (std::vector<int64_t>{-1, 7}));
    ASSERT_EQ(gguf.tensors().size(), 2u);
    const GgufTensor& w = *gguf.FindTensor("w");
    EXPECT_EQ(w.shape, (std::vector<int64_t>{2, 32}));  // outermost first
    EXPECT_EQ(w.type, GgmlType::kQ8_0);
    EXPECT_TRUE(w.readable);
    EXPECT_EQ(w.bytes.size(), 68u);
    EXPECT_EQ(gguf.FindTensor("v")->bytes.data() - w.bytes.data(), 96);
    EXPECT_EQ(gguf.FindTensor("x"), nullptr);
  }
}

TEST(Gguf, TypedReadsSayWhatTheyFound) {
  const Builder file = SmallFile();
  const Gguf gguf = Gguf::Parse(BytesOf(file.bytes), "m");
  int64_t integer = 0;
  double number = 0;
  bool flag = false;
  EXPECT_TRUE(gguf.FindInteger("a.u8", &integer));
  EXPECT_EQ(integer, 200);
  EXPECT_TRUE(gguf.FindNumber("a.u8", &number));
  EXPECT_EQ(number, 200);
  EXPECT_FALSE(gguf.FindInteger("none", &integer));
  EXPECT_EQ(gguf.Integers("a.u8"), std::vector<int64_t>{200});
  EXPECT_EQ(gguf.Numbers("a.list"), (std::vector<double>{-1, 7}));
  EXPECT_TRUE(gguf.Integers("none").empty());
  EXPECT_EQ(gguf.FindStrings("none"), nullptr);
  EXPECT_EQ(ErrorText([&] { gguf.FindString("a.u8"); }),
            "m: a.u8: expected a string, found an integer");
  EXPECT_EQ(ErrorText([&] { gguf.FindInteger("general.architecture", &integer); }),
            "m: general.architecture: expected an integer of 63 bits, found a string");
  EXPECT_EQ(ErrorText([&] { gguf.FindBool("a.list", &flag); }),
            "m: a.list: expected a boolean, found an array");
  EXPECT_EQ(ErrorText([&] { gguf.FindStrings("a.list"); }),
            "m: a.list: expected an array of strings, found an array");
  EXPECT_EQ(ErrorText([&] { gguf.FindNumber("a.list", &number); }),
            "m: a.list: expected a number, found an array");
}

TEST(Gguf, RefusesOtherFilesVersionsAndByteOrders) {
  EXPECT_EQ(ParseError(""), "m: expected a GGUF file, but it does not begin with the letters GGUF");
  EXPECT_EQ(ParseError("GGML" + std::string(100, '\0')),
            "m: expected a GGUF file, but it does not begin with the letters GGUF");
  EXPECT_EQ(ParseError(Builder().Head(0, 0, 1)),
            "m: expected GGUF version 2 or 3, found 1; convert the model again "
            "with a current converter");
  EXPECT_EQ(ParseError(Builder().Head(0, 0, 0x03000000)),
            "m: this GGUF file is big-endian; expected a little-endian one, convert it");
  EXPECT_EQ(ParseError(Builder().Head(0, 0)), "no error");
}

TEST(Gguf, RefusesCountsThatTheFileCannotHold) {
  EXPECT_EQ(ParseError(Builder().Head(UINT64_MAX, 0)),
            "m: the file claims 18446744073709551615 tensors, more than its remaining 8 bytes can "
            "hold; it is damaged "
            "or incomplete, get it again");
  EXPECT_EQ(ParseError(Builder().Head(0, uint64_t{1} << 60).Data(64)).substr(0, 47),
            "m: the file claims 1152921504606846976 metadata");
  Builder array;
  array.Head(0, 1)
      .Text("k")
      .Put<uint32_t>(9)
      .Put<uint32_t>(10)
      .Put<uint64_t>(uint64_t{1} << 61)
      .Data(64);
  EXPECT_EQ(ParseError(array).substr(0, 54),
            "m: the file claims 2305843009213693952 elements of k, ");
  Builder strings;
  strings.Head(0, 1).Text("k").Put<uint32_t>(9).Put<uint32_t>(8).Put<uint64_t>(1000).Data(64);
  EXPECT_EQ(ParseError(strings).substr(0, 38), "m: the file claims 1000 strings of k, ");
  Builder text;
  text.Head(0, 1).Text("k").Put<uint32_t>(8).Put<uint64_t>(UINT64_MAX).Data(64);
  EXPECT_EQ(ParseError(text).substr(0, 62),
            "m: the file ends inside k (18446744073709551615 bytes wanted a");
}

TEST(Gguf, RefusesTextThatIsOneByteTooLong) {
  Builder file;
  file.Head(0, 1).Text("k").Put<uint32_t>(8).Put<uint64_t>(5);
  file.bytes += "1234";
  EXPECT_EQ(ParseError(file),
            "m: the file ends inside k (5 bytes wanted at byte 45, 4 left); it is damaged or "
            "incomplete, get it again");
  file.bytes += "5";
  EXPECT_EQ(ParseError(file), "no error");
}

TEST(Gguf, RefusesBadValues) {
  EXPECT_EQ(ParseError(Builder().Head(0, 1).Text("k").Put<uint32_t>(13).Data(32)),
            "m: key k: expected a value type of 0 to 12, found 13");
  EXPECT_EQ(ParseError(Builder().Head(0, 1).Text("k").Put<uint32_t>(7).Put<uint8_t>(2).Data(32)),
            "m: key k: expected a boolean of 0 or 1, found 2");
  EXPECT_EQ(
      ParseError(
          Builder().Head(0, 1).Text("k").Put<uint32_t>(9).Put<uint32_t>(9).Put<uint64_t>(1).Data(
              32)),
      "m: key k: arrays of arrays are not supported");
  Builder twice;
  twice.Head(0, 2);
  for (int i = 0; i < 2; ++i) twice.Text("k").Put<uint32_t>(4).Put<uint32_t>(5);
  EXPECT_EQ(ParseError(twice), "m: the metadata key k appears twice");
  for (const uint32_t alignment : {0u, 3u, 0x80000000u}) {
    EXPECT_EQ(
        ParseError(Builder().Head(0, 1).Text("general.alignment").Put<uint32_t>(4).Put(alignment)),
        "m: general.alignment: expected a power of two, found " + std::to_string(alignment));
  }
}

std::string TensorError(std::vector<uint64_t> dims, uint32_t type, uint64_t offset,
                        size_t data = 256) {
  return ParseError(Builder().Head(1, 0).Tensor("w", std::move(dims), type, offset).Data(data));
}

TEST(Gguf, RefusesTensorsThatLie) {
  EXPECT_EQ(TensorError({64}, 0, 0), "no error");
  EXPECT_EQ(TensorError({64}, 0, 0, 255),
            "m: tensor w: its 256 bytes at 0 lie outside the file's 255 bytes of data; "
            "the file is damaged or incomplete, get it again");
  EXPECT_EQ(TensorError({1}, 0, 16),
            "m: tensor w: its offset 16 is not a multiple of the file's alignment 32");
  EXPECT_EQ(TensorError({1}, 0, UINT64_MAX - 31).substr(0, 31), "m: tensor w: its 4 bytes at 184");
  EXPECT_EQ(TensorError({1, 1, 1, 1, 1}, 0, 0),
            "m: tensor w: expected at most 4 dimensions, found 5");
  EXPECT_EQ(TensorError({33}, 8, 0),
            "m: tensor w: rows of 33 elements are not a multiple of the 32 in a block of Q8_0");
  EXPECT_EQ(TensorError({16, 4}, 8, 0),
            "m: tensor w: rows of 16 elements are not a multiple of the 32 in a block of Q8_0");
  EXPECT_EQ(TensorError({UINT64_MAX}, 0, 0),
            "m: tensor w: a dimension of 18446744073709551615 is larger than any file");
  EXPECT_EQ(TensorError({uint64_t{1} << 40, uint64_t{1} << 40}, 0, 0),
            "m: tensor w: shape [1099511627776, 1099511627776] is larger than any file");
  EXPECT_EQ(TensorError({uint64_t{1} << 62}, 0, 0),
            "m: tensor w: shape [4611686018427387904] is larger than any file");
  EXPECT_EQ(TensorError({32}, 4, 0),
            "m: tensor w has ggml type 4, which this program does not know; quantise the model "
            "to another type");
}

TEST(Gguf, ListsTypesItCannotRead) {
  Builder file;
  file.Head(1, 0).Tensor("w", {256}, 16, 0).Data(66);
  const Gguf gguf = Gguf::Parse(BytesOf(file.bytes), "m");
  EXPECT_FALSE(gguf.tensors()[0].readable);
  EXPECT_EQ(gguf.tensors()[0].bytes.size(), 66u);
}

TEST(Gguf, RefusesOverlapsAndDuplicates) {
  EXPECT_EQ(
      ParseError(Builder().Head(2, 0).Tensor("w", {9}, 0, 0).Tensor("v", {1}, 0, 32).Data(64)),
      "m: tensors w and v overlap in the file");
  EXPECT_EQ(
      ParseError(Builder().Head(2, 0).Tensor("w", {1}, 0, 0).Tensor("w", {1}, 0, 32).Data(64)),
      "m: the tensor w appears twice");
  // An empty tensor takes no room, and a gap is allowed.
  EXPECT_EQ(ParseError(Builder()
                           .Head(3, 0)
                           .Tensor("w", {8}, 0, 0)
                           .Tensor("e", {0}, 0, 0)
                           .Tensor("v", {1}, 0, 64)
                           .Data(68)),
            "no error");
}

TEST(Gguf, RefusesEveryTruncation) {
  const std::string bytes = SmallFile().bytes;
  for (size_t n = 0; n < bytes.size(); ++n)
    EXPECT_NE(ParseError(bytes.substr(0, n)), "no error") << n;
}

TEST(Gguf, NoFlippedByteIsDangerous) {
  const std::string bytes = SmallFile().bytes;
  for (size_t n = 0; n < bytes.size() - 108; ++n) {
    for (const int flip : {1, 0x80, 0xff}) {
      std::string broken = bytes;
      broken[n] = static_cast<char>(broken[n] ^ flip);
      ParseError(broken);  // an Error or not; the sanitizers watch
    }
  }
}

GgufTensorToWrite Tensor(std::string name, std::vector<int64_t> shape, GgmlType type,
                         std::string bytes) {
  return {std::move(name), std::move(shape), type, [bytes](const auto& sink) {
            for (const char c : bytes) sink(std::as_bytes(std::span(&c, 1)));
          }};
}

TEST(WriteGguf, IsReadBack) {
  using Type = GgufValue::Type;
  const ScratchFolder folder;
  const std::vector<std::pair<std::string, GgufValue>> values = {
      {"s", GgufValue::String("text")},
      {"u", GgufValue::U32(7)},
      {"f", GgufValue::F32(0.1f)},
      {"b", GgufValue::Bool(true)},
      {"ss", GgufValue::Strings({"a", "", "c"})},
      {"fs", GgufValue::F32Array({1.5f, -2})},
      {"is", GgufValue::I32Array({-1, 2})},
      {"u16", {Type::kU16, {}, uint64_t{65535}}},
      {"i8", {Type::kI8, {}, int64_t{-128}}},
      {"u64", {Type::kU64, {}, UINT64_MAX}},
      {"f64", {Type::kF64, {}, 0.1}},
      {"bs", {Type::kArray, Type::kBool, std::vector<bool>{true, false}}},
      {"u8s", {Type::kArray, Type::kU8, std::vector<uint64_t>{1, 255}}},
  };
  const std::string block(34, 'q');
  WriteGguf(folder / "m.gguf", values,
            {Tensor("w", {2, 32}, GgmlType::kQ8_0, block + block),
             Tensor("v", {1}, GgmlType::kF32, "1234")});
  const MappedFile file(folder / "m.gguf");
  EXPECT_EQ(file.bytes().size() % 32, 0u);
  const Gguf gguf = Gguf::Parse(file.bytes(), "m");
  ASSERT_EQ(gguf.values().size(), values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(gguf.values()[i].first, values[i].first);
    EXPECT_EQ(gguf.values()[i].second.type, values[i].second.type) << values[i].first;
    EXPECT_TRUE(gguf.values()[i].second.value == values[i].second.value) << values[i].first;
  }
  EXPECT_EQ(gguf.FindTensor("w")->shape, (std::vector<int64_t>{2, 32}));
  EXPECT_EQ(std::memcmp(gguf.FindTensor("w")->bytes.data(), (block + block).data(), 68), 0);
  EXPECT_EQ(std::memcmp(gguf.FindTensor("v")->bytes.data(), "1234", 4), 0);
}

TEST(WriteGguf, HonoursTheAlignment) {
  const ScratchFolder folder;
  WriteGguf(folder / "m.gguf", {{"general.alignment", GgufValue::U32(256)}},
            {Tensor("w", {1}, GgmlType::kF32, "1234"), Tensor("v", {1}, GgmlType::kF32, "5678")});
  const MappedFile file(folder / "m.gguf");
  const Gguf gguf = Gguf::Parse(file.bytes(), "m");
  EXPECT_EQ(gguf.FindTensor("v")->bytes.data() - gguf.FindTensor("w")->bytes.data(), 256);
}

TEST(WriteGguf, RefusesWhatReadersWouldRefuse) {
  const ScratchFolder folder;
  const auto path = folder / "m.gguf";
  EXPECT_EQ(ErrorText([&] { WriteGguf(path, {}, {Tensor("w", {33}, GgmlType::kQ8_0, "")}); }),
            "tensor w: rows of 33 elements cannot be written as Q8_0, whose blocks hold 32; choose "
            "f16 or bf16 for it");
  EXPECT_EQ(ErrorText([&] {
              WriteGguf(
                  path, {},
                  {Tensor("w", {0}, GgmlType::kF32, ""), Tensor("w", {0}, GgmlType::kF32, "")});
            }),
            path.string() + ": two tensors are named w");
  EXPECT_NE(ErrorText([&] {
              WriteGguf(path, {}, {Tensor(std::string(64, 'n'), {0}, GgmlType::kF32, "")});
            }),
            "no error");
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace lem
