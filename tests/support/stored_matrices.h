// SPDX-License-Identifier: EUPL-1.2
// A random matrix in every format that a weight file may hold, without a file.
#pragma once

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "tensor/stored_matrix.h"
#include "tests/support/kernel_sets.h"

namespace lem::testing {

struct OwnedMatrix {
  std::string name;
  StoredMatrix matrix;
  std::vector<std::byte> bytes, scales, biases;

  void Bind() {
    matrix.bytes = bytes;
    matrix.scales = scales;
    matrix.biases = biases;
  }
  std::vector<double> Values() const {
    std::vector<double> all;
    std::vector<float> row(matrix.cols);
    for (int64_t r = 0; r < matrix.rows; ++r) {
      ReadRow(matrix, r, row);
      all.insert(all.end(), row.begin(), row.end());
    }
    return all;
  }
};

inline std::vector<float> SmallNumbers(size_t n, uint64_t seed) {
  Numbers numbers(seed);
  std::vector<float> values(n);
  for (float& v : values) v = 0.05f * numbers.Next();
  return values;
}

inline OwnedMatrix PlainMatrix(Dtype dtype, int64_t rows, int64_t cols, uint64_t seed = 1) {
  OwnedMatrix m{std::string(NameOf(dtype)), {}, {}, {}, {}};
  m.matrix.rows = rows;
  m.matrix.cols = cols;
  m.matrix.dtype = dtype;
  m.bytes.resize(rows * cols * SizeOf(dtype));
  FromFloat(SmallNumbers(rows * cols, seed), dtype, m.bytes.data());
  return m;
}

// Random codes and scales; every float16 field becomes a number near 1 / 64.
inline OwnedMatrix GgmlMatrix(GgmlType type, int64_t rows, int64_t cols, uint64_t seed = 1) {
  const GgmlTypeInfo& info = InfoOf(type);
  OwnedMatrix m{std::string(info.name), {}, {}, {}, {}};
  m.matrix.kind = StoredMatrix::Kind::kGgml;
  m.matrix.rows = rows;
  m.matrix.cols = cols;
  m.matrix.ggml = type;
  m.bytes.resize(rows * cols / info.block_elements * info.block_bytes);
  Numbers numbers(seed);
  for (std::byte& b : m.bytes) b = static_cast<std::byte>(numbers.Bits() >> 20);
  std::vector<size_t> halves = {0};
  if (type == GgmlType::kQ4_1 || type == GgmlType::kQ5_1 || type == GgmlType::kQ4_K ||
      type == GgmlType::kQ5_K)
    halves = {0, 2};
  if (type == GgmlType::kQ2_K) halves = {80, 82};
  if (type == GgmlType::kQ3_K) halves = {108};
  if (type == GgmlType::kQ6_K) halves = {208};
  for (size_t block = 0; block < m.bytes.size(); block += info.block_bytes) {
    if (type == GgmlType::kMXFP4) {
      m.bytes[block] = static_cast<std::byte>(118 + numbers.Bits() % 6);
      continue;
    }
    for (const size_t at : halves) {
      const uint16_t half = FloatToFloat16((numbers.Uniform() + 0.5f) * (at % 4 ? -0.1f : 0.01f));
      std::memcpy(m.bytes.data() + block + at, &half, 2);
    }
  }
  return m;
}

inline OwnedMatrix AffineMatrix(AffineFormat format, Dtype dtype, int64_t rows, int64_t cols,
                                uint64_t seed = 1) {
  OwnedMatrix m{"affine " + std::to_string(format.bits) + " bit, group " +
                    std::to_string(format.group_size) + ", " + std::string(NameOf(dtype)),
                {},
                {},
                {},
                {}};
  m.matrix.kind = StoredMatrix::Kind::kAffine;
  m.matrix.rows = rows;
  m.matrix.cols = cols;
  m.matrix.affine = format;
  m.matrix.dtype = dtype;
  const size_t words = cols * format.bits / 32, groups = cols / format.group_size;
  m.bytes.resize(rows * words * 4);
  m.scales.resize(rows * groups * SizeOf(dtype));
  m.biases.resize(m.scales.size());
  const std::vector<float> values = SmallNumbers(rows * cols, seed);
  std::vector<uint32_t> packed(words);
  std::vector<float> scales(groups), biases(groups);
  for (int64_t r = 0; r < rows; ++r) {
    QuantizeAffine(format, AffineRule::kMetal, std::span(values).subspan(r * cols, cols), packed,
                   scales, biases);
    std::memcpy(m.bytes.data() + r * words * 4, packed.data(), words * 4);
    FromFloat(scales, dtype, m.scales.data() + r * groups * SizeOf(dtype));
    FromFloat(biases, dtype, m.biases.data() + r * groups * SizeOf(dtype));
  }
  return m;
}

inline constexpr GgmlType kQuantizedTypes[] = {
    GgmlType::kQ4_0,   GgmlType::kQ4_1,   GgmlType::kQ5_0, GgmlType::kQ5_1, GgmlType::kQ8_0,
    GgmlType::kQ2_K,   GgmlType::kQ3_K,   GgmlType::kQ4_K, GgmlType::kQ5_K, GgmlType::kQ6_K,
    GgmlType::kIQ4_NL, GgmlType::kIQ4_XS, GgmlType::kMXFP4};

// One of each quantised format; cols is a multiple of 256.
inline std::vector<OwnedMatrix> QuantizedMatrices(int64_t rows, int64_t cols) {
  std::vector<OwnedMatrix> all;
  for (const GgmlType type : kQuantizedTypes) all.push_back(GgmlMatrix(type, rows, cols));
  for (const int bits : {2, 3, 4, 5, 6, 8})
    all.push_back(AffineMatrix({bits, 64}, Dtype::kBF16, rows, cols));
  all.push_back(AffineMatrix({4, 32}, Dtype::kF16, rows, cols));
  all.push_back(AffineMatrix({4, 128}, Dtype::kF32, rows, cols));
  for (OwnedMatrix& m : all) m.Bind();
  return all;
}

}  // namespace lem::testing
