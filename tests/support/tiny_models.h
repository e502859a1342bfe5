// SPDX-License-Identifier: EUPL-1.2
// The tiny models of tests/fixtures and what transformers computed with them
// (scripts/make_fixtures.py).
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/threads.h"
#include "formats/checkpoint.h"
#include "formats/mapped_file.h"
#include "formats/safetensors.h"
#include "model/decoder.h"
#include "tensor/dtype.h"

namespace lem::testing {

inline constexpr const char* kFamilies[] = {"gemma3",  "gemma2", "llama",
                                            "mistral", "qwen2",  "qwen3"};

inline std::filesystem::path TinyFolder(const std::string& family) {
  return std::filesystem::path(LEM_SOURCE_DIR) / "tests" / "fixtures" / ("tiny_" + family);
}

// The golden tensors of one family.
class Goldens {
 public:
  explicit Goldens(const std::string& family)
      : file_(TinyFolder(family) / "goldens.safetensors"),
        tensors_(Safetensors::Parse(file_.bytes(), file_.path())) {}

  std::vector<float> Floats(const std::string& name) const {
    const TensorView& t = tensors_.Get(name);
    std::vector<float> values(t.bytes.size() / SizeOf(t.dtype));
    ToFloat(t.dtype, t.bytes.data(), values);
    return values;
  }
  std::vector<int32_t> Ids(int sequence) const {
    const TensorView& t = tensors_.Get("ids." + std::to_string(sequence));
    std::vector<int32_t> ids(t.bytes.size() / 4);
    std::memcpy(ids.data(), t.bytes.data(), t.bytes.size());
    return ids;
  }

 private:
  MappedFile file_;
  Safetensors tensors_;
};

struct TinyModel {
  explicit TinyModel(const std::string& family, Precision precision = Precision::kFloat32,
                     int gradients_from = -1)
      : checkpoint(Checkpoint::Open(TinyFolder(family))) {
    SetThreads(1);  // waking a second thread costs more than these products
    DecoderOptions options;
    options.precision = precision;
    options.input_gradients_from_layer_set = gradients_from >= 0;
    options.input_gradients_from_layer = gradients_from;
    decoder = Decoder::Load(CpuBackend(), checkpoint, options);
  }
  const ModelConfig& config() const { return decoder->config(); }

  Checkpoint checkpoint;
  std::unique_ptr<Decoder> decoder;
};

// max |a - b| / (rms(b) + 1e-6): an error relative to the tensor's own size.
inline double RelativeError(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double square = 0, worst = 0;
  for (const float v : b) square += double{v} * v;
  const double rms = std::sqrt(square / static_cast<double>(b.size()));
  for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(double{a[i]} - b[i]));
  return worst / (rms + 1e-6);
}

}  // namespace lem::testing
