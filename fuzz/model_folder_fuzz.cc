// SPDX-License-Identifier: EUPL-1.2
// Any config.json and any index of shards beside small real weights: an Error, or a model that
// computes and whose configuration, written by us, reads back. What follows the first zero byte is
// model.safetensors.index.json; without one there is no index.
#include <cstddef>
#include <cstdint>
#include <string_view>

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

void ReadFolder(const testing::ScratchFolder& folder) {
  const Checkpoint checkpoint = Checkpoint::Open(folder.path());
  const ModelConfig config = ReadModelConfig(checkpoint);
  LEM_CHECK(config.parameters() > 0 && config.layer.size() == static_cast<size_t>(config.layers));
  PassOptions options;
  options.max_tokens = 8;
  TrainingPass::Plan(config, {}, options, Precision::kBFloat16);
  folder.Write("config.json", ToHuggingFaceConfig(config, "bfloat16").Dump());
  const ModelConfig again = ReadModelConfig(Checkpoint::Open(folder.path()));
  LEM_CHECK(again.parameters() == config.parameters() && again.layers == config.layers);
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
