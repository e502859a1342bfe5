// SPDX-License-Identifier: EUPL-1.2
// A model as it lies on disk: every layout that is accepted, and what is said about the others.
#include "formats/checkpoint.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>

#include "base/atomic_file.h"
#include "tests/support/error_text.h"
#include "tests/support/scratch_folder.h"

namespace lem {
namespace {

using testing::ErrorText;
using testing::ScratchFolder;

TensorToWrite Tensor(std::string name, Dtype dtype, std::vector<int64_t> shape,
                     std::vector<float> values) {
  std::vector<std::byte> bytes(values.size() * SizeOf(dtype));
  FromFloat(values, dtype, bytes.data());
  return {std::move(name), dtype, std::move(shape), [bytes](const auto& sink) { sink(bytes); }};
}

TensorToWrite Words(std::string name, std::vector<int64_t> shape, std::vector<uint32_t> words) {
  return {std::move(name), Dtype::kU32, std::move(shape),
          [words](const auto& sink) { sink(std::as_bytes(std::span(words))); }};
}

void WriteModel(const ScratchFolder& folder, const std::vector<TensorToWrite>& tensors,
                const char* file = "model.safetensors", const char* config = "{}") {
  folder.Write("config.json", config);
  WriteSafetensors(folder / file, tensors, {});
}

std::string OpenError(const std::filesystem::path& path) {
  return ErrorText([&] { Checkpoint::Open(path); });
}

std::vector<float> Row(const Checkpoint& checkpoint, std::string_view name, int64_t row) {
  const StoredMatrix m = checkpoint.Get(name);
  std::vector<float> out(static_cast<size_t>(m.cols));
  ReadRow(m, row, out);
  return out;
}

TEST(CheckpointFolder, ReadsOneFile) {
  const ScratchFolder folder;
  WriteModel(folder, {Tensor("a.weight", Dtype::kBF16, {2, 3}, {1, 2, 3, 4, 5, 6}),
                      Tensor("n", Dtype::kF32, {2}, {7, 8})});
  folder.Write("generation_config.json", R"({"eos_token_id": 5})");
  const Checkpoint checkpoint = Checkpoint::Open(folder.path());
  EXPECT_EQ(checkpoint.layout(), Checkpoint::Layout::kFolder);
  EXPECT_EQ(checkpoint.path(), folder.path());
  EXPECT_EQ(checkpoint.names(), (std::vector<std::string>{"a.weight", "n"}));
  EXPECT_EQ(Row(checkpoint, "a.weight", 1), (std::vector<float>{4, 5, 6}));
  EXPECT_EQ(Row(checkpoint, "n", 0), (std::vector<float>{7, 8}));
  EXPECT_EQ(checkpoint.Get("n").rows, 1);
  EXPECT_EQ(checkpoint.Get("a.weight").dtype, Dtype::kBF16);
  EXPECT_EQ(checkpoint.weight_bytes(), 20u);
  EXPECT_EQ(checkpoint.generation_config().Find("eos_token_id")->integer(), 5);
  EXPECT_EQ(checkpoint.Find("b"), std::nullopt);
  EXPECT_EQ(ErrorText([&] { checkpoint.Get("a.wieght"); }),
            folder.path().string() +
                ": the model has no tensor a.wieght; the nearest names are a.weight, n");
}

TEST(CheckpointFolder, ReadsShardsByTheirIndex) {
  const ScratchFolder folder;
  folder.Write("config.json", "{}");
  WriteShardedSafetensors(folder.path(),
                          {Tensor("a", Dtype::kF32, {1}, {1}), Tensor("b", Dtype::kF32, {1}, {2})},
                          {}, 2, 4);
  EXPECT_EQ(Row(Checkpoint::Open(folder.path()), "b", 0), std::vector<float>{2});
  const std::string index = (folder / "model.safetensors.index.json").string();
  std::filesystem::remove(folder / "model-00002-of-00002.safetensors");
  EXPECT_EQ(OpenError(folder.path()),
            index +
                ": names model-00002-of-00002.safetensors, which is not in the folder; the "
                "download is incomplete, get the missing files");
  std::filesystem::remove(index);
  EXPECT_EQ(OpenError(folder.path()),
            folder.path().string() +
                ": expected 2 parts model-*-of-*.safetensors, found 1; the "
                "download is incomplete, get the missing ones");
}

TEST(CheckpointFolder, HoldsTheIndexToItsWord) {
  const ScratchFolder folder;
  WriteModel(folder, {Tensor("a", Dtype::kF32, {1}, {1})});
  const std::string index =
      folder.Write("model.safetensors.index.json",
                   R"({"weight_map":{"a":"model.safetensors","b":"model.safetensors"}})");
  EXPECT_EQ(
      OpenError(folder.path()),
      index + ": says that tensor b is in model.safetensors, but it is not; get both files again");
  folder.Write("model.safetensors.index.json", R"({"weight_map":{"a":"../model.safetensors"}})");
  EXPECT_EQ(OpenError(folder.path()),
            index +
                ": tensor a: expected the name of a file in this folder, found "
                "\"../model.safetensors\"");
  folder.Write("model.safetensors.index.json", R"({"weight_map":{"a":5}})");
  EXPECT_EQ(OpenError(folder.path()), index + ": a: expected a string, found an integer (5)");
  folder.Write("model.safetensors.index.json", R"({})");
  EXPECT_EQ(OpenError(folder.path()),
            index + ": expected a key \"weight_map\", found none of that name");
  // Left over from before the shards were joined: the one file is the model, as transformers reads
  // it.
  folder.Write("model.safetensors.index.json",
               R"({"weight_map":{"a":"model-00001-of-00002.safetensors"}})");
  EXPECT_EQ(OpenError(folder.path()), "no error");
}

TEST(CheckpointFolder, ReadsWhatMlxGlobs) {
  const ScratchFolder folder;
  WriteModel(folder, {Tensor("a", Dtype::kF32, {1}, {1})}, "model-first.safetensors");
  WriteModel(folder, {Tensor("b", Dtype::kF32, {1}, {2})}, "model-second.safetensors");
  EXPECT_EQ(Checkpoint::Open(folder.path()).names().size(), 2u);
  WriteModel(folder, {Tensor("b", Dtype::kF32, {1}, {2})}, "model-third.safetensors");
  EXPECT_EQ(OpenError(folder.path()),
            (folder / "model-third.safetensors").string() +
                ": tensor b is also in another file of this model; keep one of them");
}

TEST(CheckpointFolder, SaysWhatItFoundInstead) {
  const ScratchFolder folder;
  const std::string path = folder.path().string();
  EXPECT_EQ(OpenError(folder.path()),
            path +
                ": expected a model folder, but it has no config.json; it contains no files; "
                "name a folder with config.json and model.safetensors, or a .gguf file");
  folder.Write("adapters.safetensors", "");
  EXPECT_EQ(OpenError(folder.path()),
            path +
                ": expected a model folder, but it has no config.json; it contains "
                "adapters.safetensors; this is an "
                "adapter: give it with --adapter-path and its base model with --model");
  folder.Write("x.gguf", "");
  EXPECT_EQ(OpenError(folder.path()), path +
                                          ": expected a model folder, but it has no config.json; "
                                          "it contains adapters.safetensors, x.gguf; name "
                                          "the GGUF file itself, for example " +
                                          path + "/x.gguf");
  const ScratchFolder cache;
  std::filesystem::create_directory(cache / "snapshots");
  EXPECT_EQ(OpenError(cache.path()),
            cache.path().string() +
                ": expected a model folder, but it has no config.json; it contains snapshots; this "
                "is a Hugging "
                "Face cache entry: name the folder inside snapshots/ that holds config.json");
  const ScratchFolder pickled;
  pickled.Write("config.json", "{}");
  pickled.Write("pytorch_model.bin", "");
  EXPECT_EQ(OpenError(pickled.path()),
            pickled.path().string() +
                ": expected weights in model.safetensors or model*.safetensors, found config.json, "
                "pytorch_model.bin; PyTorch's pickle files are not read, save the model as "
                "safetensors");
  EXPECT_EQ(OpenError(folder / "none"),
            path + "/none: no such file or folder; expected a model folder or a .gguf file");
  EXPECT_EQ(OpenError(folder / "adapters.safetensors"),
            path +
                "/adapters.safetensors: expected a model folder or a GGUF file, found a file that "
                "is neither; name the "
                "folder that holds it");
  folder.Write("config.json", "[]");
  EXPECT_EQ(OpenError(folder.path()), path + "/config.json: expected an object, found an array");
}

TEST(CheckpointFolder, ReadsOnlyFloatingTensors) {
  const ScratchFolder folder;
  WriteModel(folder, {Words("ids", {1}, {5}), Tensor("a", Dtype::kF32, {1}, {1})});
  const Checkpoint checkpoint = Checkpoint::Open(folder.path());
  EXPECT_EQ(ErrorText([&] { checkpoint.Get("ids"); }),
            (folder / "model.safetensors").string() +
                ": tensor ids: expected floating numbers (F32, F16, BF16), found U32");
}

// A module of 2 x 64 in MLX's form: codes k % 2^bits, scale 2 and bias 1 in every group.
std::vector<TensorToWrite> Module(const std::string& name, AffineFormat format) {
  std::vector<uint32_t> words(static_cast<size_t>(2 * 64 * format.bits / 32));
  for (int k = 0; k < 128; ++k) {
    for (int b = 0; b < format.bits; ++b) {
      const int at = k * format.bits + b;
      words[at / 32] |= static_cast<uint32_t>((k % 64) >> b & 1) << at % 32;
    }
  }
  const int64_t groups = 64 / format.group_size;
  const std::vector<float> two(2 * groups, 2.0f), one(2 * groups, 1.0f);
  return {Words(name + ".weight", {2, 2 * format.bits}, words),
          Tensor(name + ".scales", Dtype::kBF16, {2, groups}, two),
          Tensor(name + ".biases", Dtype::kBF16, {2, groups}, one)};
}

std::vector<TensorToWrite> Modules(AffineFormat first, AffineFormat second) {
  auto tensors = Module("m.a", first);
  for (auto& tensor : Module("m.b", second)) tensors.push_back(tensor);
  tensors.push_back(Tensor("m.a.bias", Dtype::kBF16, {2}, {0, 0}));
  return tensors;
}

TEST(CheckpointMlx, ReadsModulesAndOverrides) {
  const ScratchFolder folder;
  WriteModel(
      folder, Modules({4, 64}, {6, 32}), "model.safetensors",
      R"({"quantization":{"group_size":64,"bits":4,"mode":"affine","m.b":{"group_size":32,"bits":6},"m.c":false}})");
  const Checkpoint checkpoint = Checkpoint::Open(folder.path());
  EXPECT_EQ(checkpoint.names(), (std::vector<std::string>{"m.a.bias", "m.a.weight", "m.b.weight"}));
  const StoredMatrix a = checkpoint.Get("m.a.weight"), b = checkpoint.Get("m.b.weight");
  EXPECT_EQ(a.kind, StoredMatrix::Kind::kAffine);
  EXPECT_EQ(a.cols, 64);
  EXPECT_EQ(b.cols, 64);
  EXPECT_EQ(b.affine.bits, 6);
  EXPECT_EQ(b.affine.group_size, 32);
  EXPECT_EQ(Row(checkpoint, "m.a.weight", 1)[17], 2 * (17 % 16) + 1);
  EXPECT_EQ(Row(checkpoint, "m.b.weight", 1)[63], 2 * 63 + 1);
  EXPECT_EQ(checkpoint.Find("m.a.scales"), std::nullopt);
}

TEST(CheckpointMlx, NullMeansTheModesDefault) {
  const ScratchFolder folder;
  WriteModel(folder, Modules({4, 64}, {6, 64}), "model.safetensors",
             R"({"quantization":{"group_size":64,"bits":4,"m.b":{"group_size":null,"bits":6}}})");
  EXPECT_EQ(Checkpoint::Open(folder.path()).Get("m.b.weight").affine.group_size, 64);
}

TEST(CheckpointMlx, RefusesWhatDoesNotFit) {
  const ScratchFolder folder;
  const std::string config = (folder / "config.json").string(),
                    file = (folder / "model.safetensors").string();
  const auto get_error = [&](const char* text) {
    WriteModel(folder, Modules({4, 64}, {6, 32}), "model.safetensors", text);
    return ErrorText([&] { Checkpoint::Open(folder.path()).Get("m.b.weight"); });
  };
  EXPECT_EQ(get_error("{}"),
            config + ": m.b has scales, but the file has no \"quantization\" that says its bits");
  EXPECT_EQ(get_error(R"({"quantization":{"group_size":64,"bits":4}})"),
            file +
                ": tensor m.b.weight: words [2, 12] of 4 bits in groups of 64 need scales and "
                "biases [2, 1], found "
                "[2, 2] and [2, 2]; check \"quantization\" in config.json");
  EXPECT_EQ(get_error(R"({"quantization":{"group_size":64,"bits":4,"m.b":false}})"),
            config + ": quantization: m.b is false, but the weights hold scales for it");
  EXPECT_EQ(get_error(R"({"quantization":{"group_size":64,"bits":7}})"),
            config + ": quantization: bits is 7; expected 2, 3, 4, 5, 6 or 8 bits");
  EXPECT_EQ(get_error(R"({"quantization":{"group_size":16,"bits":4}})"),
            config + ": quantization: group_size is 16; expected groups of 32, 64 or 128");
}

TEST(CheckpointMlx, ScalesAndBiasesMustBothFit) {
  for (const size_t wrong : {1, 2}) {
    const ScratchFolder folder;
    auto tensors = Module("m.a", {4, 64});
    tensors[wrong] = Tensor(tensors[wrong].name, Dtype::kBF16, {1, 2}, {1, 1});
    WriteModel(folder, tensors, "model.safetensors",
               R"({"quantization":{"group_size":64,"bits":4}})");
    const std::string error = ErrorText([&] { Checkpoint::Open(folder.path()).Get("m.a.weight"); });
    EXPECT_NE(error.find("need scales and biases [2, 1], found "), std::string::npos) << error;
  }
}

TEST(CheckpointMlx, NamesForeignMethodsAndModes) {
  const ScratchFolder folder;
  const auto open_error = [&](const char* config) {
    WriteModel(folder, {Tensor("a", Dtype::kF32, {1}, {1})}, "model.safetensors", config);
    return OpenError(folder.path());
  };
  const std::string config = (folder / "config.json").string();
  EXPECT_EQ(open_error(R"({"quantization":{"group_size":32,"bits":4,"mode":"mxfp4"}})"),
            config +
                ": quantization: the quantisation mode mxfp4 is not supported; only affine is, "
                "convert the model from "
                "its unquantised weights");
  EXPECT_EQ(open_error(R"({"quantization_config":{"quant_method":"gptq","bits":4}})"),
            config +
                ": the model is quantised by gptq, which is not supported; use its unquantised "
                "weights, an MLX affine "
                "version or a GGUF file");
  EXPECT_EQ(open_error(R"({"quantization_config":{"foo":1}})").substr(config.size(), 30),
            ": quantization_config: expecte");
  EXPECT_EQ(open_error(R"({"quantization_config":{"group_size":64,"bits":4}})"), "no error");
  EXPECT_EQ(open_error(R"({"quantization":null,"quantization_config":null})"), "no error");
}

TEST(CheckpointMlx, ScalesWithoutBiasesAreNotAffine) {
  const ScratchFolder folder;
  auto tensors = Module("m.a", {4, 64});
  tensors.pop_back();
  WriteModel(folder, tensors, "model.safetensors",
             R"({"quantization":{"group_size":64,"bits":4}})");
  EXPECT_EQ(ErrorText([&] { Checkpoint::Open(folder.path()).Get("m.a.weight"); }),
            (folder / "model.safetensors").string() +
                ": tensor m.a.weight: has .scales but no .biases, so it is not quantised in MLX's "
                "affine mode");
}

GgufTensorToWrite GgufFloats(std::string name, std::vector<float> values) {
  const auto size = static_cast<int64_t>(values.size());
  return {std::move(name), {size}, GgmlType::kF32, [values](const auto& sink) {
            sink(std::as_bytes(std::span(values)));
          }};
}

std::vector<std::pair<std::string, GgufValue>> SplitKeys(uint64_t number, uint64_t count,
                                                         int64_t tensors) {
  using Type = GgufValue::Type;
  return {{"split.no", {Type::kU16, {}, number}},
          {"split.count", {Type::kU16, {}, count}},
          {"split.tensors.count", {Type::kI32, {}, tensors}}};
}

TEST(CheckpointGguf, ReadsOneFile) {
  const ScratchFolder folder;
  std::vector<std::byte> q8(2 * 34, std::byte{1});
  WriteGguf(folder / "m.gguf", {{"general.architecture", GgufValue::String("llama")}},
            {GgufFloats("n", {1, 2}),
             {"w", {2, 32}, GgmlType::kQ8_0, [q8](const auto& sink) { sink(q8); }}});
  const Checkpoint checkpoint = Checkpoint::Open(folder / "m.gguf");
  EXPECT_EQ(checkpoint.layout(), Checkpoint::Layout::kGguf);
  EXPECT_EQ(*checkpoint.gguf().FindString("general.architecture"), "llama");
  EXPECT_EQ(Row(checkpoint, "n", 0), (std::vector<float>{1, 2}));
  EXPECT_EQ(checkpoint.Get("n").kind, StoredMatrix::Kind::kPlain);
  const StoredMatrix w = checkpoint.Get("w");
  EXPECT_EQ(w.kind, StoredMatrix::Kind::kGgml);
  EXPECT_EQ(w.rows, 2);
  EXPECT_EQ(w.cols, 32);
  EXPECT_EQ(w.RowBytes(), 34u);
  EXPECT_TRUE(checkpoint.config().IsNull());
}

TEST(CheckpointGguf, ReadsAllPartsOfASplitFile) {
  const ScratchFolder folder;
  const auto first = folder / "m-00001-of-00002.gguf", second = folder / "m-00002-of-00002.gguf";
  WriteGguf(first, SplitKeys(0, 2, 2), {GgufFloats("a", {1})});
  EXPECT_EQ(OpenError(first), second.string() + ": part 2 of 2 is missing; get it too");
  WriteGguf(second, SplitKeys(1, 2, 2), {GgufFloats("b", {2})});
  EXPECT_EQ(Row(Checkpoint::Open(first), "b", 0), std::vector<float>{2});
  EXPECT_EQ(OpenError(second), second.string() +
                                   ": this is part 2 of 2; name the first part, which ends in "
                                   "-00001-of-00002.gguf");
  WriteGguf(second, SplitKeys(0, 2, 2), {GgufFloats("b", {2})});
  EXPECT_EQ(OpenError(first), second.string() + ": expected split.no 1, found 0");
  WriteGguf(second, SplitKeys(1, 2, 2), {GgufFloats("a", {2})});
  EXPECT_EQ(OpenError(first),
            second.string() + ": tensor a is also in another file of this model; keep one of them");
  WriteGguf(second, SplitKeys(1, 2, 2), {});
  EXPECT_EQ(OpenError(first),
            first.string() + ": split.tensors.count promises 2 tensors, the parts hold 1");
  std::filesystem::rename(first, folder / "renamed.gguf");
  EXPECT_EQ(OpenError(folder / "renamed.gguf"),
            (folder / "renamed.gguf").string() +
                ": this is the first of 2 parts, so its name must end in -00001-of-00002.gguf");
}

TEST(Checkpoint, HashesContentsAndNotPlaces) {
  const ScratchFolder one, two;
  for (const ScratchFolder* folder : {&one, &two})
    WriteModel(*folder, {Tensor("a", Dtype::kF32, {1}, {1})});
  const std::string hash = Checkpoint::Open(one.path()).ContentHash();
  EXPECT_EQ(hash.size(), 64u);
  EXPECT_EQ(Checkpoint::Open(two.path()).ContentHash(), hash);
  WriteModel(two, {Tensor("a", Dtype::kF32, {1}, {2})});
  EXPECT_NE(Checkpoint::Open(two.path()).ContentHash(), hash);
  WriteModel(two, {Tensor("a", Dtype::kF32, {1}, {1})}, "model.safetensors", R"({"x":1})");
  EXPECT_NE(Checkpoint::Open(two.path()).ContentHash(), hash);
}

// Real models, where they are installed: every tensor has finite values, and as many as the table
// says.
struct RealModel {
  const char* file;
  int64_t parameters;
};

std::filesystem::path FindModel(const char* file) {
  std::vector<std::filesystem::path> folders;
  if (const char* tests = std::getenv("LEM_TEST_MODELS")) folders.emplace_back(tests);
  if (const char* home = std::getenv("LEM_HOME"))
    folders.push_back(std::filesystem::path(home) / "models");
  if (const char* home = std::getenv("HOME"))
    folders.push_back(std::filesystem::path(home) / ".cache/lem/models");
  for (const auto& folder : folders) {
    if (std::filesystem::exists(folder / file)) return folder / file;
  }
  return {};
}

class RealCheckpoint : public ::testing::TestWithParam<RealModel> {};

TEST_P(RealCheckpoint, HasFiniteValues) {
  const std::filesystem::path path = FindModel(GetParam().file);
  if (path.empty()) GTEST_SKIP() << GetParam().file << " is not installed (set LEM_TEST_MODELS)";
  const Checkpoint checkpoint = Checkpoint::Open(path);
  int64_t parameters = 0, bad = 0;
  std::vector<float> row;
  for (const std::string& name : checkpoint.names()) {
    const StoredMatrix m = checkpoint.Get(name);
    row.resize(static_cast<size_t>(m.cols));
    parameters += m.rows * m.cols;
    for (int64_t r = 0; r < m.rows; ++r) {
      ReadRow(m, r, row);
      for (const float value : row) bad += !std::isfinite(value);
    }
  }
  EXPECT_EQ(bad, 0);
  EXPECT_EQ(parameters, GetParam().parameters);
}

INSTANTIATE_TEST_SUITE_P(Models, RealCheckpoint,
                         ::testing::Values(RealModel{"smollm2-135m-instruct.q4_1.gguf",
                                                     134'515'008},
                                           RealModel{"gemma-3-270m.q4_k_m.gguf", 268'098'176}));

}  // namespace
}  // namespace lem
