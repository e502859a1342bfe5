// SPDX-License-Identifier: EUPL-1.2
#include "ops/newton_schulz.h"

#include <cmath>
#include <vector>

#include "base/check.h"
#include "base/threads.h"

namespace lem {
namespace {

constexpr float kA = 3.4445f, kB = -4.7750f, kC = 2.0315f;

std::vector<float> Transpose(ConstMat x) {
  std::vector<float> t(x.rows * x.cols);
  for (size_t r = 0; r < x.rows; ++r) {
    for (size_t c = 0; c < x.cols; ++c) t[c * x.rows + r] = x.data[r * x.cols + c];
  }
  return t;
}

// gram = x x^T, (n, n); one writer per row, sums from left to right.
void Gram(ConstMat x, Mat gram) {
  ParallelFor(static_cast<int64_t>(x.rows), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      for (size_t j = 0; j < x.rows; ++j) {
        float sum = 0;
        for (size_t k = 0; k < x.cols; ++k) {
          sum += x.data[i * x.cols + k] * x.data[j * x.cols + k];
        }
        gram.data[i * x.rows + j] = sum;
      }
    }
  });
}

// y = s x + p q; p (n, n), q (n, m).
void ScaledPlusProduct(float s, ConstMat x, ConstMat p, ConstMat q, Mat y) {
  ParallelFor(static_cast<int64_t>(y.rows), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      float* row = y.data + i * y.cols;
      for (size_t j = 0; j < y.cols; ++j) row[j] = s * x.data[i * x.cols + j];
      for (size_t k = 0; k < p.cols; ++k) {
        const float factor = p.data[i * p.cols + k];
        for (size_t j = 0; j < y.cols; ++j) row[j] += factor * q.data[k * q.cols + j];
      }
    }
  });
}

// wide: (n, m) with n <= m.
void OrthogonaliseWide(Mat wide, int steps) {
  const size_t n = wide.rows, m = wide.cols;
  double norm = 0;
  for (size_t i = 0; i < n * m; ++i) norm += static_cast<double>(wide.data[i]) * wide.data[i];
  const float scale = 1 / (static_cast<float>(std::sqrt(norm)) + 1e-7f);
  for (size_t i = 0; i < n * m; ++i) wide.data[i] *= scale;

  std::vector<float> gram(n * n), scaled(n * n), polynomial(n * n), next(n * m);
  for (int step = 0; step < steps; ++step) {
    Gram(wide, {gram.data(), n, n});
    for (size_t i = 0; i < n * n; ++i) scaled[i] = kC * gram[i];
    ScaledPlusProduct(kB, ConstMat(gram.data(), n, n), ConstMat(scaled.data(), n, n),
                      ConstMat(gram.data(), n, n), {polynomial.data(), n, n});
    ScaledPlusProduct(kA, wide, ConstMat(polynomial.data(), n, n), wide, {next.data(), n, m});
    for (size_t i = 0; i < n * m; ++i) wide.data[i] = next[i];
  }
}

}  // namespace

void Orthogonalise(Mat x, int steps) {
  LEM_CHECK(x.stride == x.cols);
  if (x.rows <= x.cols) return OrthogonaliseWide(x, steps);
  std::vector<float> wide = Transpose(x);
  OrthogonaliseWide({wide.data(), x.cols, x.rows}, steps);
  const std::vector<float> back = Transpose({wide.data(), x.cols, x.rows});
  for (size_t i = 0; i < back.size(); ++i) x.data[i] = back[i];
}

}  // namespace lem
