// SPDX-License-Identifier: EUPL-1.2
#include "backend/cpu/quant_matrix.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "backend/cpu/ggml_blocks.h"
#include "base/check.h"
#include "base/threads.h"

namespace lem::cpu {
namespace {

constexpr int64_t kSuper = 256;  // k per float16 scale of a two-level format

float PowerOfTwo(uint8_t e) {  // 2^(e - 128)
  return std::bit_cast<float>(e < 2 ? 0x00200000u << e : static_cast<uint32_t>(e - 1) << 23);
}

constexpr float kIq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                            1,    13,   25,  38,  53,  69,  89,  113};
constexpr float kFp4[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

}  // namespace

bool QuantMatrix::IsQuantized(const StoredMatrix& m) {
  if (m.kind == StoredMatrix::Kind::kAffine) return true;
  return m.kind == StoredMatrix::Kind::kGgml && m.ggml != GgmlType::kF32 &&
         m.ggml != GgmlType::kF16 && m.ggml != GgmlType::kBF16;
}

QuantMatrix::QuantMatrix(const StoredMatrix& matrix, Bytes bytes)
    : rows_(matrix.rows), cols_(matrix.cols), bytes_(bytes) {
  LEM_CHECK(IsQuantized(matrix) && matrix.plus == 0);
  Describe(matrix);
  panel_code_bytes_ = kPanel * cols_ * bits_ / 8;
  const int64_t kinds = has_offset_ ? 2 : 1;
  panel_scale_bytes_ = groups() * kPanel * kinds * static_cast<int64_t>(ScaleBytes());
  if (scale_ == Scale::kTwoLevel) panel_scale_bytes_ += cols_ / kSuper * kPanel * kinds * 2;
  const size_t floats = this->bytes() / 4 + 16;  // kernels may read one vector past the last scale
  std::memset(storage_.Reserve(floats), 0, floats * 4);
  ParallelFor(panels(), 1, [&](int64_t begin, int64_t end) {
    std::vector<uint8_t> codes(cols_);
    for (int64_t r = begin * kPanel; r < std::min(end * kPanel, rows_); ++r)
      LoadRow(matrix, r, codes.data());
  });
}

void QuantMatrix::Describe(const StoredMatrix& matrix) {
  if (matrix.kind == StoredMatrix::Kind::kAffine) {
    DescribeAffine(matrix);
  } else {
    DescribeGgml(matrix.ggml);
  }
  for (int c = 0; c < 1 << bits_; ++c)
    direct_ = direct_ && values_[c] == values_[0] + static_cast<float>(c);
  zero_ = direct_ ? -values_[0] : 128;
  zero_bits_ = std::countr_zero(static_cast<uint32_t>(zero_));
  LEM_CHECK(has_offset_ || zero_ == static_cast<float>(1u << zero_bits_));
  for (int c = 0; c < 1 << bits_; ++c) {
    values16_[c] = FloatToBFloat16(values_[c]);
    raised_[c] = static_cast<uint8_t>(values_[c] + zero_);
  }
}

void QuantMatrix::DescribeGgml(GgmlType type) {
  const auto linear = [&](int bits, int zero) {
    bits_ = bits;
    for (int c = 0; c < 1 << bits; ++c) values_[c] = static_cast<float>(c - zero);
  };
  const auto two_level = [&](int64_t group, bool offset) {
    scale_ = Scale::kTwoLevel;
    group_ = group;
    has_offset_ = offset;
  };
  switch (type) {
    case GgmlType::kQ4_0:
      return linear(4, 8);
    case GgmlType::kQ4_1:
      has_offset_ = true;
      return linear(4, 0);
    case GgmlType::kQ5_0:
      return linear(5, 16);
    case GgmlType::kQ5_1:
      has_offset_ = true;
      return linear(5, 0);
    case GgmlType::kQ8_0:
      linear(8, 0);
      for (int c = 128; c < 256; ++c) values_[c] = static_cast<float>(c - 256);
      return;
    case GgmlType::kQ2_K:
      two_level(16, true);
      return linear(2, 0);
    case GgmlType::kQ3_K:
      two_level(16, false);
      return linear(3, 4);
    case GgmlType::kQ4_K:
      two_level(32, true);
      return linear(4, 0);
    case GgmlType::kQ5_K:
      two_level(32, true);
      return linear(5, 0);
    case GgmlType::kQ6_K:
      two_level(16, false);
      return linear(6, 32);
    case GgmlType::kIQ4_XS:
      two_level(32, false);
      break;
    case GgmlType::kMXFP4:
      scale_ = Scale::kPowerOfTwo;
      std::copy_n(kFp4, 16, values_);
      return;
    default:
      LEM_CHECK(type == GgmlType::kIQ4_NL);
  }
  std::copy_n(kIq4, 16, values_);
}

void QuantMatrix::DescribeAffine(const StoredMatrix& matrix) {
  bits_ = matrix.affine.bits;
  group_ = matrix.affine.group_size;
  has_offset_ = true;
  rounding_ = matrix.dtype == Dtype::kBF16  ? QuantRounding::kBF16
              : matrix.dtype == Dtype::kF16 ? QuantRounding::kF16
                                            : QuantRounding::kNone;
  scale_ = matrix.dtype == Dtype::kBF16  ? Scale::kBF16
           : matrix.dtype == Dtype::kF16 ? Scale::kF16
                                         : Scale::kF32;
  for (int c = 0; c < 1 << bits_; ++c) values_[c] = static_cast<float>(c);
}

size_t QuantMatrix::ScaleBytes() const {
  switch (scale_) {
    case Scale::kF32:
      return 4;
    case Scale::kF16:
    case Scale::kBF16:
      return 2;
    default:
      return 1;
  }
}

size_t QuantMatrix::SuperOffset(int64_t group) const {
  const int64_t kinds = has_offset_ ? 2 : 1, per_super = kSuper / group_;
  return static_cast<size_t>(group / per_super * kPanel * kinds * (2 + per_super));
}

size_t QuantMatrix::ScaleOffset(int64_t group) const {
  const int64_t kinds = has_offset_ ? 2 : 1;
  if (scale_ != Scale::kTwoLevel) return group * kPanel * kinds * ScaleBytes();
  return SuperOffset(group) + kPanel * kinds * (2 + group % (kSuper / group_));
}

void QuantMatrix::LoadRow(const StoredMatrix& matrix, int64_t row, uint8_t* codes) {
  const std::byte* raw = matrix.RawRow(row).data();
  if (matrix.kind == StoredMatrix::Kind::kAffine) {
    const uint32_t mask = (1u << bits_) - 1;
    for (int64_t k = 0; k < cols_; k += 8, raw += bits_) {  // 8 codes fill `bits` bytes
      uint64_t word = 0;
      std::memcpy(&word, raw, bits_);
      for (int j = 0; j < 8; ++j) codes[k + j] = word >> bits_ * j & mask;
    }
    PutAffineScales(matrix, row);
  } else {
    const GgmlTypeInfo& info = InfoOf(matrix.ggml);
    for (int64_t k = 0; k < cols_; k += info.block_elements)
      BlockCodes(matrix.ggml, raw + k / info.block_elements * info.block_bytes, codes + k);
    PutGgmlScales(matrix.ggml, raw, row);
  }
  PutCodes(row, codes);
}

namespace {

// Field (row, k) of one plane in a half-block of 16 rows and 32 k (quant.inl).
struct Field {
  int word, shift;
};
Field FieldOf(int width, int k) {
  const int per_word = 32 / width, within = k % per_word;
  return {k / per_word, within % 2 * 16 + FieldOfPair(width, within / 2) * width};
}

// Word w of a row: codes of per_word k, the even ones in the lower half.
template <int kWidth>
void PutPlane(uint8_t* plane, int row, const uint8_t* codes, int from_bit) {
  constexpr int kPerWord = 32 / kWidth;
  for (int w = 0; w < kWidth; ++w, codes += kPerWord) {
    uint32_t word = 0;
    for (int j = 0; j < kPerWord / 2; ++j) {
      const uint32_t mask = (1u << kWidth) - 1;
      const int at = FieldOfPair(kWidth, j) * kWidth;
      word |= (codes[2 * j] >> from_bit & mask) << at;
      word |= (codes[2 * j + 1] >> from_bit & mask) << (16 + at);
    }
    std::memcpy(plane + (w * 16 + row) * 4, &word, 4);
  }
}

void PutPlane(uint8_t* plane, int width, int row, const uint8_t* codes, int from_bit) {
  switch (width) {
    case 1:
      return PutPlane<1>(plane, row, codes, from_bit);
    case 2:
      return PutPlane<2>(plane, row, codes, from_bit);
    default:
      return PutPlane<4>(plane, row, codes, from_bit);
  }
}

uint32_t GetPlane(const uint8_t* plane, int width, int row, int k) {
  const Field f = FieldOf(width, k);
  uint32_t word;
  std::memcpy(&word, plane + (f.word * 16 + row) * 4, 4);
  return word >> f.shift & ((1u << width) - 1);
}

// Byte (row, k) of a half-block.
inline int ByteOf(bool quads, int row, int k) {
  if (!quads) return (k / 2 * 16 + row) * 2 + k % 2;
  constexpr int kPlace[8] = {0, 2, 4, 6, 1, 3, 5, 7};  // of k in its two quads: 0 4 1 5, 2 6 3 7
  const int place = kPlace[k % 8];
  return ((k / 8 * 2 + place / 4) * 16 + row) * 4 + place % 4;
}

}  // namespace

void QuantMatrix::PutCodes(int64_t row, const uint8_t* codes) {
  uint8_t* panel = Data() + row / kPanel * panel_code_bytes_;
  const int lane = row % 16, half = row % kPanel / 16, low = bits_ >= 4 ? 4 : 2;
  for (int64_t block = 0; block < cols_ / 32; ++block, codes += 32) {
    uint8_t* to = panel + (2 * block + half) * 64 * bits_;
    if (bits_ == 8) {
      if (bytes_ == Bytes::kQuads) {
        for (int k = 0; k < 32; ++k) to[ByteOf(true, lane, k)] = raised_[codes[k]];
      } else {
        for (int k = 0; k < 32; ++k) to[ByteOf(false, lane, k)] = codes[k];
      }
      continue;
    }
    PutPlane(to, low, lane, codes, 0);
    if (bits_ > low) PutPlane(to + 64 * low, bits_ - low, lane, codes, low);
  }
}

uint8_t QuantMatrix::Code(int64_t row, int64_t k) const {
  const int lane = row % 16, half = row % kPanel / 16, low = bits_ >= 4 ? 4 : 2;
  const uint8_t* at = PanelCodes(row / kPanel) + (2 * (k / 32) + half) * 64 * bits_;
  const int within = k % 32;
  if (bits_ == 8) {
    const bool quads = bytes_ == Bytes::kQuads;
    const uint8_t byte = at[ByteOf(quads, lane, within)];
    return quads ? static_cast<uint8_t>(byte - static_cast<int>(zero_)) : byte;
  }
  uint32_t code = GetPlane(at, low, lane, within);
  if (bits_ > low) code |= GetPlane(at + 64 * low, bits_ - low, lane, within) << low;
  return static_cast<uint8_t>(code);
}

void QuantMatrix::PutGgmlScales(GgmlType type, const std::byte* blocks, int64_t row) {
  const GgmlTypeInfo& info = InfoOf(type);
  uint8_t* panel = Scales(row / kPanel);
  const int64_t lane = row % kPanel;
  for (int64_t k = 0; k < cols_; k += info.block_elements, blocks += info.block_bytes) {
    const int64_t group = k / group_;
    if (scale_ != Scale::kTwoLevel) {
      uint8_t* d = panel + ScaleOffset(group) + lane * ScaleBytes();
      std::memcpy(d, blocks, ScaleBytes());
      if (has_offset_) std::memcpy(d + kPanel * ScaleBytes(), blocks + 2, 2);
      continue;
    }
    const SuperScales s = ReadSuperScales(type, blocks);
    uint8_t* super = panel + SuperOffset(group) + lane * 2;
    std::memcpy(super, &s.d, 2);
    if (has_offset_) std::memcpy(super + kPanel * 2, &s.dmin, 2);
    for (int64_t j = 0; j < kSuper / group_; ++j) {
      uint8_t* d = panel + ScaleOffset(group + j) + lane;
      d[0] = static_cast<uint8_t>(s.scale[j]);
      if (has_offset_) d[kPanel] = static_cast<uint8_t>(s.min[j]);
    }
  }
}

void QuantMatrix::PutAffineScales(const StoredMatrix& matrix, int64_t row) {
  const size_t size = ScaleBytes();
  const size_t first = static_cast<size_t>(matrix.StoredRow(row) * groups()) * size;
  for (int64_t g = 0; g < groups(); ++g) {
    uint8_t* d = Scales(row / kPanel) + ScaleOffset(g) + row % kPanel * size;
    std::memcpy(d, matrix.scales.data() + first + g * size, size);
    std::memcpy(d + kPanel * size, matrix.biases.data() + first + g * size, size);
  }
}

float QuantMatrix::ReadScale(const uint8_t* at) const {
  uint16_t half;
  float single;
  switch (scale_) {
    case Scale::kF16:
      std::memcpy(&half, at, 2);
      return Float16ToFloat(half);
    case Scale::kBF16:
      std::memcpy(&half, at, 2);
      return BFloat16ToFloat(half);
    case Scale::kF32:
      std::memcpy(&single, at, 4);
      return single;
    case Scale::kPowerOfTwo:
      return PowerOfTwo(*at);
    case Scale::kTwoLevel:
      return static_cast<float>(static_cast<int8_t>(*at));
  }
  LEM_CHECK(false);
}

QuantScales QuantMatrix::PanelScales(int64_t panel) const {
  return {scale_, has_offset_, Scales(panel), groups(), kSuper / group_};
}

QuantScales QuantMatrix::BlockScales(int64_t panel, int64_t block, int64_t* first) const {
  const int64_t unit =
      scale_ == Scale::kTwoLevel ? kSuper / group_ : std::max<int64_t>(1, 32 / group_);
  *first = block * 32 / group_ / unit * unit;
  const size_t offset = scale_ == Scale::kTwoLevel ? SuperOffset(*first) : ScaleOffset(*first);
  return {scale_, has_offset_, Scales(panel) + offset, unit, kSuper / group_};
}

void QuantMatrix::RowScale(int64_t row, int64_t group, float* d, float* m) const {
  const uint8_t* panel = Scales(row / kPanel);
  const size_t lane = row % kPanel, size = ScaleBytes();
  const uint8_t* at = panel + ScaleOffset(group) + lane * size;
  *d = ReadScale(at);
  *m = has_offset_ ? ReadScale(at + kPanel * size) : 0;
  if (scale_ != Scale::kTwoLevel) return;
  const uint8_t* super = panel + SuperOffset(group) + 2 * lane;
  uint16_t half;
  std::memcpy(&half, super, 2);
  *d = Float16ToFloat(half) * *d;
  if (!has_offset_) return;
  std::memcpy(&half, super + 2 * kPanel, 2);
  *m = -(Float16ToFloat(half) * *m);
}

float QuantMatrix::Dequantize(float d, float value, float m) const {
  if (!has_offset_) return d * value;
  switch (rounding_) {
    case QuantRounding::kBF16:
      return BFloat16ToFloat(FloatToBFloat16(BFloat16ToFloat(FloatToBFloat16(d * value)) + m));
    case QuantRounding::kF16:
      return Float16ToFloat(FloatToFloat16(Float16ToFloat(FloatToFloat16(d * value)) + m));
    case QuantRounding::kNone:
      break;
  }
  return d * value + m;
}

void QuantMatrix::DequantizeRow(int64_t row, std::span<float> out) const {
  LEM_CHECK(row >= 0 && row < rows_ && static_cast<int64_t>(out.size()) == cols_);
  for (int64_t g = 0; g < groups(); ++g) {
    float d, m;
    RowScale(row, g, &d, &m);
    for (int64_t k = g * group_; k < (g + 1) * group_; ++k)
      out[k] = Dequantize(d, values_[Code(row, k)], m);
  }
}

}  // namespace lem::cpu
