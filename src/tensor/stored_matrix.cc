// SPDX-License-Identifier: EUPL-1.2
#include "tensor/stored_matrix.h"

#include "base/check.h"

namespace lem {
namespace {

template <Dtype kDtype>
float RoundTo(float value) {
  if constexpr (kDtype == Dtype::kBF16) return BFloat16ToFloat(FloatToBFloat16(value));
  if constexpr (kDtype == Dtype::kF16) return Float16ToFloat(FloatToFloat16(value));
  return value;
}

// w = scale * q + bias, each step rounded to the type of scales and biases.
template <Dtype kDtype>
void ReadAffineRow(const StoredMatrix& m, int64_t stored_row, std::span<float> out) {
  const size_t group = static_cast<size_t>(m.affine.group_size), groups = out.size() / group;
  const size_t first_group = static_cast<size_t>(stored_row) * groups;
  const std::byte* packed = m.bytes.data() + static_cast<size_t>(stored_row) * m.RowBytes();
  uint8_t codes[128];
  LEM_CHECK(group <= sizeof codes);
  for (size_t g = 0; g < groups; ++g) {
    float scale = 0, bias = 0;
    ToFloat(kDtype, m.scales.data() + (first_group + g) * SizeOf(kDtype), {&scale, 1});
    ToFloat(kDtype, m.biases.data() + (first_group + g) * SizeOf(kDtype), {&bias, 1});
    UnpackAffineBytes(m.affine.bits, packed, {codes, group});
    packed += group * static_cast<size_t>(m.affine.bits) / 8;
    float* w = out.data() + g * group;
    for (size_t i = 0; i < group; ++i) {
      w[i] = RoundTo<kDtype>(RoundTo<kDtype>(scale * static_cast<float>(codes[i])) + bias);
    }
  }
}

void ReadAffineRow(const StoredMatrix& m, int64_t stored_row, std::span<float> out) {
  switch (m.dtype) {
    case Dtype::kBF16:
      return ReadAffineRow<Dtype::kBF16>(m, stored_row, out);
    case Dtype::kF16:
      return ReadAffineRow<Dtype::kF16>(m, stored_row, out);
    case Dtype::kF32:
      return ReadAffineRow<Dtype::kF32>(m, stored_row, out);
    default:
      LEM_CHECK(false);  // checkpoint.cc refuses other types
  }
}

}  // namespace

int64_t StoredMatrix::StoredRow(int64_t logical_row) const {
  LEM_CHECK(logical_row >= 0 && logical_row < rows);
  if (adjacent_pair_heads <= 0) return logical_row;
  LEM_CHECK(rows % (2 * adjacent_pair_heads) == 0);
  const int64_t head_dim = rows / adjacent_pair_heads;
  const int64_t head = logical_row / head_dim, within = logical_row % head_dim;
  const int64_t half = within / (head_dim / 2), i = within % (head_dim / 2);
  return head * head_dim + 2 * i + half;
}

size_t StoredMatrix::RowBytes() const {
  const size_t n = static_cast<size_t>(cols);
  switch (kind) {
    case Kind::kPlain:
      return n * SizeOf(dtype);
    case Kind::kGgml:
      return n / InfoOf(ggml).block_elements * InfoOf(ggml).block_bytes;
    case Kind::kAffine:
      return n * static_cast<size_t>(affine.bits) / 8;
  }
  LEM_CHECK(false);
}

std::span<const std::byte> StoredMatrix::RawRow(int64_t logical_row) const {
  const size_t row_bytes = RowBytes();
  return bytes.subspan(static_cast<size_t>(StoredRow(logical_row)) * row_bytes, row_bytes);
}

void ReadRow(const StoredMatrix& matrix, int64_t row, std::span<float> out) {
  LEM_CHECK(static_cast<int64_t>(out.size()) == matrix.cols);
  switch (matrix.kind) {
    case StoredMatrix::Kind::kPlain:
      ToFloat(matrix.dtype, matrix.RawRow(row).data(), out);
      break;
    case StoredMatrix::Kind::kGgml:
      DequantizeGgml(matrix.ggml, matrix.RawRow(row).data(), out);
      break;
    case StoredMatrix::Kind::kAffine:
      ReadAffineRow(matrix, matrix.StoredRow(row), out);
      break;
  }
  if (matrix.plus != 0) {
    for (float& value : out) value += matrix.plus;
  }
}

}  // namespace lem
