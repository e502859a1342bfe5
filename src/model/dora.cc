// SPDX-License-Identifier: EUPL-1.2
#include "model/dora.h"

#include <cmath>

#include "base/threads.h"

namespace lem {

std::vector<double> SquaredRowNorms(const StoredMatrix& matrix) {
  std::vector<double> squared(static_cast<size_t>(matrix.rows));
  ParallelFor(matrix.rows, 16, [&](int64_t begin, int64_t end) {
    std::vector<float> row(static_cast<size_t>(matrix.cols));
    for (int64_t r = begin; r < end; ++r) {
      ReadRow(matrix, r, row);
      double sum = 0;
      for (const float v : row) sum += double{v} * v;
      squared[static_cast<size_t>(r)] = sum;
    }
  });
  return squared;
}

void DoraNorms::SetAdapter(const Adapter* adapter, const WeightMap& weights) {
  modules_.clear();
  adapter_ = adapter && adapter->shape().type == TuneType::kDora ? adapter : nullptr;
  if (adapter_ == nullptr) return;
  for (const AdapterModule& m : adapter_->modules()) {
    const StoredMatrix& w =
        weights.blocks[static_cast<size_t>(m.layer)].projection[static_cast<size_t>(m.projection)];
    modules_.push_back({.squared = SquaredRowNorms(w),
                        .inverse_norms = std::vector<float>(m.up.rows),
                        .factors = std::vector<float>(m.up.rows)});
  }
}

void DoraNorms::Refresh(Backend& backend, std::span<const Weight* const> weights) {
  if (adapter_ == nullptr) return;
  const double s = adapter_->shape().scale;
  std::vector<float> projected;
  for (size_t i = 0; i < modules_.size(); ++i) {
    const AdapterModule& m = adapter_->modules()[i];
    const size_t rank = m.down.rows, out = m.up.rows;
    projected.resize(rank * out);
    backend.MatMul(ConstMat(m.down), *weights[i], Mat(projected.data(), rank, out));
    std::vector<double> gram(rank * rank);
    for (size_t a = 0; a < rank; ++a)
      for (size_t b = 0; b < rank; ++b)
        for (size_t k = 0; k < m.down.cols; ++k)
          gram[a * rank + b] += double{m.down.Row(a)[k]} * m.down.Row(b)[k];
    for (size_t o = 0; o < out; ++o) {
      double cross = 0, own = 0;
      for (size_t a = 0; a < rank; ++a) {
        const double up = m.up.Row(o)[a];
        cross += up * projected[a * out + o];
        for (size_t b = 0; b < rank; ++b) own += up * gram[a * rank + b] * m.up.Row(o)[b];
      }
      const double n = std::sqrt(modules_[i].squared[o] + 2 * s * cross + s * s * own);
      modules_[i].inverse_norms[o] = static_cast<float>(1 / n);
      modules_[i].factors[o] = static_cast<float>(m.magnitude[o] / n);
    }
  }
}

}  // namespace lem
