// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/fuse/fused_rows.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace lem {
namespace {

ModelTensor& FindTensor(std::vector<ModelTensor>& tensors, const std::string& hf_name) {
  const auto tensor = std::ranges::find(tensors, hf_name, &ModelTensor::hf_name);
  LEM_CHECK(tensor != tensors.end());
  return *tensor;
}

void ReplaceModule(const AdapterModule& module, float scale, std::vector<ModelTensor>& tensors) {
  ModelTensor& tensor = FindTensor(tensors, HfName(module.projection, module.layer) + ".weight");
  tensor.replace = [source = tensor.source, module, scale](int64_t row, Vec out) {
    ReadRow(source, row, out);
    FuseRow(module, scale, row, out);
  };
}

// The tensor of the same place; norms are found by layer and slot among the names.
ModelTensor* Place(const TrainedTensor& trained, std::vector<ModelTensor>& tensors) {
  using Role = ModelTensor::Role;
  const Role role = trained.is_norm   ? Role::kNorm
                    : trained.is_bias ? Role::kBias
                                      : Role::kProjection;
  for (ModelTensor& tensor : tensors) {
    if (tensor.role != role || tensor.layer != trained.layer) continue;
    if (trained.is_norm ? tensor.norm == trained.norm : tensor.projection == trained.projection) {
      return &tensor;
    }
  }
  return nullptr;
}

}  // namespace

void FuseRow(const AdapterModule& module, float scale, int64_t row, Vec weight) {
  const ConstVec up = module.up.Row(static_cast<size_t>(row));
  for (size_t r = 0; r < module.down.rows; ++r) {
    const float factor = scale * up[r];
    if (factor == 0) continue;
    const ConstVec down = module.down.Row(r);
    for (size_t i = 0; i < weight.size(); ++i) weight[i] += factor * down[i];
  }
  if (module.magnitude.empty()) return;
  double squares = 0;
  for (const float w : weight) squares += static_cast<double>(w) * w;
  const auto norm = static_cast<float>(std::sqrt(squares));
  const float gain = norm > 0 ? module.magnitude[static_cast<size_t>(row)] / norm : 0.0f;
  for (float& w : weight) w *= gain;
}

void ReplaceFused(const Adapter& adapter, std::vector<ModelTensor>* tensors) {
  for (const AdapterModule& module : adapter.modules()) {
    ReplaceModule(module, adapter.shape().scale, *tensors);
  }
  for (const TrainedTensor& trained : adapter.tensors()) {
    ModelTensor* tensor = Place(trained, *tensors);
    LEM_CHECK(tensor != nullptr);
    tensor->replace = [value = trained.value](int64_t row, Vec out) {
      const std::span<float> from = value.Row(static_cast<size_t>(row));
      std::ranges::copy(from, out.begin());
    };
  }
}

}  // namespace lem
