// SPDX-License-Identifier: EUPL-1.2
// Models from one container to another: the numbers stay, whatever the names and the order of rows.
#include "pipelines/model_files.h"

#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "pipelines/convert/convert.h"
#include "tests/support/error_text.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tiny_model.h"

namespace lem {
namespace {
namespace fs = std::filesystem;

struct Quiet : Progress {
  void Begin(std::string_view, int64_t, std::string_view) override {}
  void Update(int64_t) override {}
  void End() override {}
  void Note(std::string_view) override {}
  void Warn(std::string_view line) override { warnings.emplace_back(line); }
  std::vector<std::string> warnings;
};

// All numbers of a model under canonical names, as the model layer sees them (norms are gains).
std::map<std::string, std::vector<float>> Numbers(const fs::path& path) {
  const Checkpoint checkpoint = Checkpoint::Open(path);
  const ModelConfig config = ReadModelConfig(checkpoint);
  const WeightMap weights = WeightMap::Locate(checkpoint, config);
  std::map<std::string, std::vector<float>> numbers;
  for (const ModelTensor& tensor : ListTensors(config, weights)) {
    numbers[tensor.hf_name] = ReadVector(tensor.source);
  }
  return numbers;
}

void ExpectEqualConfigs(const fs::path& a, const fs::path& b) {
  const Checkpoint left = Checkpoint::Open(a), right = Checkpoint::Open(b);
  const ModelConfig x = ReadModelConfig(left), y = ReadModelConfig(right);
  EXPECT_EQ(x.layers, y.layers);
  EXPECT_EQ(x.dim, y.dim);
  EXPECT_EQ(x.mlp_dim, y.mlp_dim);
  EXPECT_EQ(x.head_dim, y.head_dim);
  EXPECT_EQ(x.kv_heads, y.kv_heads);
  EXPECT_EQ(x.vocab, y.vocab);
  EXPECT_EQ(x.tied, y.tied);
  EXPECT_EQ(x.eps, y.eps);
  EXPECT_EQ(x.attention_scale, y.attention_scale);
  EXPECT_EQ(x.attention_softcap, y.attention_softcap);
  EXPECT_EQ(x.final_softcap, y.final_softcap);
  ASSERT_EQ(x.layer.size(), y.layer.size());
  for (size_t i = 0; i < x.layer.size(); ++i) {
    EXPECT_EQ(x.layer[i].window, y.layer[i].window) << i;
    EXPECT_EQ(x.layer[i].rope_theta, y.layer[i].rope_theta) << i;
    EXPECT_EQ(x.layer[i].rope_position_divisor, y.layer[i].rope_position_divisor) << i;
    EXPECT_EQ(x.layer[i].rope_divisors, y.layer[i].rope_divisors) << i;
  }
}

class Conversion : public ::testing::TestWithParam<const char*> {
 protected:
  Conversion() { testing::MakeTinyModel(GetParam(), folder_ / "model"); }
  std::string Path(const char* name) const { return (folder_ / name).string(); }
  ConvertResult Run(ConvertOptions options, const char* from, const char* to) {
    options.model = Path(from);
    (std::string_view(to).ends_with(".gguf") ? options.gguf : options.mlx_path) = Path(to);
    Quiet quiet;
    return Convert(options, quiet);
  }

  testing::ScratchFolder folder_;
};

TEST_P(Conversion, AFolderKeepsEveryNumber) {
  Run({}, "model", "copy");
  EXPECT_EQ(Numbers(folder_ / "copy"), Numbers(folder_ / "model"));
  ExpectEqualConfigs(folder_ / "copy", folder_ / "model");
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "config.json",
                           "model.safetensors", "model.safetensors.index.json"}) {
    EXPECT_TRUE(fs::exists(folder_ / "copy" / name)) << name;
  }
}

// The fixtures of Gemma have an attention scale that GGUF cannot name; with the one that it implies
// they are like the published models. fuse_test exports them as they are.
void UseImpliedScale(const fs::path& model) {
  Json config = Json::ParseFile((model / "config.json").string());
  if (!config.Has("query_pre_attn_scalar")) return;
  config.Set("query_pre_attn_scalar", *config.Find("head_dim"));
  WriteFileAtomically(model / "config.json", config.Dump());
}

TEST_P(Conversion, ThroughGgufAndBackKeepsEveryNumber) {
  UseImpliedScale(folder_ / "model");
  ConvertOptions f32;
  f32.gguf_type = "f32";
  Run(f32, "model", "m.gguf");
  EXPECT_EQ(Numbers(folder_ / "m.gguf"), Numbers(folder_ / "model"));
  ExpectEqualConfigs(folder_ / "m.gguf", folder_ / "model");
  ConvertOptions back;
  back.dtype = "bfloat16";
  Run(back, "m.gguf", "back");
  EXPECT_EQ(Numbers(folder_ / "back"), Numbers(folder_ / "model"));
  ExpectEqualConfigs(folder_ / "back", folder_ / "model");
  const Tokenizer before = Tokenizer::Load(folder_ / "model");
  const Tokenizer after = Tokenizer::Load(folder_ / "back");
  const std::string text = "<|im_start|>user\nwhy not, my dog?<|im_end|>";
  EXPECT_EQ(after.Encode(text, true), before.Encode(text, true));
  EXPECT_EQ(after.chat_template(), before.chat_template());
}

// Rows of the tiny models are multiples of 16 or 32 only; Q8_0 takes those of 32.
TEST_P(Conversion, QuantisedGgufIsClose) {
  ConvertOptions q8;
  q8.gguf_type = "q8_0";
  UseImpliedScale(folder_ / "model");
  Run(q8, "model", "q8.gguf");
  const auto wanted = Numbers(folder_ / "model"), found = Numbers(folder_ / "q8.gguf");
  for (const auto& [name, values] : wanted) {
    float largest = 0;
    for (const float v : values) largest = std::max(largest, std::abs(v));
    // Half a step of the scale, its float16 rounding, or float16 itself.
    const float allowed = name.find("norm") != std::string::npos ? 0 : largest / 200;
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_NEAR(found.at(name)[i], values[i], allowed) << name << " " << i;
    }
  }
  // Its blocks are copied when the type stays.
  Run(q8, "q8.gguf", "again.gguf");
  EXPECT_EQ(Numbers(folder_ / "again.gguf"), found);
}

TEST_P(Conversion, MlxQuantisationIsReadBackAndKept) {
  ConvertOptions q;
  q.quantize = true, q.q_bits = 8, q.q_group_size = 32;
  const ConvertResult result = Run(q, "model", "q8");
  EXPECT_LT(result.bits_per_weight, 16);
  const Checkpoint checkpoint = Checkpoint::Open(folder_ / "q8");
  const Json& quantization = checkpoint.config().At("quantization", "config.json");
  EXPECT_EQ(quantization.Find("bits")->integer(), 8);
  EXPECT_EQ(quantization.Find("group_size")->integer(), 32);
  EXPECT_EQ(checkpoint.config().Find("quantization_config")->Dump(), quantization.Dump());
  const auto wanted = Numbers(folder_ / "model"), found = Numbers(folder_ / "q8");
  for (const auto& [name, values] : wanted) {
    float largest = 0;
    for (const float v : values) largest = std::max(largest, std::abs(v));
    // Half a step of a range of at most 2 largest / 255. Scale, product, offset and sum are rounded
    // to bfloat16, half-ulp 1 / 512: the first two on a number of up to 2 largest, then of largest.
    const double allowed = largest * (1.0 / 255 + (2 + 2 + 1 + 1) / 512.0);
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_NEAR(found.at(name)[i], values[i], allowed) << name << i;
    }
  }
  Run({}, "q8", "kept");  // what is quantised stays as it is
  EXPECT_EQ(Numbers(folder_ / "kept"), found);
  ConvertOptions d;
  d.dequantize = true, d.dtype = "float32";
  Run(d, "q8", "plain");
  EXPECT_EQ(Numbers(folder_ / "plain"), found);
  EXPECT_FALSE(Checkpoint::Open(folder_ / "plain").config().Has("quantization"));
}

INSTANTIATE_TEST_SUITE_P(Families, Conversion,
                         ::testing::Values("tiny_gemma2", "tiny_gemma3", "tiny_llama",
                                           "tiny_mistral", "tiny_qwen2", "tiny_qwen3"));

TEST(Convert, MixedRecipesGiveSensitiveModulesMoreBits) {
  const testing::ScratchFolder folder;
  testing::MakeTinyModel("tiny_llama", folder / "model");
  ConvertOptions options;
  options.model = (folder / "model").string(), options.mlx_path = (folder / "out").string();
  options.quantize = true, options.q_group_size = 32, options.quant_predicate = "mixed_3_6";
  Quiet quiet;
  Convert(options, quiet);
  const Checkpoint out = Checkpoint::Open(folder / "out");
  const ModelConfig config = ReadModelConfig(out);
  const WeightMap weights = WeightMap::Locate(out, config);
  // Of four layers: i < 0, i >= 3, or i % 3 == 2.
  for (int layer = 0; layer < 4; ++layer) {
    const auto& block = weights.blocks[static_cast<size_t>(layer)];
    const int v = block.projection[static_cast<int>(Projection::kV)].affine.bits;
    EXPECT_EQ(v, layer >= 2 ? 6 : 3) << layer;
    EXPECT_EQ(block.projection[static_cast<int>(Projection::kQ)].affine.bits, 3);
  }
  EXPECT_EQ(weights.head->affine.bits, 6);
  EXPECT_EQ(weights.embedding.affine.bits, 3);
}

TEST(Convert, RefusesWhatItMust) {
  const testing::ScratchFolder folder;
  testing::MakeTinyModel("tiny_llama", folder / "model");
  fs::create_directories(folder / "taken");
  Quiet quiet;
  const auto refusal = [&](auto change) {
    ConvertOptions options;
    options.model = (folder / "model").string();
    options.mlx_path = (folder / "out").string();
    change(options);
    return testing::ErrorText([&] { Convert(options, quiet); });
  };
  EXPECT_NE(
      refusal([&](auto& o) { o.mlx_path = (folder / "taken").string(); }).find("found a folder"),
      std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.quantize = o.dequantize = true; }).find("found both"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.quantize = true, o.q_bits = 7; }).find("found 7"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.quantize = true, o.q_mode = "nvfp4"; }).find("nvfp4"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.dtype = "int8"; }).find("int8"), std::string::npos);
  EXPECT_NE(refusal([&](auto& o) {
              o.gguf = (folder / "x.gguf").string(), o.gguf_type = "q4_k";
            }).find("q4_k"),
            std::string::npos);
}

}  // namespace
}  // namespace lem
