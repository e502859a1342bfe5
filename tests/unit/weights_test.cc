// SPDX-License-Identifier: EUPL-1.2
#include "model/weights.h"

#include <gtest/gtest.h>

#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "tests/support/error_text.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tiny_config.h"
#include "tests/support/tiny_models.h"

namespace lem {
namespace {

using namespace testing;

// Numbers that say where they are: tensor t, element i -> t * 1000 + i.
TensorToWrite Counting(const std::string& name, std::vector<int64_t> shape, float base) {
  return {name, Dtype::kF32, shape, [=](const auto& sink) {
            int64_t n = 1;
            for (const int64_t s : shape) n *= s;
            std::vector<float> values;
            for (int64_t i = 0; i < n; ++i) values.push_back(base + static_cast<float>(i));
            sink(std::as_bytes(std::span(values)));
          }};
}

void WriteFolder(const ScratchFolder& folder, const ModelConfig& config,
                 const std::string& prefix) {
  std::vector<TensorToWrite> tensors = {
      Counting(prefix + "embed_tokens.weight", {config.vocab, config.dim}, 0),
      Counting(prefix + "norm.weight", {config.dim}, 0.5f)};
  for (int i = 0; i < config.layers; ++i) {
    const auto at = [&](const std::string& canonical) { return prefix + canonical.substr(6); };
    for (int p = 0; p < kProjections; ++p) {
      const auto projection = static_cast<Projection>(p);
      const TensorShape s = ShapeOf(config, projection);
      tensors.push_back(Counting(at(HfName(projection, i)) + ".weight", {s.out, s.in}, 0));
    }
    for (int n = 0; n < kNormSlots; ++n) {
      const auto slot = static_cast<NormSlot>(n);
      const bool head = slot == NormSlot::kQ || slot == NormSlot::kK;
      tensors.push_back(
          Counting(at(HfNormName(config, slot, i)), {head ? config.head_dim : config.dim}, 0.25f));
    }
  }
  folder.Write("config.json", "{}");
  WriteSafetensors(folder / "model.safetensors", tensors, {});
}

TEST(WeightMap, FindsTheTextModelUnderEachPrefix) {
  const ModelConfig config = TinyConfig("gemma3");
  for (const char* prefix : {"model.", "language_model.model.", "model.language_model."}) {
    const ScratchFolder folder;
    WriteFolder(folder, config, prefix);
    const Checkpoint checkpoint = Checkpoint::Open(folder.path());
    const WeightMap map = WeightMap::Locate(checkpoint, config);
    EXPECT_EQ(map.prefix, prefix);
    EXPECT_FALSE(map.head);
    // Gemma's folders store w; norms arrive as gains 1 + w.
    EXPECT_EQ(ReadVector(map.final_norm)[2], 3.5f);
    EXPECT_EQ(ReadVector(*map.blocks[1].norm[static_cast<int>(NormSlot::kK)])[0], 1.25f);
  }
}

TEST(WeightMap, NamesWhatDoesNotFit) {
  const ScratchFolder folder;
  ModelConfig config = TinyConfig("gemma3");
  WriteFolder(folder, config, "model.");
  const Checkpoint checkpoint = Checkpoint::Open(folder.path());
  config.mlp_dim = 64;
  EXPECT_EQ(ErrorText([&] { WeightMap::Locate(checkpoint, config); }),
            folder.path().string() +
                ": model.layers.0.mlp.gate_proj.weight should be (64, 32) by the "
                "model's configuration, found (48, 32); configuration and weights are of different "
                "models");
  config = TinyConfig("gemma3"), config.qkv_bias = true;
  EXPECT_NE(ErrorText([&] {
              WeightMap::Locate(checkpoint, config);
            }).find("model.layers.0.self_attn.q_proj.bias"),
            std::string::npos);
}

// The rows of Llama's q and k, and of their biases, arrive in Hugging Face's order.
TEST(WeightMap, UndoesLlamasPermutation) {
  const ScratchFolder folder;
  ModelConfig config = TinyConfig("llama");
  config.qkv_bias = true;
  std::vector<GgufTensorToWrite> tensors;
  const auto add = [&](const std::string& name, std::vector<int64_t> shape) {
    tensors.push_back({name, shape, GgmlType::kF32, [shape](const auto& sink) {
                         std::vector<float> values;
                         const int64_t cols = shape.size() == 2 ? shape[1] : 1;
                         for (int64_t r = 0; r < shape[0]; ++r)
                           for (int64_t c = 0; c < cols; ++c)
                             values.push_back(static_cast<float>(r));
                         sink(std::as_bytes(std::span(values)));
                       }});
  };
  add("token_embd.weight", {64, 32}), add("output_norm.weight", {32}),
      add("output.weight", {64, 32});
  for (int i = 0; i < 2; ++i) {
    for (int p = 0; p < kProjections; ++p) {
      const auto projection = static_cast<Projection>(p);
      const TensorShape s = ShapeOf(config, projection);
      add(GgufName(projection, i) + ".weight", {s.out, s.in});
      if (projection <= Projection::kV) add(GgufName(projection, i) + ".bias", {s.out});
    }
    add(GgufNormName(config, NormSlot::kAttentionIn, i), {32});
    add(GgufNormName(config, NormSlot::kMlpIn, i), {32});
  }
  WriteGguf(folder / "m.gguf", {{"general.architecture", GgufValue::String("llama")}}, tensors);
  config.tied = false;
  const Checkpoint checkpoint = Checkpoint::Open(folder / "m.gguf");
  const WeightMap map = WeightMap::Locate(checkpoint, config);
  ASSERT_TRUE(map.head);
  const auto first = [](const StoredMatrix& m, int64_t row) {
    std::vector<float> values(static_cast<size_t>(m.cols));
    ReadRow(m, row, values);
    return values[0];
  };
  // Heads of 8: Hugging Face row half * 4 + i is GGUF row 2 i + half.
  const std::vector<float> order = {0, 2, 4, 6, 1, 3, 5, 7};
  const auto& block = map.blocks[1];
  for (int64_t r = 0; r < 16; ++r) {
    const float expected = static_cast<float>(r / 8 * 8) + order[static_cast<size_t>(r % 8)];
    EXPECT_EQ(first(block.projection[0], r), expected);
    EXPECT_EQ(first(block.projection[1], r), expected);
    EXPECT_EQ(first(block.projection[2], r), static_cast<float>(r));
    EXPECT_EQ(ReadVector(*block.bias[0])[static_cast<size_t>(r)], expected);
    EXPECT_EQ(ReadVector(*block.bias[1])[static_cast<size_t>(r)], expected);
    EXPECT_EQ(ReadVector(*block.bias[2])[static_cast<size_t>(r)], static_cast<float>(r));
  }
}

TEST(Names, AreThoseOfTheirContainers) {
  EXPECT_EQ(HfName(Projection::kDown, 3), "model.layers.3.mlp.down_proj");
  EXPECT_EQ(GgufName(Projection::kO, 3), "blk.3.attn_output");
  EXPECT_EQ(HfNormName(TinyConfig("llama"), NormSlot::kMlpIn, 0),
            "model.layers.0.post_attention_layernorm.weight");
  EXPECT_EQ(HfNormName(TinyConfig("gemma3"), NormSlot::kMlpIn, 0),
            "model.layers.0.pre_feedforward_layernorm.weight");
  EXPECT_EQ(GgufNormName(TinyConfig("gemma3"), NormSlot::kMlpOut, 1), "blk.1.post_ffw_norm.weight");
  for (int p = 0; p < kProjections; ++p) {
    EXPECT_EQ(ProjectionByPath(ProjectionPath(static_cast<Projection>(p))),
              static_cast<Projection>(p));
  }
  EXPECT_FALSE(ProjectionByPath("q_proj"));
}

}  // namespace
}  // namespace lem
