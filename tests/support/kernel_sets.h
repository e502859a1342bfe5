// SPDX-License-Identifier: EUPL-1.2
// For the kernels' parity tests: every kernel set of this machine as a backend, and matrices of
// random numbers whose rows start at odd addresses between guards that no kernel may touch.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "base/threads.h"
#include "tensor/view.h"

namespace lem::testing {

struct KernelSet {
  std::string name;
  std::unique_ptr<Backend> backend;
};

inline const std::vector<KernelSet>& KernelSets() {
  static const std::vector<KernelSet> sets = [] {
    std::vector<KernelSet> all;
    for (const cpu::Kernels* kernels : cpu::AvailableKernels())
      all.push_back({kernels->name, cpu::MakeBackend(*kernels)});
    return all;
  }();
  return sets;
}

// A cheap, fixed sequence of roughly normal numbers.
class Numbers {
 public:
  explicit Numbers(uint64_t seed) : state_(seed * 2654435761u + 12345) {}
  float Next() {
    float sum = 0;
    for (int i = 0; i < 4; ++i) sum += Uniform();
    return (sum - 2.0f) * 1.7320508f;
  }
  float Uniform() { return static_cast<float>(Bits() >> 40) * 0x1p-24f; }
  uint64_t Bits() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }

 private:
  uint64_t state_;
};

// rows x cols in a wider buffer: `shift` floats before it, `gap` between rows.
class TestMat {
 public:
  static constexpr float kGuard = 12345.0f;

  TestMat(size_t rows, size_t cols, uint64_t seed = 0, float size = 1, size_t shift = 1,
          size_t gap = 3)
      : rows_(rows),
        cols_(cols),
        stride_(cols + gap),
        shift_(shift),
        data_(shift + rows * stride_ + 1, kGuard) {
    Numbers numbers(seed + 1);
    for (size_t r = 0; r < rows; ++r)
      for (float& v : view().Row(r)) v = seed == 0 ? 0 : size * numbers.Next();
  }
  Mat view() { return {data_.data() + shift_, rows_, cols_, stride_}; }
  operator Mat() { return view(); }
  operator ConstMat() const { return const_cast<TestMat*>(this)->view(); }
  operator Operand() { return view(); }
  operator ConstOperand() const { return ConstMat(*this); }

  std::vector<float> Values() const {
    std::vector<float> all;
    for (size_t r = 0; r < rows_; ++r)
      for (const float v : ConstMat(*this).Row(r)) all.push_back(v);
    return all;
  }
  template <class T = double>
  std::vector<T> As() const {
    const std::vector<float> values = Values();
    return std::vector<T>(values.begin(), values.end());
  }
  bool GuardsHold() const {
    std::vector<float> copy = data_;
    for (size_t r = 0; r < rows_; ++r)
      for (size_t c = 0; c < cols_; ++c) copy[shift_ + r * stride_ + c] = kGuard;
    for (const float v : copy)
      if (v != kGuard) return false;
    return true;
  }

 private:
  size_t rows_, cols_, stride_, shift_;
  std::vector<float> data_;
};

// A bfloat16 copy of the same numbers, rows at odd addresses too.
class TestBFloat16 {
 public:
  explicit TestBFloat16(const TestMat& m) : rows_(ConstMat(m).rows), cols_(ConstMat(m).cols) {
    data_.resize(rows_ * (cols_ + 1) + 1);
    for (size_t r = 0; r < rows_; ++r)
      for (size_t c = 0; c < cols_; ++c)
        view().data[r * (cols_ + 1) + c].bits = FloatToBFloat16(ConstMat(m).Row(r)[c]);
  }
  MatrixView<BFloat16> view() { return {data_.data() + 1, rows_, cols_, cols_ + 1}; }
  operator Operand() { return view(); }
  operator ConstOperand() { return Operand(view()); }

 private:
  size_t rows_, cols_;
  std::vector<BFloat16> data_;
};

inline std::vector<double> RoundedToBFloat16(std::vector<double> x) {
  for (double& v : x) v = BFloat16ToFloat(FloatToBFloat16(static_cast<float>(v)));
  return x;
}

// |a - b| <= tolerance for every element.
inline void ExpectNear(const std::vector<float>& a, const std::vector<double>& b, double tolerance,
                       const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (size_t i = 0; i < a.size(); ++i)
    ASSERT_LE(std::fabs(a[i] - b[i]), tolerance)
        << what << ", element " << i << ": " << a[i] << " against " << b[i];
}

// Runs `work` on one thread, then on two, and expects the same bits. Leaves all threads on.
template <class Work>
std::vector<float> OnOneAndTwoThreads(const std::string& what, Work work) {
  SetThreads(1);
  const std::vector<float> one = work();
  SetThreads(2);
  const std::vector<float> two = work();
  SetThreads(0);
  EXPECT_EQ(one, two) << what << " depends on the number of threads";
  return one;
}

}  // namespace lem::testing
