// SPDX-License-Identifier: EUPL-1.2
// Exact derivatives to judge our backward passes by: the complex step,
//
//   Im loss(x + i h direction) / h  =  the derivative along the direction + O(h^2)
//
// Nothing is subtracted, so nothing cancels: h can be 1e-30, and the result is good to the last
// bits of a double. The loss must be analytic in x.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "tensor/view.h"

namespace lem::testing {

using Complex = std::complex<double>;
using ComplexVector = std::vector<Complex>;

inline std::vector<float> RandomVector(size_t size, unsigned seed, float scale = 1) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(size);
  for (float& v : values) v = normal(bits);
  return values;
}

inline ComplexVector Lift(std::span<const float> values) {
  return ComplexVector(values.begin(), values.end());
}

inline Mat AsMat(std::vector<float>& values, size_t cols) {
  return {values.data(), values.size() / cols, cols};
}

template <class Loss>
double DerivativeAlong(std::span<const float> x, std::span<const float> direction, Loss loss) {
  constexpr double h = 1e-30;
  ComplexVector z = Lift(x);
  for (size_t i = 0; i < z.size(); ++i) z[i].imag(h * direction[i]);
  return std::imag(loss(z)) / h;
}

// Every element of `gradient` against d loss / dx; errors are relative to the largest derivative.
template <class Loss>
void ExpectGradient(const std::string& name, std::span<const float> gradient,
                    std::span<const float> x, double tolerance, Loss loss) {
  std::vector<float> direction(x.size(), 0.0f);
  std::vector<double> expected(x.size());
  double largest = 1e-3;
  for (size_t i = 0; i < x.size(); ++i) {
    direction[i] = 1;
    expected[i] = DerivativeAlong(x, direction, loss);
    direction[i] = 0;
    largest = std::max(largest, std::abs(expected[i]));
  }
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_NEAR(gradient[i], expected[i], tolerance * largest) << name << '[' << i << ']';
  }
}

// The whole of `gradient` at once, along one random direction; the error is relative to the
// gradient's length, which is the size of its product with a normal direction.
template <class Loss>
void ExpectGradientAlong(const std::string& name, std::span<const float> gradient,
                         std::span<const float> x, std::span<const float> direction,
                         double tolerance, Loss loss) {
  double actual = 0, square = 0;
  for (size_t i = 0; i < gradient.size(); ++i) {
    actual += double{gradient[i]} * direction[i];
    if (direction[i] != 0) square += double{gradient[i]} * gradient[i];
  }
  EXPECT_GT(square, 0) << name << ": no gradient at all";
  EXPECT_NEAR(actual, DerivativeAlong(x, direction, loss), tolerance * std::sqrt(square)) << name;
}

// sum(a * b)
inline Complex Dot(std::span<const float> a, const ComplexVector& b) {
  EXPECT_EQ(a.size(), b.size());
  Complex sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * b[i];
  return sum;
}

}  // namespace lem::testing
