// SPDX-License-Identifier: EUPL-1.2
// The packed quantised matrix keeps every format's numbers to the bit, at about the file's size.
#include "backend/cpu/quant_matrix.h"

#include <gtest/gtest.h>

#include "tests/support/stored_matrices.h"

namespace lem {
namespace {

using testing::GgmlMatrix;
using testing::OwnedMatrix;
using testing::QuantizedMatrices;

TEST(QuantMatrix, DequantisesEveryFormatToTheBit) {
  for (const int64_t rows : {1, 31, 70}) {
    for (const OwnedMatrix& m : QuantizedMatrices(rows, 768)) {
      const cpu::QuantMatrix packed(m.matrix);
      std::vector<float> got(768), expected(768);
      for (int64_t r = 0; r < rows; ++r) {
        packed.DequantizeRow(r, got);
        ReadRow(m.matrix, r, expected);
        ASSERT_EQ(got, expected) << m.name << ", row " << r;
      }
    }
  }
}

// Infinities and subnormals in float16 fields, every exponent of MXFP4.
TEST(QuantMatrix, KeepsExtremeScales) {
  OwnedMatrix m = GgmlMatrix(GgmlType::kMXFP4, 256, 32);
  for (size_t r = 0; r < 256; ++r) m.bytes[r * 17] = static_cast<std::byte>(r);
  m.Bind();
  const cpu::QuantMatrix packed(m.matrix);
  std::vector<float> got(32), expected(32);
  for (int64_t r = 0; r < 256; ++r) {
    packed.DequantizeRow(r, got);
    ReadRow(m.matrix, r, expected);
    ASSERT_EQ(got, expected) << r;
  }
}

TEST(QuantMatrix, ReadsAtMostATenthMoreThanTheFile) {
  for (const OwnedMatrix& m : QuantizedMatrices(64, 768)) {
    const cpu::QuantMatrix packed(m.matrix);
    const size_t file = m.bytes.size() + m.scales.size() + m.biases.size();
    // Q2_K stores scale and minimum in one byte in the file: 100 bytes instead of 84 here.
    const double limit = m.name == "Q2_K" ? 1.2 : 1.1;
    EXPECT_LE(packed.bytes(), limit * file) << m.name;
  }
}

TEST(QuantMatrix, UndoesAdjacentPairs) {
  OwnedMatrix m = GgmlMatrix(GgmlType::kQ4_1, 64, 64);
  m.matrix.adjacent_pair_heads = 2;
  m.Bind();
  const cpu::QuantMatrix packed(m.matrix);
  std::vector<float> got(64), expected(64);
  for (int64_t r = 0; r < 64; ++r) {
    packed.DequantizeRow(r, got);
    ReadRow(m.matrix, r, expected);
    ASSERT_EQ(got, expected) << r;
  }
}

}  // namespace
}  // namespace lem
