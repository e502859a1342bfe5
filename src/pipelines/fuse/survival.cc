// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/fuse/survival.h"

#include <cmath>

#include "base/check.h"
#include "base/threads.h"

namespace lem {
namespace {

struct Sums {
  double kept = 0, delta = 0, weight = 0;
};

Sums SumRow(const ModelTensor& tensor, const StoredMatrix& stored, int64_t row) {
  const auto cols = static_cast<size_t>(tensor.cols);
  std::vector<float> before(cols), wanted(cols), after(cols);
  ReadRow(tensor.source, row, before);
  tensor.replace(row, wanted);
  ReadRow(stored, row, after);
  Sums sums;
  for (size_t i = 0; i < cols; ++i) {
    const double w = before[i], delta = double{wanted[i]} - w;
    sums.kept += (double{after[i]} - w) * delta;
    sums.delta += delta * delta;
    sums.weight += w * w;
  }
  return sums;
}

FusedModule Measure(const ModelTensor& tensor, const StoredMatrix& stored) {
  LEM_CHECK(stored.rows == tensor.rows && stored.cols == tensor.cols);
  std::vector<Sums> rows(static_cast<size_t>(tensor.rows));
  ParallelFor(tensor.rows, 16, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      rows[static_cast<size_t>(r)] = SumRow(tensor, stored, r);
    }
  });
  Sums total;
  for (const Sums& row : rows) {
    total.kept += row.kept;
    total.delta += row.delta;
    total.weight += row.weight;
  }
  FusedModule module;
  module.name = tensor.module();
  if (total.weight > 0) module.change = std::sqrt(total.delta / total.weight);
  if (total.delta > 0) module.survival = total.kept / total.delta;
  return module;
}

}  // namespace

std::vector<FusedModule> MeasureSurvival(const std::filesystem::path& folder,
                                         const ModelConfig& config,
                                         const std::vector<ModelTensor>& tensors,
                                         Progress& progress) {
  const Checkpoint written = Checkpoint::Open(folder);
  const WeightMap weights = WeightMap::Locate(written, config);
  std::vector<const ModelTensor*> replaced;
  for (const ModelTensor& tensor : tensors) {
    if (tensor.replace && tensor.role == ModelTensor::Role::kProjection)
      replaced.push_back(&tensor);
  }
  progress.Begin("measuring what survived", static_cast<int64_t>(replaced.size()), "modules");
  std::vector<FusedModule> modules;
  for (const ModelTensor* tensor : replaced) {
    const auto& block = weights.blocks[static_cast<size_t>(tensor->layer)];
    modules.push_back(Measure(*tensor, block.projection[static_cast<size_t>(tensor->projection)]));
    progress.Update(static_cast<int64_t>(modules.size()));
  }
  progress.End();
  return modules;
}

}  // namespace lem
