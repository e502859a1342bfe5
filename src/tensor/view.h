// SPDX-License-Identifier: EUPL-1.2
// Non-owning views. Pass them by value; a view is a pointer and its shape, nothing more.
// Constness is in the element type: Mat may be written, ConstMat may not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "base/check.h"

namespace lem {

// A row-major matrix. Rows are contiguous; `stride` elements separate the starts of two rows.
template <class T>
struct MatrixView {
  T* data = nullptr;
  size_t rows = 0, cols = 0, stride = 0;

  MatrixView() = default;
  MatrixView(T* data, size_t rows, size_t cols) : MatrixView(data, rows, cols, cols) {}
  MatrixView(T* data, size_t rows, size_t cols, size_t stride)
      : data(data), rows(rows), cols(cols), stride(stride) {}
  template <class U>
  requires std::is_same_v<T, const U> MatrixView(const MatrixView<U>& m)
      : MatrixView(m.data, m.rows, m.cols, m.stride) {}

  std::span<T> Row(size_t r) const { return {data + r * stride, cols}; }
  MatrixView Rows(size_t begin, size_t end) const {
    LEM_CHECK(begin <= end && end <= rows);
    return {data + begin * stride, end - begin, cols, stride};
  }
  MatrixView Cols(size_t begin, size_t end) const {
    LEM_CHECK(begin <= end && end <= cols);
    return {data + begin, rows, end - begin, stride};
  }
  bool empty() const { return data == nullptr || rows == 0 || cols == 0; }
};

using Mat = MatrixView<float>;
using ConstMat = MatrixView<const float>;
using Vec = std::span<float>;
using ConstVec = std::span<const float>;

// bfloat16: the upper half of a float32. Only a container; arithmetic happens in float32.
struct BFloat16 {
  uint16_t bits;
};

// A matrix of activations that is an operand of matrix products: float32 or bfloat16, by precision.
struct Operand {
  void* data = nullptr;
  bool bf16 = false;
  size_t rows = 0, cols = 0, stride = 0;  // in elements

  Operand() = default;
  Operand(Mat m) : data(m.data), rows(m.rows), cols(m.cols), stride(m.stride) {}
  Operand(MatrixView<BFloat16> m)
      : data(m.data), bf16(true), rows(m.rows), cols(m.cols), stride(m.stride) {}

  Mat AsFloat() const {
    LEM_CHECK(!bf16);
    return {static_cast<float*>(data), rows, cols, stride};
  }
  MatrixView<BFloat16> AsBFloat16() const {
    LEM_CHECK(bf16);
    return {static_cast<BFloat16*>(data), rows, cols, stride};
  }
  Operand Rows(size_t begin, size_t end) const {
    LEM_CHECK(begin <= end && end <= rows);
    Operand part = *this;
    part.data = static_cast<char*>(data) + begin * stride * (bf16 ? 2 : 4);
    part.rows = end - begin;
    return part;
  }
};

struct ConstOperand {
  const void* data = nullptr;
  bool bf16 = false;
  size_t rows = 0, cols = 0, stride = 0;

  ConstOperand() = default;
  ConstOperand(ConstMat m) : data(m.data), rows(m.rows), cols(m.cols), stride(m.stride) {}
  ConstOperand(Mat m) : ConstOperand(ConstMat(m)) {}
  ConstOperand(const Operand& m)
      : data(m.data), bf16(m.bf16), rows(m.rows), cols(m.cols), stride(m.stride) {}

  ConstMat AsFloat() const {
    LEM_CHECK(!bf16);
    return {static_cast<const float*>(data), rows, cols, stride};
  }
  MatrixView<const BFloat16> AsBFloat16() const {
    LEM_CHECK(bf16);
    return {static_cast<const BFloat16*>(data), rows, cols, stride};
  }
  ConstOperand Rows(size_t begin, size_t end) const {
    LEM_CHECK(begin <= end && end <= rows);
    ConstOperand part = *this;
    part.data = static_cast<const char*>(data) + begin * stride * (bf16 ? 2 : 4);
    part.rows = end - begin;
    return part;
  }
};

}  // namespace lem
