// SPDX-License-Identifier: EUPL-1.2
// Configurations as published: defaults that files leave out, both spellings of RoPE, refusals.
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "model/config.h"
#include "model/weights.h"
#include "tests/support/error_text.h"
#include "tests/support/real_models.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tiny_models.h"

namespace lem {
namespace {

using namespace testing;

// A folder with this config.json and one small tensor; only the configuration is read.
ModelConfig Read(const std::string& json, const ConfigOptions& options = {},
                 const std::string& generation = "") {
  const ScratchFolder folder;
  folder.Write("config.json", json);
  if (!generation.empty()) folder.Write("generation_config.json", generation);
  const float one = 1;
  WriteSafetensors(
      folder / "model.safetensors",
      {{"x", Dtype::kF32, {1}, [&](const auto& sink) { sink(std::as_bytes(std::span(&one, 1))); }}},
      {});
  return ReadModelConfig(Checkpoint::Open(folder.path()), options);
}

constexpr char kLlama[] = R"({"model_type": "llama", "hidden_size": 576, "intermediate_size": 1536,
  "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "vocab_size": 49152,
  "rope_theta": 100000, "max_position_embeddings": 8192, "rms_norm_eps": 1e-05,
  "tie_word_embeddings": true, "eos_token_id": 2)";

TEST(ModelConfig, ReadsSmolLm2) {
  const ModelConfig c = Read(std::string(kLlama) + "}");
  EXPECT_EQ(c.family, "llama");
  EXPECT_EQ(c.head_dim, 64);
  EXPECT_EQ(c.parameters(), 134515008);  // model-formats 2.1
  EXPECT_TRUE(c.tied);
  EXPECT_FALSE(c.qkv_bias || c.o_bias || c.qk_norm || c.post_norms || c.norm_plus_one);
  EXPECT_EQ(c.embed_scale, 1);
  EXPECT_EQ(c.attention_scale, 0.125f);
  EXPECT_EQ(c.layer[29].window, 0);
  EXPECT_EQ(c.layer[29].rope_theta, 100000);
  EXPECT_EQ(c.eos_ids, std::vector<int>{2});
}

TEST(ModelConfig, GenerationConfigOverridesTheEndIds) {
  EXPECT_EQ(Read(std::string(kLlama) + "}", {}, R"({"eos_token_id": [1, 106]})").eos_ids,
            (std::vector<int>{1, 106}));
}

TEST(ModelConfig, AppliesTheDefaultsOfGemma3s4B) {
  const ModelConfig c = Read(R"({"model_type": "gemma3", "vision_config": {}, "text_config": {
      "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34,
      "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024}})");
  EXPECT_EQ(c.family, "gemma3");
  EXPECT_EQ(c.mlx_prefix, "language_model.model.");
  EXPECT_EQ(c.parameters(), 3880263168);  // model-formats 1.2, vocabulary as in the file
  EXPECT_EQ(c.vocab, 262208);
  EXPECT_EQ(c.usable_vocab, 262144);
  EXPECT_EQ(c.heads, 8);
  EXPECT_EQ(c.kv_heads, 4);
  EXPECT_EQ(c.embed_scale, 50.5f);
  EXPECT_EQ(c.layer[4].window, 1024);
  EXPECT_EQ(c.layer[4].rope_theta, 10000);
  EXPECT_EQ(c.layer[4].rope_position_divisor, 1);
  EXPECT_EQ(c.layer[5].window, 0);
  EXPECT_EQ(c.layer[5].rope_theta, 1000000);
  EXPECT_EQ(c.layer[5].rope_position_divisor, 8);
  EXPECT_EQ(c.layer[33].window, 1024);
}

TEST(ModelConfig, Gemma3s27BScalesByItsOwnNumber) {
  const ModelConfig c = Read(R"({"model_type": "gemma3", "text_config": {"hidden_size": 5376,
      "intermediate_size": 21504, "num_hidden_layers": 62, "num_attention_heads": 32,
      "num_key_value_heads": 16, "head_dim": 128, "query_pre_attn_scalar": 168, "sliding_window": 1024,
      "rope_scaling": {"factor": 8.0, "type": "linear"}}})");
  EXPECT_FLOAT_EQ(c.attention_scale, 0.07715167498f);
  EXPECT_EQ(c.embed_scale, 73.5f);
  EXPECT_EQ(c.parameters(), 27009346304);
}

TEST(ModelConfig, TheEmbeddingScaleIsRoundedOnlyWhenAsked) {
  const std::string json =
      R"({"model_type": "gemma3_text", "hidden_size": 640, "intermediate_size": 2048,
      "num_hidden_layers": 18, "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256,
      "vocab_size": 262144, "sliding_window": 512, "_sliding_window_pattern": 6})";
  EXPECT_EQ(Read(json).embed_scale, 25.25f);
  EXPECT_FLOAT_EQ(Read(json, {.embed_scale_bf16 = false}).embed_scale, 25.298221f);
  EXPECT_EQ(Read(json).parameters(), 268098176);
  EXPECT_EQ(Read(json).layer[17].window, 0);
}

TEST(ModelConfig, ReadsBothSpellingsOfRopeAlike) {
  const std::string sizes =
      R"({"model_type": "gemma3_text", "hidden_size": 32, "intermediate_size": 48,
      "num_hidden_layers": 12, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
      "vocab_size": 64, "sliding_window": 8, )";
  const ModelConfig old = Read(sizes + R"("rope_theta": 500000.0, "rope_local_base_freq": 20000.0,
      "rope_scaling": {"type": "linear", "factor": 4.0}})");
  const ModelConfig now = Read(sizes + R"("rope_parameters": {
      "full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 500000.0},
      "sliding_attention": {"rope_type": "default", "rope_theta": 20000.0}}})");
  for (const ModelConfig* c : {&old, &now}) {
    EXPECT_EQ(c->layer[0].rope_theta, 20000);
    EXPECT_EQ(c->layer[0].rope_position_divisor, 1);
    EXPECT_EQ(c->layer[5].rope_theta, 500000);
    EXPECT_EQ(c->layer[5].rope_position_divisor, 4);
  }
}

TEST(ModelConfig, Llama3sScalingKeepsShortAndDividesLongWavelengths) {
  const ModelConfig c = Read(std::string(kLlama) + R"(, "rope_scaling": {"rope_type": "llama3",
      "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
      "original_max_position_embeddings": 8192}})");
  const auto& d = c.layer[0].rope_divisors;
  ASSERT_EQ(d.size(), 32u);
  EXPECT_EQ(d[0], 1);
  EXPECT_EQ(d[31], 8);
  EXPECT_TRUE(std::is_sorted(d.begin(), d.end()));
  // Frequency 21: wavelength 2 pi 1e5^(42/64) = 12,007 > 8192: divided; 19: 5,847: between.
  EXPECT_EQ(d[21], 8);
  const double wavelength = 2 * std::numbers::pi * std::pow(1e5, 38.0 / 64);
  const double smooth = (8192 / wavelength - 1) / 3;
  EXPECT_FLOAT_EQ(d[19], static_cast<float>(1 / ((1 - smooth) / 8 + smooth)));
}

TEST(ModelConfig, YarnRampsAndMagnifies) {
  const ModelConfig c =
      Read(R"({"model_type": "qwen2", "hidden_size": 896, "intermediate_size": 4864,
      "num_hidden_layers": 2, "num_attention_heads": 14, "num_key_value_heads": 2, "rope_theta": 1000000,
      "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}})");
  EXPECT_FLOAT_EQ(c.layer[0].rope_magnitude, static_cast<float>(0.1 * std::log(4.0) + 1));
  EXPECT_EQ(c.layer[0].rope_divisors.front(), 1);
  EXPECT_EQ(c.layer[0].rope_divisors.back(), 4);
  EXPECT_TRUE(c.qkv_bias);
  EXPECT_FALSE(c.o_bias);
  EXPECT_EQ(c.layer[1].window, 0);  // use_sliding_window is off unless set
}

TEST(ModelConfig, MistralsWindowIsThereUnlessNull) {
  const std::string sizes = R"({"model_type": "mistral", "hidden_size": 64, "intermediate_size": 48,
      "num_hidden_layers": 2, "num_attention_heads": 16, "vocab_size": 64)";
  EXPECT_EQ(Read(sizes + "}").layer[1].window, 4096);
  EXPECT_EQ(Read(sizes + "}").kv_heads, 8);
  EXPECT_EQ(Read(sizes + R"(, "sliding_window": null})").layer[1].window, 0);
}

TEST(ModelConfig, Gemma2CapsUnlessNull) {
  const std::string sizes = R"({"model_type": "gemma2", "hidden_size": 64, "intermediate_size": 48,
      "num_hidden_layers": 4)";
  const ModelConfig c = Read(sizes + "}");
  EXPECT_EQ(c.attention_softcap, 50);
  EXPECT_EQ(c.final_softcap, 30);
  EXPECT_EQ(c.layer[0].window, 4096);
  EXPECT_EQ(c.layer[1].window, 0);
  EXPECT_EQ(Read(sizes + R"(, "final_logit_softcapping": null})").final_softcap, 0);
}

TEST(ModelConfig, RefusesByName) {
  EXPECT_NE(ErrorText([] {
              Read(R"({"model_type": "mixtral"})");
            }).find("model_type \"mixtral\" is not supported; supported are gemma3"),
            std::string::npos);
  EXPECT_NE(ErrorText([] {
              Read(R"({"model_type": "llama"})");
            }).find("\"num_hidden_layers\" is missing"),
            std::string::npos);
  EXPECT_NE(ErrorText([] {
              Read(std::string(kLlama) + R"(, "head_dim": 1000000})");
            }).find("\"head_dim\" should be between 1 and 4096, found 1000000"),
            std::string::npos);
  EXPECT_NE(ErrorText([] {
              Read(std::string(kLlama) + R"(, "head_dim": 7})");
            }).find("head_dim should be even"),
            std::string::npos);
  EXPECT_NE(ErrorText([] {
              Read(std::string(kLlama) + R"(, "hidden_act": "relu2"})");
            }).find("hidden_act \"relu2\" is not supported"),
            std::string::npos);
  EXPECT_NE(ErrorText([] {
              Read(std::string(kLlama) + R"(, "rope_scaling": {"rope_type": "longrope"}})");
            }).find("RoPE scaling of type \"longrope\" is not supported"),
            std::string::npos);
  EXPECT_NE(ErrorText([] {
              Read(std::string(kLlama) + R"(, "quantization_config": {"quant_method": "awq"}})");
            }).find("awq"),
            std::string::npos);
  EXPECT_NE(ErrorText([] {
              Read(R"({"model_type": "gemma3_text", "use_bidirectional_attention": true})");
            }).find("use_bidirectional_attention"),
            std::string::npos);
}

// What is written is read back as the same model, llama3 and linear scaling included.
TEST(ModelConfig, ComesBackFromWhatItWrites) {
  for (const char* family : kFamilies) {
    const ModelConfig before = ReadModelConfig(Checkpoint::Open(TinyFolder(family)));
    const ModelConfig after = Read(ToHuggingFaceConfig(before, "bfloat16").Dump());
    EXPECT_EQ(before.family, after.family);
    EXPECT_EQ(before.parameters(), after.parameters()) << family;
    EXPECT_EQ(before.eps, after.eps) << family;
    EXPECT_EQ(before.attention_scale, after.attention_scale) << family;
    EXPECT_EQ(before.attention_softcap, after.attention_softcap) << family;
    EXPECT_EQ(before.final_softcap, after.final_softcap) << family;
    EXPECT_EQ(before.activation, after.activation) << family;
    EXPECT_EQ(before.eos_ids, after.eos_ids) << family;
    for (size_t i = 0; i < before.layer.size(); ++i) {
      EXPECT_EQ(before.layer[i].window, after.layer[i].window) << family << i;
      EXPECT_EQ(before.layer[i].rope_theta, after.layer[i].rope_theta) << family << i;
      EXPECT_EQ(before.layer[i].rope_divisors, after.layer[i].rope_divisors) << family << i;
      EXPECT_EQ(before.layer[i].rope_position_divisor, after.layer[i].rope_position_divisor)
          << family << i;
    }
  }
}

ModelConfig WrittenAndRead(const std::string& json) {
  return Read(ToHuggingFaceConfig(Read(json), "bfloat16").Dump());
}

// Numbers of every kind survive: fractions, the ends of a range, lists where a class knows none.
TEST(ModelConfig, OddNumbersComeBack) {
  for (const char* scalar : {"0.3", "168", "1e12", "1e-6"}) {
    const std::string json = R"({"model_type": "gemma3_text", "num_hidden_layers": 2,
      "query_pre_attn_scalar": )" +
                             std::string(scalar) + "}";
    EXPECT_EQ(WrittenAndRead(json).attention_scale, Read(json).attention_scale) << scalar;
  }
  const std::string mistral = R"({"model_type": "mistral", "hidden_size": 32, "head_dim": 8,
    "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "sliding_window": 16)";
  const ModelConfig mixed =
      WrittenAndRead(mistral + R"(, "layer_types": ["sliding_attention", "full_attention"]})");
  EXPECT_EQ(mixed.layer[0].window, 16);
  EXPECT_EQ(mixed.layer[1].window, 0);
  const std::string yarn = mistral + R"(, "rope_scaling": {"rope_type": "yarn", "factor": 4,
    "original_max_position_embeddings": 0.5}})";
  EXPECT_EQ(WrittenAndRead(yarn).layer[0].rope_divisors, Read(yarn).layer[0].rope_divisors);
}

TEST(ModelConfig, RefusesWhatItCouldNotReadBack) {
  const ModelConfig scaled = Read(R"({"model_type": "gemma3_text", "num_hidden_layers": 2,
    "rope_parameters": {"full_attention": {"rope_theta": 1e6},
    "sliding_attention": {"rope_type": "linear", "factor": 2}}})");
  EXPECT_NE(ErrorText([&] { ToHuggingFaceConfig(scaled, "bfloat16"); }).find("windowed layers"),
            std::string::npos);
  EXPECT_NE(ErrorText([] {
              Read(R"({"model_type": "gemma3_text", "rope_theta": 1.000000000001,
                "rope_scaling": {"rope_type": "yarn", "factor": 4}})");
            }).find("theta above 1"),
            std::string::npos);
}

TEST(ModelConfigGguf, ReadsTheDefaultModels) {
  const auto smol = FindRealModel(kSmolLm2File), gemma = FindRealModel(kGemma3File);
  if (smol.empty() || gemma.empty())
    GTEST_SKIP() << "set LEM_TEST_MODELS to the folder of the default models";
  const ModelConfig s = ReadModelConfig(Checkpoint::Open(smol));
  EXPECT_EQ(s.family, "llama");
  EXPECT_EQ(s.parameters(), 134515008);
  EXPECT_EQ(s.layer[0].rope_theta, 100000);
  const ModelConfig g = ReadModelConfig(Checkpoint::Open(gemma));
  EXPECT_EQ(g.family, "gemma3");
  EXPECT_EQ(g.parameters(), 268098176);
  EXPECT_EQ(g.attention_scale, 0.0625f);
  EXPECT_EQ(g.layer[4].window, 512);
  EXPECT_EQ(g.layer[5].window, 0);
  EXPECT_EQ(g.layer[4].rope_theta, 10000);
  EXPECT_EQ(g.layer[5].rope_theta, 1000000);
}

// A GGUF with this metadata and an embedding.
ModelConfig ReadGguf(std::vector<std::pair<std::string, GgufValue>> values) {
  const ScratchFolder folder;
  const std::vector<float> zeros(64 * 32);
  WriteGguf(folder / "m.gguf", values,
            {{"token_embd.weight", {64, 32}, GgmlType::kF32, [&](const auto& sink) {
                sink(std::as_bytes(std::span(zeros)));
              }}});
  return ReadModelConfig(Checkpoint::Open(folder / "m.gguf"));
}

std::vector<std::pair<std::string, GgufValue>> Metadata(const std::string& a) {
  return {{"general.architecture", GgufValue::String(a)},
          {a + ".block_count", GgufValue::U32(12)},
          {a + ".embedding_length", GgufValue::U32(32)},
          {a + ".feed_forward_length", GgufValue::U32(48)},
          {a + ".attention.head_count", GgufValue::U32(4)}};
}

TEST(ModelConfigGguf, KnowsWhatGemma3sFilesDoNotSay) {
  auto values = Metadata("gemma3");
  values.emplace_back("gemma3.attention.sliding_window", GgufValue::U32(16));
  values.emplace_back("gemma3.rope.scaling.type", GgufValue::String("linear"));
  values.emplace_back("gemma3.rope.scaling.factor", GgufValue::F32(8));
  values.emplace_back("gemma3.final_logit_softcapping", GgufValue::F32(30));
  const ModelConfig c = ReadGguf(values);
  EXPECT_EQ(c.final_softcap, 0);
  EXPECT_EQ(c.layer[0].window, 16);
  EXPECT_EQ(c.layer[0].rope_theta, 10000);
  EXPECT_EQ(c.layer[0].rope_position_divisor, 1);
  EXPECT_EQ(c.layer[11].window, 0);
  EXPECT_EQ(c.layer[11].rope_theta, 1000000);
  EXPECT_EQ(c.layer[11].rope_position_divisor, 8);
  EXPECT_TRUE(c.tied && c.qk_norm && c.post_norms && c.norm_plus_one);
}

TEST(ModelConfigGguf, RefusesByName) {
  EXPECT_NE(ErrorText([] {
              ReadGguf(Metadata("phi3"));
            }).find("the architecture \"phi3\" is not supported"),
            std::string::npos);
  auto experts = Metadata("llama");
  experts.emplace_back("llama.expert_count", GgufValue::U32(8));
  EXPECT_NE(ErrorText([&] { ReadGguf(experts); }).find("mixtures of experts"), std::string::npos);
  auto nothing = Metadata("llama");
  nothing.erase(nothing.begin() + 1);
  EXPECT_NE(ErrorText([&] { ReadGguf(nothing); }).find("the key llama.block_count is missing"),
            std::string::npos);
}

}  // namespace
}  // namespace lem
