// SPDX-License-Identifier: EUPL-1.2
// The row norms that DoRA divides by:  n_o = | W_o + s up_o down |, without a dequantised copy of
// W:
//
//   n_o^2 = |W_o|^2 + 2 s up_o . (W_o down^T) + s^2 up_o (down down^T) up_o^T
#pragma once

#include <vector>

#include "backend/backend.h"
#include "model/adapter.h"

namespace lem {

class DoraNorms {
 public:
  // Squared row norms of the frozen weights are read once here. Clears what was there.
  void SetAdapter(const Adapter* adapter, const WeightMap& weights);
  // Computes the norms from the adapter's present values. weights[i] is module i's.
  void Refresh(Backend& backend, std::span<const Weight* const> weights);

  ConstVec inverse_norms(size_t module) const { return modules_[module].inverse_norms; }
  ConstVec factors(size_t module) const { return modules_[module].factors; }

 private:
  struct Module {
    std::vector<double> squared;                // |W_o|^2
    std::vector<float> inverse_norms, factors;  // 1 / n, m / n
  };
  const Adapter* adapter_ = nullptr;
  std::vector<Module> modules_;
};

// Euclidean norms of the rows of a stored matrix, squared.
std::vector<double> SquaredRowNorms(const StoredMatrix& matrix);

}  // namespace lem
