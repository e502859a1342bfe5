// SPDX-License-Identifier: EUPL-1.2
// Any config.json and any index of shards beside small real weights: an Error, or a model that
// computes and whose configuration, written by us, reads back. What follows the first zero byte is
// model.safetensors.index.json; without one there is no index.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/error.h"
#include "base/threads.h"
#include "model/decoder.h"
#include "model/training_pass.h"
#include "tests/support/scratch_folder.h"

using namespace lem;

namespace {

namespace fs = std::filesystem;

fs::path Fixture(const char* folder) {
  return fs::path(LEM_SOURCE_DIR) / "tests" / "fixtures" / folder / "model.safetensors";
}

// Without an index the first file is the model; an index can also name the second.
const testing::ScratchFolder& Folder() {
  static const testing::ScratchFolder folder;
  static const bool filled = [] {
    fs::create_symlink(Fixture("tiny_llama"), folder / "model-tiny.safetensors");
    fs::create_symlink(Fixture("tiny_gemma3"), folder / "other.safetensors");
    SetThreads(1);
    return true;
  }();
  LEM_CHECK(filled);
  return folder;
}

void Compute(const Checkpoint& checkpoint) {
  const auto decoder = Decoder::Load(CpuBackend(), checkpoint, {});
  const ModelConfig& config = decoder->config();
  if (config.max_positions < 3) return;
  KvCache cache(config, Precision::kBFloat16, 3, 3);
  const int32_t ids[] = {0, 1, config.vocab - 1};
  std::vector<float> logits(static_cast<size_t>(config.vocab));
  const Chunk chunk = {.cache = &cache, .ids = ids};
  decoder->Forward({&chunk, 1}, Mat(logits.data(), 1, logits.size()));
}

bool SameLayer(const LayerConfig& a, const LayerConfig& b) {
  return a.window == b.window && a.rope_theta == b.rope_theta &&
         a.rope_position_divisor == b.rope_position_divisor &&
         a.rope_divisors.size() == b.rope_divisors.size() && a.rope_magnitude == b.rope_magnitude;
}

bool SameModel(const ModelConfig& a, const ModelConfig& b) {
  return a.family == b.family && a.parameters() == b.parameters() && a.heads == b.heads &&
         a.kv_heads == b.kv_heads && a.head_dim == b.head_dim && a.vocab == b.vocab &&
         a.usable_vocab == b.usable_vocab && a.eps == b.eps && a.activation == b.activation &&
         a.embed_scale == b.embed_scale && a.attention_scale == b.attention_scale &&
         a.attention_softcap == b.attention_softcap && a.final_softcap == b.final_softcap &&
         a.max_positions == b.max_positions && a.eos_ids == b.eos_ids &&
         std::equal(a.layer.begin(), a.layer.end(), b.layer.begin(), b.layer.end(), SameLayer);
}

// What we write of a model we accept, we accept, and it is the same model.
void WriteAndReadBack(const testing::ScratchFolder& folder, const ModelConfig& config) {
  folder.Write("config.json", ToHuggingFaceConfig(config, "bfloat16").Dump());
  try {
    LEM_CHECK(SameModel(ReadModelConfig(Checkpoint::Open(folder.path())), config));
  } catch (const Error&) {
    LEM_CHECK(!"our own config.json is refused");
  }
}

void ReadFolder(const testing::ScratchFolder& folder) {
  const Checkpoint checkpoint = Checkpoint::Open(folder.path());
  const ModelConfig config = ReadModelConfig(checkpoint);
  LEM_CHECK(config.parameters() > 0 && config.layer.size() == static_cast<size_t>(config.layers));
  PassOptions options;
  options.max_tokens = 8;
  TrainingPass::Plan(config, {}, options, Precision::kBFloat16);
  WriteAndReadBack(folder, config);
  Compute(checkpoint);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t cut = input.find('\0');
  const testing::ScratchFolder& folder = Folder();
  folder.Write("config.json", input.substr(0, cut));
  fs::remove(folder / "model.safetensors.index.json");
  if (cut != input.npos) folder.Write("model.safetensors.index.json", input.substr(cut + 1));
  try {
    ReadFolder(folder);
  } catch (const Error&) {
  }
  return 0;
}
