// SPDX-License-Identifier: EUPL-1.2
// What the readers of adapter files share. Internal to model/adapter_*.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/safetensors.h"
#include "model/adapter.h"

namespace lem {

// A module as PEFT and GGUF files hold it: its own rank and scale.
struct ForeignModule {
  int layer = 0;
  Projection projection = Projection::kQ;
  float scale = 1;
  int64_t rank = 0;
  std::vector<float> down, up, magnitude;  // (rank, in), (out, rank), (out) or empty
};

// One adapter out of them: the scale of the first, the largest rank; other scales go into `up`,
// smaller ranks are padded with zeros. Shapes have been checked.
Adapter FromModules(const ModelConfig& config, TuneType type, float dropout,
                    std::vector<ForeignModule> modules, const std::string& where);

// "model.layers.3.self_attn.q_proj" under any of the prefixes files use -> layer 3 and the rest.
struct LayerPath {
  int layer = 0;
  std::string_view rest;  // "self_attn.q_proj"
};
std::optional<LayerPath> ParseLayerPath(std::string_view name);

// Tensors that do not fit, collected so that one message names them all.
class Offenders {
 public:
  void Add(std::string_view name, std::string_view why);
  // "found (64, 8), the model needs (32, 8)"
  void AddShape(std::string_view name, const std::vector<int64_t>& found,
                const std::vector<int64_t>& needed);
  // Throws Error when there are any.
  void Throw(const std::string& where) const;

 private:
  std::vector<std::string> lines_;
};

// All numbers of a floating tensor in row-major order; refuses others.
std::vector<float> ReadFloats(const TensorView& tensor, std::string_view where);

// A tensor whose bytes are floats made when the file gets to them.
TensorToWrite FloatTensor(std::string name, std::vector<int64_t> shape,
                          std::function<std::vector<float>()> make);

std::vector<float> Transposed(ConstMat m);

// Per container.
Adapter LoadMlxAdapter(const std::filesystem::path& weights, const Json& keys,
                       const std::string& config_path, const ModelConfig& config);
Adapter LoadPeftAdapter(const std::filesystem::path& folder, const Json& keys,
                        const ModelConfig& config);
Adapter LoadGgufAdapter(const std::filesystem::path& file, const ModelConfig& config);

}  // namespace lem
