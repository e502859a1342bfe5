// SPDX-License-Identifier: EUPL-1.2
// The reader refuses every broken promise of the format; the writers' files are read back.
#include "formats/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/atomic_file.h"
#include "base/random.h"
#include "formats/json.h"
#include "formats/mapped_file.h"
#include "tests/support/error_text.h"
#include "tests/support/scratch_folder.h"

namespace lem {
namespace {

using testing::ErrorText;
using testing::ScratchFolder;

std::vector<std::byte> File(std::string_view header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::vector<std::byte> file(8 + header.size() + data_bytes);
  std::memcpy(file.data(), &length, 8);
  std::memcpy(file.data() + 8, header.data(), header.size());
  return file;
}

std::string ParseError(std::span<const std::byte> file) {
  return ErrorText([&] { Safetensors::Parse(file, "m"); });
}

constexpr char kTwo[] =
    R"({"__metadata__":{"format":"mlx"},"b":{"dtype":"U8","shape":[3],"data_offsets":[12,15]},)"
    R"("a.weight":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}}  )";

TEST(Safetensors, GivesViewsIntoTheFile) {
  const auto file = File(kTwo, 15);
  const auto parsed = Safetensors::Parse(file, "m");
  EXPECT_EQ(parsed.name(), "m");
  EXPECT_EQ(parsed.tensors().size(), 2u);
  EXPECT_EQ(parsed.metadata().at("format"), "mlx");
  const TensorView& a = parsed.Get("a.weight");
  EXPECT_EQ(a.dtype, Dtype::kBF16);
  EXPECT_EQ(a.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(a.bytes.data(), file.data() + file.size() - 15);
  EXPECT_EQ(a.bytes.size(), 12u);
  EXPECT_EQ(parsed.Find("c"), nullptr);
  EXPECT_EQ(ErrorText([&] { parsed.Get("a.weights"); }),
            "m: no tensor a.weights; the nearest names are a.weight, b");
}

TEST(Safetensors, NamesTheNearestTensors) {
  std::string header;
  for (const char* name : {"a", "b", "layers.1.w", "layers.2.w", "z"}) {
    header += std::string(header.empty() ? "{\"" : ",\"") + name +
              "\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}";
  }
  const auto file = File(header + "}", 0);
  const auto parsed = Safetensors::Parse(file, "m");
  EXPECT_EQ(ErrorText([&] { parsed.Get("layer.2.w"); }),
            "m: no tensor layer.2.w; the nearest names are layers.2.w, layers.1.w, a");
}

TEST(Safetensors, AcceptsScalarsEmptyTensorsAndNullMetadata) {
  const auto file =
      File(R"({"__metadata__":null,"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
           R"("e":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]}})",
           4);
  const auto parsed = Safetensors::Parse(file, "m");
  EXPECT_TRUE(parsed.Get("s").shape.empty());
  EXPECT_TRUE(parsed.Get("e").bytes.empty());
  EXPECT_TRUE(Safetensors::Parse(File("{}", 0), "m").tensors().empty());
}

struct Bad {
  const char* header;
  const char* message;
};

// Each with 8 bytes of data.
constexpr Bad kBad[] = {
    {R"({"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})",
     "m: tensor w: bytes 0 to 16 lie outside the file's 8 bytes of data; the file is damaged or "
     "incomplete, get it "
     "again"},
    {R"({"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})",
     "m: tensor w: shape [3] of F32 needs 12 bytes, but its offsets hold 8"},
    {R"({"w":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}})",
     "m: tensor w: shape [4611686018427387904, 4] of F32 is larger than any file, but its offsets "
     "hold 8"},
    {R"({"w":{"dtype":"F32","shape":[4611686018427387906],"data_offsets":[0,8]}})",
     "m: tensor w: shape [4611686018427387906] of F32 is larger than any file, but its offsets "
     "hold 8"},
    {R"({"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})",
     "m: tensor w: shape: expected a whole number of 0 or more, found -2"},
    {R"({"w":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})",
     "m: tensor w: shape: expected a whole number of 0 or more, found 2.0"},
    {R"({"w":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8]}})",
     "m: tensor w: shape: expected a whole number of 0 or more, found 1.8446744073709552e+19"},
    {R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})",
     "m: tensor w: bytes 8 to 0 lie outside the file's 8 bytes of data; the file is damaged or "
     "incomplete, get it "
     "again"},
    {R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}})",
     "m: tensor w: data_offsets: expected 2 numbers, found 3"},
    {R"({"w":{"dtype":"F4","shape":[16],"data_offsets":[0,8]}})",
     "m: tensor w: its type F4 is not one this program knows"},
    {R"({"w":{"shape":[2],"data_offsets":[0,8]}})",
     "m: tensor w: expected a key \"dtype\", found none of that name"},
    {R"({"w":5})", "m: tensor w: expected an object, found an integer (5)"},
    {R"({"v":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"w":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
     "m: tensor w begins at byte 4 of the data, but the one before it ends at 3 (hole)"},
    {R"({"v":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},"w":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
     "m: tensor w begins at byte 4 of the data, but the one before it ends at 5 (overlap)"},
    {R"({"w":{"dtype":"U8","shape":[7],"data_offsets":[0,7]}})",
     "m: the header describes 7 bytes of data, but the file has 8"},
    {R"({"w":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"w":{"dtype":"U8","shape":[0],"data_offsets":[8,8]}})",
     "m: header:1:56: the key \"w\" appears twice in one object; expected each key once"},
    {R"({"__metadata__":{"a":1},"w":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})",
     "m: __metadata__: expected a string, found an integer (1)"},
    {R"([])", "m: expected the header to begin with {; this is no safetensors file"},
    {R"({"w)",
     "m: header:1:4: not valid JSON: syntax error while parsing object key - invalid string: "
     "missing closing "
     "quote; last read: '\"w'; expected string literal"},
};

TEST(Safetensors, ExplainsEveryBadFile) {
  for (const Bad& bad : kBad) EXPECT_EQ(ParseError(File(bad.header, 8)), bad.message) << bad.header;
}

TEST(Safetensors, ExplainsABadLength) {
  EXPECT_EQ(
      ParseError({}),
      "m: expected a safetensors file, found only 0 bytes; the file is damaged or incomplete, "
      "get it again");
  auto file = File("{}", 0);
  const auto with_length = [&](uint64_t length) {
    std::memcpy(file.data(), &length, 8);
    return ParseError(file);
  };
  EXPECT_EQ(
      with_length(3),
      "m: the header claims 3 bytes, but only 2 follow; the file is damaged or incomplete, get "
      "it again");
  EXPECT_EQ(with_length(UINT64_MAX),
            "m: the header claims 18446744073709551615 bytes, more than the 100000000 that "
            "the format allows; is this a safetensors file?");
  EXPECT_EQ(with_length(0), "m: expected the header to begin with {; this is no safetensors file");
}

TEST(Safetensors, RefusesEveryTruncationAndExtension) {
  auto file = File(kTwo, 15);
  for (size_t n = 0; n < file.size(); ++n)
    EXPECT_NE(ParseError(std::span(file).first(n)), "no error") << n;
  file.push_back({});
  EXPECT_EQ(ParseError(file), "m: the header describes 15 bytes of data, but the file has 16");
}

TEST(Safetensors, NoFlippedByteIsDangerous) {
  const auto file = File(kTwo, 15);
  for (size_t n = 0; n < file.size() - 15; ++n) {
    for (const int flip : {1, 0x80, 0xff}) {
      auto broken = file;
      broken[n] ^= static_cast<std::byte>(flip);
      ParseError(broken);  // an Error or not; the sanitizers watch
    }
  }
}

TensorToWrite Bytes(std::string name, std::vector<int64_t> shape, std::string text) {
  return {std::move(name), Dtype::kU8, std::move(shape), [text](const auto& sink) {
            for (const char c : text)
              sink(std::as_bytes(std::span(&c, 1)));  // in pieces, as a stream
          }};
}

std::string Text(const TensorView& view) {
  return {reinterpret_cast<const char*>(view.bytes.data()), view.bytes.size()};
}

TEST(WriteSafetensors, IsReadBack) {
  const ScratchFolder folder;
  WriteSafetensors(folder / "x.safetensors",
                   {Bytes("b", {2, 2}, "wxyz"), Bytes("a", {0}, ""), Bytes("c", {}, "!")},
                   {{"format", "mlx"}});
  const MappedFile file(folder / "x.safetensors");
  const auto parsed = Safetensors::Parse(file.bytes(), "x");
  EXPECT_EQ(Text(parsed.Get("b")), "wxyz");
  EXPECT_EQ(Text(parsed.Get("c")), "!");
  EXPECT_TRUE(parsed.Get("a").bytes.empty());
  EXPECT_EQ(parsed.metadata().size(), 1u);
  EXPECT_EQ((parsed.Get("b").bytes.data() - file.bytes().data()) % 8, 0);
  EXPECT_LT(parsed.Get("b").bytes.data(), parsed.Get("c").bytes.data());
}

TEST(WriteSafetensors, WithoutMetadataHasNoMetadata) {
  const ScratchFolder folder;
  WriteSafetensors(folder / "x", {Bytes("a", {1}, "x")}, {});
  EXPECT_EQ(ReadTextFile(folder / "x").find("__metadata__"), std::string::npos);
}

TEST(WriteSafetensors, RefusesNamesThatClash) {
  const ScratchFolder folder;
  EXPECT_EQ(ErrorText([&] {
              WriteSafetensors(folder / "x", {Bytes("a", {0}, ""), Bytes("a", {0}, "")}, {});
            }),
            (folder / "x").string() + ": cannot write the tensor name a twice or as a tensor");
  EXPECT_FALSE(std::filesystem::exists(folder / "x"));
}

TEST(WriteSharded, OneFileStillHasAnIndex) {
  const ScratchFolder folder;
  WriteShardedSafetensors(folder.path(), {Bytes("b", {2}, "xy"), Bytes("a", {1}, "z")},
                          {{"format", "mlx"}}, 3);
  EXPECT_EQ(ReadTextFile(folder / "model.safetensors.index.json"),
            "{\n    \"metadata\": {\n        \"total_size\": 3,\n        \"total_parameters\": 3\n "
            "   },\n"
            "    \"weight_map\": {\n        \"a\": \"model.safetensors\",\n        \"b\": "
            "\"model.safetensors\"\n    }\n}");
  const MappedFile file(folder / "model.safetensors");
  EXPECT_EQ(Text(Safetensors::Parse(file.bytes(), "x").Get("b")), "xy");
}

TEST(WriteSharded, SplitsWhenTheNextTensorWouldExceed) {
  const ScratchFolder folder;
  WriteShardedSafetensors(folder.path(),
                          {Bytes("a", {2}, "aa"), Bytes("b", {2}, "bb"), Bytes("c", {1}, "c"),
                           Bytes("d", {9}, "ddddddddd")},
                          {}, 14, 4);
  const Json index = Json::ParseFile((folder / "model.safetensors.index.json").string());
  const Json& map = *index.Find("weight_map");
  EXPECT_EQ(map.Find("a")->string(), "model-00001-of-00003.safetensors");
  EXPECT_EQ(map.Find("b")->string(), "model-00001-of-00003.safetensors");
  EXPECT_EQ(map.Find("c")->string(), "model-00002-of-00003.safetensors");
  EXPECT_EQ(map.Find("d")->string(), "model-00003-of-00003.safetensors");
  EXPECT_EQ(index.Find("metadata")->Find("total_size")->integer(), 14);
}

TEST(WriteSharded, RefusesAFolderWithAnotherModelsFiles) {
  const ScratchFolder folder;
  folder.Write("model-00002-of-00002.safetensors", "");
  EXPECT_EQ(
      ErrorText([&] { WriteShardedSafetensors(folder.path(), {Bytes("a", {1}, "x")}, {}, 1); }),
      folder.path().string() +
          ": already holds model-00002-of-00002.safetensors, which would be loaded as a part "
          "of the new model; remove it or choose another folder");
  EXPECT_FALSE(std::filesystem::exists(folder / "model.safetensors"));
}

}  // namespace
}  // namespace lem
