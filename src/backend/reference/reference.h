// SPDX-License-Identifier: EUPL-1.2
// The mathematics, written once, as plainly as it can be: the oracle for every backend.
// Any number type works: float runs, double judges, std::complex<double> differentiates (the
// complex step needs analytic functions, so nothing here takes an absolute value of a variable).
// Matrices are row-major std::vector<T>; shapes stand in the comments. Never optimise this file.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lem::reference {

inline double Real(double v) { return v; }
inline double Real(float v) { return v; }
inline double Real(std::complex<double> v) { return v.real(); }

// y (rows, n) = x * r * gain, r = 1 / sqrt(mean(x^2) + eps). gain: (n).
template <class T>
std::vector<T> RmsNorm(const std::vector<T>& x, const std::vector<T>& gain, double eps) {
  const size_t n = gain.size();
  std::vector<T> y(x.size());
  for (size_t t = 0; t < x.size() / n; ++t) {
    T sum = 0;
    for (size_t i = 0; i < n; ++i) sum += x[t * n + i] * x[t * n + i];
    const T r = T(1) / std::sqrt(sum / T(n) + T(eps));
    for (size_t i = 0; i < n; ++i) y[t * n + i] = x[t * n + i] * r * gain[i];
  }
  return y;
}

// y (rows, out) = x w^T; x: (rows, in), w: (out, in).
template <class T>
std::vector<T> MatMul(const std::vector<T>& x, const std::vector<T>& w, size_t in) {
  const size_t rows = x.size() / in, out = w.size() / in;
  std::vector<T> y(rows * out, T(0));
  for (size_t t = 0; t < rows; ++t)
    for (size_t o = 0; o < out; ++o)
      for (size_t i = 0; i < in; ++i) y[t * out + o] += x[t * in + i] * w[o * in + i];
  return y;
}

// b (cols, rows) of a (rows, cols).
template <class T>
std::vector<T> Transpose(const std::vector<T>& a, size_t cols) {
  const size_t rows = a.size() / cols;
  std::vector<T> b(a.size());
  for (size_t r = 0; r < rows; ++r)
    for (size_t c = 0; c < cols; ++c) b[c * rows + r] = a[r * cols + c];
  return b;
}

// Half-split rotation. x: (rows, heads * head_dim); cos, sin: (positions, head_dim / 2), row
// positions[t] for row t.
template <class T>
std::vector<T> Rope(std::vector<T> x, size_t heads, size_t head_dim, const std::vector<double>& cos,
                    const std::vector<double>& sin, const std::vector<int32_t>& positions) {
  const size_t half = head_dim / 2;
  for (size_t t = 0; t < positions.size(); ++t) {
    for (size_t h = 0; h < heads; ++h) {
      T* a = x.data() + (t * heads + h) * head_dim;
      for (size_t j = 0; j < half; ++j) {
        const T c = T(cos[positions[t] * half + j]), s = T(sin[positions[t] * half + j]);
        const T first = a[j], second = a[j + half];
        a[j] = first * c - second * s;
        a[j + half] = second * c + first * s;
      }
    }
  }
  return x;
}

template <class T>
T Softcap(T z, double c) {
  return c > 0 ? T(c) * std::tanh(z / T(c)) : z;
}

struct AttentionShape {
  size_t heads = 1, kv_heads = 1, head_dim = 1;
  double scale = 1, softcap = 0;
  int64_t window = 0;  // 0: causal only
};

template <class T>
struct AttentionResult {
  std::vector<T> o, lse;  // (rows, heads * head_dim), (rows, heads)
};

// One sequence. q: (rows, heads * head_dim) at positions first .. first + rows - 1; k, v: (keys,
// kv_heads * head_dim) at positions 0 .. keys - 1. Keys after a row's position are not read.
template <class T>
AttentionResult<T> Attention(const AttentionShape& s, const std::vector<T>& q,
                             const std::vector<T>& k, const std::vector<T>& v, size_t first = 0) {
  const size_t width = s.heads * s.head_dim, kv_width = s.kv_heads * s.head_dim;
  const size_t rows = q.size() / width;
  AttentionResult<T> result{std::vector<T>(q.size(), T(0)), std::vector<T>(rows * s.heads)};
  for (size_t t = 0; t < rows; ++t) {
    for (size_t h = 0; h < s.heads; ++h) {
      const size_t kv_offset = h / (s.heads / s.kv_heads) * s.head_dim;
      const int64_t position = static_cast<int64_t>(first + t);
      const int64_t begin = s.window > 0 && position >= s.window ? position - s.window + 1 : 0;
      std::vector<T> z;
      double top = -1e300;
      for (int64_t j = begin; j <= position; ++j) {
        T dot = 0;
        for (size_t d = 0; d < s.head_dim; ++d)
          dot += q[t * width + h * s.head_dim + d] * k[j * kv_width + kv_offset + d];
        z.push_back(Softcap(dot * T(s.scale), s.softcap));
        top = std::max(top, Real(z.back()));
      }
      T sum = 0;
      for (T& value : z) sum += value = std::exp(value - T(top));
      for (size_t j = 0; j < z.size(); ++j)
        for (size_t d = 0; d < s.head_dim; ++d)
          result.o[t * width + h * s.head_dim + d] +=
              z[j] / sum * v[(begin + j) * kv_width + kv_offset + d];
      result.lse[t * s.heads + h] = std::log(sum) + T(top);
    }
  }
  return result;
}

template <class T>
T Silu(T a) {
  return a / (T(1) + std::exp(-a));
}

template <class T>
T GeluTanh(T a) {
  const T inner = T(0.7978845608028654) * (a + T(0.044715) * a * a * a);
  return T(0.5) * a * (T(1) + std::tanh(inner));
}

// act(gate) * up, element by element. silu: false means tanh-GELU.
template <class T>
std::vector<T> GatedActivation(bool silu, const std::vector<T>& gate, const std::vector<T>& up) {
  std::vector<T> z(gate.size());
  for (size_t i = 0; i < z.size(); ++i) z[i] = (silu ? Silu(gate[i]) : GeluTanh(gate[i])) * up[i];
  return z;
}

// loss (rows) of logits (rows, vocabulary).
template <class T>
std::vector<T> CrossEntropy(const std::vector<T>& logits, const std::vector<int32_t>& targets) {
  const size_t n = logits.size() / targets.size();
  std::vector<T> loss(targets.size());
  for (size_t t = 0; t < targets.size(); ++t) {
    double top = -1e300;
    for (size_t i = 0; i < n; ++i) top = std::max(top, Real(logits[t * n + i]));
    T sum = 0;
    for (size_t i = 0; i < n; ++i) sum += std::exp(logits[t * n + i] - T(top));
    loss[t] = std::log(sum) + T(top) - logits[t * n + targets[t]];
  }
  return loss;
}

}  // namespace lem::reference
