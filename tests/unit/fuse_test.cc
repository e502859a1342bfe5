// SPDX-License-Identifier: EUPL-1.2
// A fused model answers as the base with its adapter does, and the report says what rounding kept.
#include "pipelines/fuse/fuse.h"

#include <gtest/gtest.h>

#include <cmath>

#include "backend/backend.h"
#include "base/atomic_file.h"
#include "base/error.h"
#include "base/random.h"
#include "model/decoder.h"
#include "pipelines/adapter_convert/adapter_convert.h"
#include "pipelines/convert/convert.h"
#include "pipelines/fuse/fused_rows.h"
#include "pipelines/fuse/model_card.h"
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

// The logits of the last of eight fixed ids, in float32.
std::vector<float> LastLogits(const fs::path& model, const fs::path& adapter_path = {}) {
  const Checkpoint checkpoint = Checkpoint::Open(model);
  DecoderOptions options;
  options.precision = Precision::kFloat32;
  const auto decoder = Decoder::Load(CpuBackend(), checkpoint, options);
  std::optional<Adapter> adapter;
  if (!adapter_path.empty()) {
    adapter.emplace(Adapter::Load(adapter_path, decoder->config()));
    decoder->SetAdapter(&*adapter);
  }
  KvCache cache(decoder->config(), Precision::kFloat32, 16, 16);
  const std::vector<int32_t> ids = {3, 20, 17, 8, 6, 30, 9, 41};
  const Chunk chunk{&cache, ids, Chunk::Logits::kLast};
  std::vector<float> logits(static_cast<size_t>(decoder->config().vocab));
  decoder->Forward({&chunk, 1}, Mat(logits.data(), 1, logits.size()));
  return logits;
}

float LargestDifference(const std::vector<float>& a, const std::vector<float>& b) {
  float largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

// An adapter whose numbers are random and as large as `size`, in `folder`.
void MakeAdapter(const fs::path& model, TuneType type, float size, const fs::path& folder) {
  const Checkpoint checkpoint = Checkpoint::Open(model);
  const ModelConfig config = ReadModelConfig(checkpoint);
  AdapterShape shape;
  shape.type = type;
  shape.rank = 4, shape.scale = 2, shape.num_layers = 2;
  Adapter adapter(config, shape);
  adapter.Initialize(1, WeightMap::Locate(checkpoint, config));
  CounterRandom random(7, 0);
  for (float& value : adapter.values()) {
    value += size * static_cast<float>(random.NextUnit() - 0.5);
  }
  adapter.SaveMlx(folder / "adapters.safetensors");
  WriteFileAtomically(folder / "adapter_config.json", Adapter::MlxConfigKeys(shape).Dump());
}

class FuseTest : public ::testing::Test {
 protected:
  std::string Path(const char* name) const { return (folder_ / name).string(); }
  FuseResult Run(const char* model, const char* to, const std::string& dtype = "") {
    FuseOptions options;
    options.model = Path(model), options.adapter_path = Path("adapter");
    options.save_path = Path(to), options.dtype = dtype;
    options.dequantize = dequantize_, options.export_gguf = export_gguf_;
    options.gguf_type = "f32";
    return Fuse(options, quiet_);
  }

  testing::ScratchFolder folder_;
  Quiet quiet_;
  bool dequantize_ = false, export_gguf_ = false;
};

TEST_F(FuseTest, TheFusedModelIsTheAdaptedOne) {
  for (const char* fixture : {"tiny_gemma3", "tiny_llama", "tiny_qwen2"}) {
    for (const TuneType type : {TuneType::kLora, TuneType::kDora, TuneType::kFull}) {
      SCOPED_TRACE(std::string(fixture) + " " + std::to_string(static_cast<int>(type)));
      fs::remove_all(folder_ / "model");
      fs::remove_all(folder_ / "adapter");
      testing::MakeTinyModel(fixture, folder_ / "model");
      MakeAdapter(folder_ / "model", type, 0.2f, folder_ / "adapter");
      export_gguf_ = true;
      const FuseResult result = Run("model", "fused", "float32");
      const auto wanted = LastLogits(folder_ / "model", folder_ / "adapter");
      EXPECT_GT(LargestDifference(LastLogits(folder_ / "model"), wanted), 0.05f);
      // Two orders of the same float32 sums of at most 48 terms, logits of size 10.
      EXPECT_LT(LargestDifference(LastLogits(folder_ / "fused"), wanted), 2e-4f);
      EXPECT_LT(LargestDifference(LastLogits(result.gguf_file), wanted), 2e-4f);
      EXPECT_TRUE(fs::exists(folder_ / "fused" / "README.md"));
      ASSERT_TRUE(result.lowest_survival);
      EXPECT_GT(*result.lowest_survival, 0.999);
    }
  }
  EXPECT_TRUE(quiet_.warnings.empty());
}

TEST_F(FuseTest, SmallChangesInAFourBitBaseAreReportedLost) {
  testing::MakeTinyModel("tiny_llama", folder_ / "plain");
  ConvertOptions q;
  q.model = Path("plain"), q.mlx_path = Path("model");
  q.quantize = true, q.q_group_size = 32;
  Convert(q, quiet_);
  MakeAdapter(folder_ / "model", TuneType::kLora, 0.002f, folder_ / "adapter");
  const FuseResult lossy = Run("model", "lossy");
  EXPECT_EQ(lossy.format, "4 bit, groups of 32");
  ASSERT_EQ(lossy.modules.size(), 14u);
  EXPECT_LT(*lossy.lowest_survival, 0.5);
  ASSERT_EQ(quiet_.warnings.size(), 1u);
  EXPECT_NE(quiet_.warnings[0].find("--dequantize"), std::string::npos);
  dequantize_ = true;
  const FuseResult kept = Run("model", "kept", "float32");
  EXPECT_GT(*kept.lowest_survival, 0.999);
  EXPECT_EQ(quiet_.warnings.size(), 1u);
  EXPECT_FALSE(Checkpoint::Open(folder_ / "kept").config().Has("quantization"));
}

TEST_F(FuseTest, AnAdapterOfZerosChangesNothingAndSaysSo) {
  testing::MakeTinyModel("tiny_llama", folder_ / "model");
  MakeAdapter(folder_ / "model", TuneType::kLora, 0, folder_ / "adapter");
  const FuseResult result = Run("model", "fused");
  EXPECT_FALSE(result.lowest_survival);
  EXPECT_EQ(ReadTextFile(folder_ / "fused" / "config.json").find("quantization"),
            std::string::npos);
  EXPECT_EQ(LastLogits(folder_ / "fused"), LastLogits(folder_ / "model"));
}

TEST_F(FuseTest, TheModelsOwnFolderIsRefused) {
  testing::MakeTinyModel("tiny_llama", folder_ / "model");
  MakeAdapter(folder_ / "model", TuneType::kLora, 0.1f, folder_ / "adapter");
  const auto before = LastLogits(folder_ / "model");
  EXPECT_NE(testing::ErrorText([&] { Run("model", "model"); }).find("overwritten"),
            std::string::npos);
  EXPECT_EQ(LastLogits(folder_ / "model"), before);
}

TEST_F(FuseTest, AdaptersKeepTheirMeaningInEveryFormat) {
  testing::MakeTinyModel("tiny_gemma3", folder_ / "model");
  MakeAdapter(folder_ / "model", TuneType::kLora, 0.2f, folder_ / "adapter");
  const auto wanted = LastLogits(folder_ / "model", folder_ / "adapter");
  const auto to = [&](const char* from, const char* format, const char* output) {
    ConvertAdapter({Path("model"), Path(from), format, Path(output)});
    // The scale may be folded differently; the products stay, to float32 rounding.
    EXPECT_LT(LargestDifference(LastLogits(folder_ / "model", folder_ / output), wanted), 1e-4f)
        << from << " to " << output;
  };
  to("adapter", "peft", "peft");
  to("adapter", "gguf", "lora.gguf");
  to("peft", "gguf", "from_peft.gguf");
  to("peft", "mlx", "from_peft");
  to("lora.gguf", "mlx", "from_gguf");
  to("lora.gguf", "peft", "gguf_to_peft");
  EXPECT_THROW(ConvertAdapter({Path("model"), Path("adapter"), "onnx", Path("x")}), UsageError);
  EXPECT_THROW(ConvertAdapter({Path("model"), Path("adapter"), "mlx", Path("adapter")}),
               UsageError);
}

// W' by the textbook, in float64.
TEST(FuseRow, IsTheFormula) {
  std::vector<float> down = {0.5f, -1, 2, 0.25f, 3, 1}, up = {1, -2, 0.5f, 4};
  AdapterModule module;
  module.down = Mat(down.data(), 2, 3);
  module.up = Mat(up.data(), 2, 2);
  std::vector<float> w = {1, 2, 3};
  FuseRow(module, 3, 1, w);  // W[1] + 3 (0.5 down[0] + 4 down[1])
  EXPECT_FLOAT_EQ(w[0], 1 + 3 * (0.5f * 0.5f + 4 * 0.25f));
  EXPECT_FLOAT_EQ(w[1], 2 + 3 * (0.5f * -1 + 4 * 3));
  EXPECT_FLOAT_EQ(w[2], 3 + 3 * (0.5f * 2 + 4 * 1));
  std::vector<float> magnitude = {1, 5};
  module.magnitude = magnitude;
  std::vector<float> v = {1, 2, 3};
  FuseRow(module, 3, 1, v);
  double squares = 0;
  for (const float x : v) squares += double{x} * x;
  EXPECT_NEAR(std::sqrt(squares), 5, 1e-6);
}

TEST(ModelCard, FillsItsTemplate) {
  EXPECT_EQ(FillTemplate("a {{x}} b {{y}}", {{"x", "1"}}, "t"), "a 1 b not recorded");
  EXPECT_THROW(FillTemplate("a {{x", {}, "t"), Error);
}

}  // namespace
}  // namespace lem
