// SPDX-License-Identifier: EUPL-1.2
// The batch, adapter and optimizer of the tiny models' training goldens.
#pragma once

#include <cmath>
#include <vector>

#include "model/training_pass.h"
#include "tests/support/tiny_models.h"

namespace lem::testing {

inline const AdapterShape kTinyLora = {
    .type = TuneType::kLora, .rank = 2, .scale = 2, .dropout = 0, .num_layers = 4, .keys = {}};

// Both sequences; the first five ids are a prompt and do not count.
inline TrainBatch TinyBatch(const Goldens& goldens) {
  TrainBatch batch;
  batch.starts = {0};
  for (int s = 0; s < 2; ++s) {
    const std::vector<int32_t> ids = goldens.Ids(s);
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      batch.ids.push_back(ids[i]);
      batch.targets.push_back(i < 4 ? -1 : ids[i + 1]);
    }
    batch.starts.push_back(batch.ids.size());
  }
  return batch;
}

inline std::string ModuleName(const AdapterModule& m) {
  return std::to_string(m.layer) + "." + std::string(ProjectionPath(m.projection));
}

inline void FillFromGoldens(const Goldens& goldens, Adapter* adapter) {
  for (AdapterModule& m : adapter->modules()) {
    const auto down = goldens.Floats("down." + ModuleName(m)),
               up = goldens.Floats("up." + ModuleName(m));
    std::copy(down.begin(), down.end(), m.down.data);
    std::copy(up.begin(), up.end(), m.up.data);
  }
}

// torch.optim.Adam with an epsilon of 1e-3.
class TinyAdam {
 public:
  TinyAdam(size_t size, double rate) : m_(size), v_(size), rate_(rate) {}
  void Step(ConstVec gradient, Vec value) {
    ++steps_;
    for (size_t i = 0; i < m_.size(); ++i) {
      m_[i] += 0.1 * (gradient[i] - m_[i]);
      v_[i] += 0.001 * (double{gradient[i]} * gradient[i] - v_[i]);
      const double m = m_[i] / (1 - std::pow(0.9, steps_)),
                   v = v_[i] / (1 - std::pow(0.999, steps_));
      value[i] -= static_cast<float>(rate_ * m / (std::sqrt(v) + 1e-3));
    }
  }

 private:
  std::vector<double> m_, v_;
  double rate_;
  int steps_ = 0;
};

}  // namespace lem::testing
