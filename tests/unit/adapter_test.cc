// SPDX-License-Identifier: EUPL-1.2
#include "model/adapter.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "formats/gguf.h"
#include "formats/mapped_file.h"
#include "formats/safetensors.h"
#include "model/decoder.h"
#include "tests/support/error_text.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tiny_config.h"
#include "tests/support/tiny_models.h"

namespace lem {
namespace {

using namespace testing;

const AdapterShape kLora = {
    .type = TuneType::kLora, .rank = 2, .scale = 20, .dropout = 0, .num_layers = 2, .keys = {}};

void FillRandomly(Adapter* adapter, unsigned seed) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> normal;
  for (float& v : adapter->values()) v = normal(bits);
}

void WriteMlx(const Adapter& adapter, const std::filesystem::path& folder) {
  adapter.SaveMlx(folder / "adapters.safetensors");
  WriteFileAtomically(folder / "adapter_config.json",
                      Adapter::MlxConfigKeys(adapter.shape()).Dump());
}

bool SameValues(const Adapter& a, const Adapter& b) {
  return std::equal(a.values().begin(), a.values().end(), b.values().begin(), b.values().end());
}

// The hash of all initial tensors (by name; lora_a (in, rank), lora_b (rank, out)) that mlx-lm
// 0.32.2 gives models of these sizes for seed 7; it is the same for every family.
TEST(AdapterInitialize, IsMlxLmsToTheBit) {
  const ScratchFolder folder;
  for (const char* family : {"gemma3", "gemma2", "llama", "qwen2", "qwen3"}) {
    const ModelConfig config = TinyConfig(family);
    Adapter adapter(config, kLora);
    adapter.Initialize(7, {});
    adapter.SaveMlx(folder / "adapters.safetensors");
    const MappedFile file(folder / "adapters.safetensors");
    const Safetensors tensors = Safetensors::Parse(file.bytes(), "adapters");
    Sha256 hash;
    for (const auto& [name, tensor] : tensors.tensors()) hash.Update(tensor.bytes);
    EXPECT_EQ(hash.Hex(), "1a226d00d8db50521a210854db9b077165413d5b1284ed0caf010222cfe501f3")
        << family;
  }
}

TEST(AdapterInitialize, FewerKeysDrawFewerNumbersInTheSameOrder) {
  const ModelConfig config = TinyConfig("llama");
  AdapterShape shape = kLora;
  shape.keys = {"self_attn.q_proj", "mlp.up_proj"};
  Adapter all(config, kLora), some(config, shape);
  all.Initialize(7, {}), some.Initialize(7, {});
  // mlp.up_proj of the lowest block is the first to draw in both.
  EXPECT_EQ(all.modules()[5].projection, Projection::kUp);
  EXPECT_EQ(some.modules()[1].projection, Projection::kUp);
  EXPECT_TRUE(std::equal(all.modules()[5].down.data, all.modules()[5].down.data + 64,
                         some.modules()[1].down.data));
}

TEST(AdapterShape, IsRefusedWhenItDoesNotFit) {
  const ModelConfig config = TinyConfig("llama");
  AdapterShape shape = kLora;
  shape.num_layers = 3;
  EXPECT_EQ(ErrorText([&] { Adapter(config, shape); }),
            "Requested to train 3 layers but the model only has 2 layers.");
  shape = kLora, shape.keys = {"q_proj"};
  EXPECT_EQ(
      ErrorText([&] { Adapter(config, shape); }),
      "lora_parameters: the key \"q_proj\" names nothing that can be adapted; use "
      "self_attn.q_proj, self_attn.k_proj, self_attn.v_proj, self_attn.o_proj, mlp.gate_proj, "
      "mlp.up_proj, mlp.down_proj");
  shape = kLora, shape.rank = 0;
  EXPECT_NE(ErrorText([&] { Adapter(config, shape); }).find("rank should be between"),
            std::string::npos);
  shape = kLora, shape.dropout = 1;
  EXPECT_NE(ErrorText([&] { Adapter(config, shape); }).find("dropout"), std::string::npos);
}

TEST(AdapterShape, ZeroOrFewerLayersMeansAll) {
  const ModelConfig config = TinyConfig("llama");
  AdapterShape shape = kLora;
  shape.num_layers = -1;
  EXPECT_EQ(Adapter(config, shape).lowest_layer(), 0);
  shape.num_layers = 1;
  EXPECT_EQ(Adapter(config, shape).lowest_layer(), 1);
}

TEST(AdapterMlx, ComesBackAsItWas) {
  for (const TuneType type : {TuneType::kLora, TuneType::kDora, TuneType::kFull}) {
    for (const char* family : {"gemma3", "qwen2"}) {
      const ScratchFolder folder;
      const ModelConfig config = TinyConfig(family);
      AdapterShape shape = kLora;
      shape.type = type, shape.num_layers = 1;
      Adapter adapter(config, shape);
      FillRandomly(&adapter, 3);
      // Full tuning stores w = gain - 1 for Gemma; these gains come back exactly.
      for (TrainedTensor& t : adapter.tensors())
        if (t.is_norm) std::fill(t.value.data, t.value.data + t.value.cols, 1.25f);
      WriteMlx(adapter, folder.path());
      const Adapter again = Adapter::Load(folder.path(), config);
      EXPECT_TRUE(SameValues(adapter, again)) << family;
      EXPECT_EQ(again.shape().type, type);
      EXPECT_EQ(again.lowest_layer(), 1);
    }
  }
}

TEST(AdapterMlx, NamesCarryTheCheckpointsPrefix) {
  const ScratchFolder folder;
  ModelConfig config = TinyConfig("gemma3");
  config.mlx_prefix = "language_model.model.";
  Adapter adapter(config, kLora);
  FillRandomly(&adapter, 4);
  WriteMlx(adapter, folder.path());
  const MappedFile file(folder / "adapters.safetensors");
  const Safetensors tensors = Safetensors::Parse(file.bytes(), "adapters");
  const TensorView* a = tensors.Find("language_model.model.layers.1.mlp.down_proj.lora_a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->shape, (std::vector<int64_t>{48, 2}));
  EXPECT_TRUE(SameValues(adapter, Adapter::Load(folder.path(), TinyConfig("gemma3"))));
}

TEST(AdapterMlx, NamesEveryTensorThatDoesNotFit) {
  const ScratchFolder folder;
  ModelConfig other = TinyConfig("llama");
  other.dim = 40, other.heads = 5, other.kv_heads = 5;
  AdapterShape shape = kLora;
  shape.keys = {"self_attn.q_proj"}, shape.num_layers = 1;
  WriteMlx(Adapter(other, shape), folder.path());
  const ModelConfig config = TinyConfig("llama");
  EXPECT_EQ(
      ErrorText([&] { Adapter::Load(folder.path(), config); }),
      (folder / "adapters.safetensors").string() +
          ": 2 tensors do not fit this model; use the adapter with the model it was trained on:\n"
          "  model.layers.1.self_attn.q_proj.lora_a (found (40, 2), the model needs (32, 2))\n"
          "  model.layers.1.self_attn.q_proj.lora_b (found (2, 40), the model needs (2, 32))");
  WriteFileAtomically(folder / "adapter_config.json",
                      R"({"num_layers": 5, "lora_parameters": {"rank": 2, "scale": 1}})");
  EXPECT_EQ(ErrorText([&] { Adapter::Load(folder.path(), config); }),
            "Requested to train 5 layers but the model only has 2 layers.");
}

TEST(AdapterMlx, RefusesHalfAModuleAndStrangers) {
  const ScratchFolder folder;
  const ModelConfig config = TinyConfig("llama");
  WriteFileAtomically(folder / "adapter_config.json",
                      R"({"num_layers": 1, "lora_parameters": {"rank": 1, "scale": 1}})");
  const auto tensor = [](const char* name, std::vector<int64_t> shape, size_t count) {
    return TensorToWrite{name, Dtype::kF32, std::move(shape), [count](const auto& sink) {
                           const std::vector<float> zeros(count);
                           sink(std::as_bytes(std::span(zeros)));
                         }};
  };
  WriteSafetensors(folder / "adapters.safetensors",
                   {tensor("model.layers.1.self_attn.q_proj.lora_a", {32, 1}, 32),
                    tensor("model.layers.0.self_attn.q_proj.lora_a", {32, 1}, 32),
                    tensor("lm_head.lora_a", {32, 1}, 32)},
                   {});
  const std::string message = ErrorText([&] { Adapter::Load(folder.path(), config); });
  EXPECT_NE(message.find("3 tensors do not fit"), std::string::npos) << message;
  EXPECT_NE(message.find("lm_head.lora_a (no part of a block)"), std::string::npos) << message;
  EXPECT_NE(
      message.find("model.layers.0.self_attn.q_proj.lora_a (the adapter's configuration has no "
                   "such tensor)"),
      std::string::npos)
      << message;
  EXPECT_NE(message.find("model.layers.1.self_attn.q_proj.lora_b (missing)"), std::string::npos)
      << message;
}

// Written by PEFT 0.21.2 with DoRA, rank-stabilised scaling, a rank and an alpha of their own for
// some modules; the logits are PEFT's in float64.
TEST(AdapterPeft, ReadsWhatPeftWrote) {
  TinyModel model("llama");
  const Adapter adapter = Adapter::Load(TinyFolder("peft"), model.config());
  EXPECT_EQ(adapter.shape().rank, 4);
  EXPECT_EQ(adapter.shape().type, TuneType::kDora);
  EXPECT_EQ(adapter.lowest_layer(), 2);
  const Goldens goldens("peft");
  const MappedFile file(TinyFolder("peft") / "goldens.safetensors");
  const Safetensors tensors = Safetensors::Parse(file.bytes(), "peft");
  std::vector<int32_t> ids(20);
  std::memcpy(ids.data(), tensors.Get("ids").bytes.data(), 80);
  model.decoder->SetAdapter(&adapter);
  KvCache cache(model.config(), Precision::kFloat32, 20, 20);
  std::vector<float> logits(20 * 64);
  const Chunk chunk = {.cache = &cache, .ids = ids, .logits = Chunk::Logits::kAll};
  model.decoder->Forward({&chunk, 1}, Mat(logits.data(), 20, 64));
  EXPECT_LE(RelativeError(logits, goldens.Floats("logits")), 1e-4);  // decoder_test.cc: kFloat32
}

TEST(AdapterPeft, ComesBackAsItWas) {
  for (const TuneType type : {TuneType::kLora, TuneType::kDora}) {
    const ScratchFolder folder;
    ModelConfig config = TinyConfig("gemma3");
    config.mlx_prefix = "language_model.model.";
    AdapterShape shape = kLora;
    shape.type = type, shape.num_layers = 1;
    Adapter adapter(config, shape);
    FillRandomly(&adapter, 5);
    adapter.SavePeft(folder.path(), config, "base");
    EXPECT_TRUE(SameValues(adapter, Adapter::Load(folder.path(), config)));
    const Json json = Json::ParseFile((folder / "adapter_config.json").string());
    EXPECT_EQ(json.Find("lora_alpha")->number(), 40);
    EXPECT_EQ(json.Find("layers_to_transform")->Dump(), "[1]");
    const MappedFile file(folder / "adapter_model.safetensors");
    EXPECT_NE(
        Safetensors::Parse(file.bytes(), "peft")
            .Find("base_model.model.model.language_model.layers.1.self_attn.q_proj.lora_A.weight"),
        nullptr);
  }
}

TEST(AdapterPeft, RefusesWhatItCannotKeep) {
  const ScratchFolder folder;
  const ModelConfig config = TinyConfig("llama");
  Adapter(config, kLora).SavePeft(folder.path(), config, "base");
  const auto refused = [&](const char* key, Json value) {
    Json json = Json::ParseFile((folder / "adapter_config.json").string());
    json.Set(key, std::move(value));
    const ScratchFolder other;
    std::filesystem::copy_file(folder / "adapter_model.safetensors",
                               other / "adapter_model.safetensors");
    WriteFileAtomically(other / "adapter_config.json", json.Dump());
    return ErrorText([&] { Adapter::Load(other.path(), config); });
  };
  EXPECT_NE(refused("modules_to_save", Json(Json::Array{"lm_head"})).find("modules_to_save"),
            std::string::npos);
  EXPECT_NE(refused("bias", "all").find("bias"), std::string::npos);
  EXPECT_NE(refused("peft_type", "IA3").find("peft_type should be LORA"), std::string::npos);
  EXPECT_NE(refused("init_lora_weights", "pissa_niter_4").find("init_lora_weights"),
            std::string::npos);
  EXPECT_NE(refused("alpha_pattern", Json(Json::Object{{"layers\\.[01].*", 3}}))
                .find("regular expression"),
            std::string::npos);
  EXPECT_EQ(refused("bias", "none"), "no error");
}

TEST(AdapterGguf, ComesBackAsItWasAndPermutesLlamasRows) {
  for (const char* family : {"llama", "mistral", "qwen2", "gemma3"}) {
    const ScratchFolder folder;
    const ModelConfig config = TinyConfig(family);
    Adapter adapter(config, kLora);
    FillRandomly(&adapter, 6);
    adapter.SaveGguf(folder / "lora.gguf", config);
    EXPECT_TRUE(SameValues(adapter, Adapter::Load(folder / "lora.gguf", config))) << family;

    const MappedFile file(folder / "lora.gguf");
    const Gguf gguf = Gguf::Parse(file.bytes(), "lora");
    double alpha = 0;
    EXPECT_TRUE(gguf.FindNumber("adapter.lora.alpha", &alpha));
    EXPECT_EQ(alpha, 40);
    const GgufTensor* b = gguf.FindTensor("blk.0.attn_q.weight.lora_b");
    ASSERT_NE(b, nullptr);
    EXPECT_EQ(b->shape, (std::vector<int64_t>{32, 2}));
    // Heads of 8: in Llama files row 1 is Hugging Face's row 4, the first of the second half.
    std::vector<float> rows(64);
    DequantizeGgml(b->type, b->bytes.data(), rows);
    const bool permuted =
        std::string_view(family) == "llama" || std::string_view(family) == "mistral";
    EXPECT_EQ(rows[2], adapter.modules()[0].up.Row(permuted ? 4 : 1)[0]) << family;
  }
}

TEST(AdapterGguf, RefusesOtherArchitecturesAndDora) {
  const ScratchFolder folder;
  const ModelConfig config = TinyConfig("llama");
  Adapter(config, kLora).SaveGguf(folder / "lora.gguf", config);
  EXPECT_NE(ErrorText([&] {
              Adapter::Load(folder / "lora.gguf", TinyConfig("qwen2"));
            }).find("general.architecture should be \"qwen2\", found \"llama\""),
            std::string::npos);
  AdapterShape dora = kLora;
  dora.type = TuneType::kDora;
  EXPECT_NE(ErrorText([&] {
              Adapter(config, dora).SaveGguf(folder / "d.gguf", config);
            }).find("LoRA adapters only"),
            std::string::npos);
}

TEST(AdapterDelta, IsScaleTimesUpTimesDown) {
  const ModelConfig config = TinyConfig("llama");
  Adapter adapter(config, kLora);
  FillRandomly(&adapter, 8);
  const AdapterModule& m = adapter.modules()[4];
  std::vector<float> row(m.down.cols);
  adapter.DeltaRow(m, 3, row);
  const double expected = 20.0 * (double{m.up.Row(3)[0]} * m.down.Row(0)[5] +
                                  double{m.up.Row(3)[1]} * m.down.Row(1)[5]);
  EXPECT_NEAR(row[5], expected, 1e-5 * (1 + std::abs(expected)));
}

}  // namespace
}  // namespace lem
