// SPDX-License-Identifier: EUPL-1.2
// One table of CPU kernels per instruction set; PickKernels() chooses once, at start.
//
//   lanes.inl elementwise.inl gemm.inl pack.inl quant.inl codes.inl integer.inl attention_few.inl
//   attention.inl attention_backward.inl                     the code, written once
//   kernels_portable.cc kernels_avx2.cc kernels_avx512.cc    compile it per set
//
// Products work on packed operands of 32-bit units. In float32 a unit is one number and a step is
// one k. On AVX-512 in bfloat16 a unit is a pair (k, k + 1) and a step is two k; elsewhere
// bfloat16 operands are floats that were rounded. Unit (step, i) lies at [step * width + i].
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace lem::cpu {

inline constexpr int64_t kPanel = 32;      // outputs per packed panel
inline constexpr int64_t kBlockRows = 12;  // rows per packed block of activations

// Packs element (i, k) for i < count into width-wide steps, zeros beyond; K is padded to whole
// steps. transposed: element (i, k) lies at source[k * stride + i], else at source[i * stride + k].
struct PackCall {
  const void* source;
  bool bf16, transposed;
  int64_t stride, count, width, k;
  float* out;
};

// y (rows, cols) = or += scale * a b. Unit (step, r) of a lies at a[step * a_step + r]; b's at
// b[step * b_step + c] (readable up to a multiple of 16 columns).
struct TileCall {
  const float* a;
  int64_t a_step;
  const float* b;
  int64_t b_step;
  int64_t steps, rows, cols;
  float* y;
  int64_t y_stride;
  float scale;
  bool accumulate;
};

// What a product fetches into the cache for the next one while it computes: `bytes` per group.
struct Ahead {
  const uint8_t* at = nullptr;
  int64_t bytes = 0;
};

// Grouped: y[r][c] = sum over groups g of d[g][c] * (sum over the group of a b) + m[g][c] *
// sums[g][r]. d, m: (groups, kPanel); m may be null. sums: (groups, a_step).
struct GroupedCall {
  TileCall tile;
  int64_t group_steps;
  const float *d, *m, *sums;
  Ahead codes, scales;
};

// How the integers of a quantised matrix become numbers (quant_matrix.h).
struct QuantCodes {
  int bits;                  // 2, 3, 4, 5, 6, 8
  const float* values;       // code -> number, 256 entries
  const uint16_t* values16;  // the same in bfloat16 (exact)
  const uint8_t* raised;     // the same + zero, in 0 .. 255
  float zero;
  int zero_bits;  // zero == 2^zero_bits, in a matrix without offsets
  bool direct;    // raised[code] == code
};

// Where a plane of 1, 2 or 4 bits keeps pair p (quant.inl). Bit 1 of p is the field's highest bit,
// so that it chooses the byte.
static constexpr int FieldOfPair(int width, int p) {
  const int pairs = 16 / width;  // of one word
  const int within = p % pairs;
  return (within & 1) | within >> 2 << 1 | (within >> 1 & 1) * pairs / 2;
}

// Scales of one panel, as stored. Two-level: per `per_super` groups 32 float16 (and 32 for the
// offsets), then per group 32 int8 (and 32). Else per group 32 numbers (and 32).
struct QuantScales {
  enum class Kind : uint8_t { kF16, kBF16, kF32, kPowerOfTwo, kTwoLevel } kind;
  bool has_offset;
  const uint8_t* data;
  int64_t groups, per_super;
};

// How d * value + m is rounded: not at all, or each step as the file's type.
enum class QuantRounding : uint8_t { kNone, kBF16, kF16 };

// One panel, straight from its codes and scales, against at most kFewRows rows; tile.b is not used.
struct CodesCall {
  TileCall tile;
  int64_t group_steps;
  const float* sums;
  QuantCodes rule;
  QuantScales scales;
  const uint8_t* codes;
};
// Two halves' sums and totals of so many rows fill the registers. From 8 rows on an expanded panel
// is as fast.
inline constexpr int64_t kFewRows = 6;

// Which steps of a block of rows, over at most kSparseColumns of their k, hold a number other than
// zero in any of them. Rows lie anywhere.
inline constexpr int64_t kSparseColumns = 2048;
struct StepsCall {
  const float* const* rows;
  int64_t count, first, k;  // rows; columns [first, first + k)
};

struct Products {
  int step;  // k per step: 1, or 2 for pairs
  void (*pack)(const PackCall&);
  void (*multiply)(const TileCall&);
  int64_t (*find_steps)(const StepsCall&, uint16_t* steps);
  // pack, and multiply, of these steps alone. tile.a holds only them, tile.b all.
  void (*pack_steps)(const StepsCall&, const uint16_t* steps, int64_t n, float* out);
  void (*multiply_steps)(const TileCall&, const uint16_t* steps);
  void (*multiply_grouped)(const GroupedCall&);
  // sums[g][r] of a packed block of rows
  void (*group_sums)(const float* a, int64_t width, int64_t steps, int64_t group_steps,
                     float* sums);
  // code values of one panel's blocks of 32 k, as units [step][32]
  void (*expand_codes)(const QuantCodes&, const uint8_t* codes, int64_t blocks, float* out);
  // d, m: (groups, 32); m may be null
  void (*expand_scales)(const QuantScales&, float* d, float* m);
  // multiply_grouped straight from codes, the same bits; may be null
  void (*multiply_codes)(const CodesCall&);
  // The values of one block as units [step][32 rows], bfloat16 ones rounded; else like
  // expand_gradient.
  void (*expand_values)(const QuantCodes&, QuantRounding, const uint8_t* codes, const float* d,
                        const float* m, int64_t groups, float* out);
  // 32 columns of one panel dequantised and packed over its rows: units [row step][32]. d, m: of
  // the block's first group; it holds `groups` of them.
  void (*expand_gradient)(const QuantCodes&, QuantRounding, const uint8_t* codes, const float* d,
                          const float* m, int64_t groups, float* out);
};

// --- products of 8-bit integers (integer.inl)
//
// x[r][k] ~ scale[g][r] * q[r][k] with |q| <= 127, over groups of 32 k. Quad Q of eight k is the
// four bytes 2 p, 2 p + 4, 2 p + 1, 2 p + 5 of pair p = 4 (Q / 2) + Q % 2.

inline constexpr int64_t kQuadSteps = 8;                        // quads in 32 k
inline constexpr int kQuadOrder[8] = {0, 4, 1, 5, 2, 6, 3, 7};  // k of two quads, byte by byte

// `count` rows of x, k a multiple of 32. quads: [k / 4][count]; scales: [k / 32][count]; sums, over
// `sum_group` k (16 or 32), of scale * q, and raises, of -q: [k / sum_group][count]. An infinity or
// NaN makes its group's scale NaN.
struct IntegerPackCall {
  const void* source;
  bool bf16;
  int64_t stride, count, k, sum_group;
  int32_t* quads;
  float *scales, *sums;
  int32_t* raises;
};

// The integers of w are raised by `zero`, 2^raised where there are no offsets. Without offsets
//   y[r][c] = sum over groups of d[c] * scale[r] * (integers' product + raises[r] * zero),
// else of d[c] * scale[r] * (integers' product) + (m[c] - zero * d[c]) * sums[r]. rows <=
// kBlockRows, cols <= kPanel. group: of the weight.
struct IntegerTile {
  const int32_t* quads;
  const float *scales, *sums;
  const int32_t* raises;
  int64_t rows, k, group, cols;
  float* y;
  int64_t y_stride;
};
// Bytes of one panel: [k / 32][half of 16 rows][quad][row][4]; d and m: (groups, kPanel), m with
// the zero taken away; null: no offsets.
struct IntegerCall {
  IntegerTile tile;
  const uint8_t* bytes;
  const float *d, *m;
  int raised;
  Ahead codes, scales;  // per group of the weight
};
struct IntegerCodesCall {
  IntegerTile tile;
  QuantCodes rule;
  QuantScales scales;
  const uint8_t* codes;
};

struct IntegerProducts {
  void (*pack)(const IntegerPackCall&);
  // One panel's blocks of 32 k as bytes.
  void (*expand_codes)(const QuantCodes&, const uint8_t* codes, int64_t blocks, uint8_t* out);
  void (*expand_scales)(const QuantScales&, float zero, float* d, float* m);
  void (*multiply)(const IntegerCall&);
  // Straight from codes, the same bits; may be null.
  void (*multiply_codes)(const IntegerCodesCall&);
};

// --- attention (attention.inl)

inline constexpr int64_t kKeyBlock = 64;    // keys per block, aligned to positions
inline constexpr int64_t kQueryBlock = 48;  // query vectors per task at most

// Where positions [first, first + capacity * n) of one key-value head lie, as a ring of rows.
struct KeyRing {
  const void *k = nullptr, *v = nullptr;  // of this head, row 0
  int64_t k_stride = 0, v_stride = 0;     // in elements
  int64_t capacity = 1, first = 0;
  bool k_bf16 = false, v_bf16 = false;
};

// n query vectors (rows and heads that share one key-value head) against positions [begin, end) of
// its keys; positions below `split` lie in rings[0], the others in rings[1].
struct AttentionTask {
  int64_t n, head_dim;
  const float* const* q;
  const int64_t* position;
  float* const* o;
  float* const* lse;  // or null
  float scale, softcap;
  int64_t window, begin, end, split;
  KeyRing rings[2];
  bool rounded;  // operands may be rounded to bfloat16; rings[1] holds float32, position p in row p
  float* scratch;  // AttentionScratch(n, head_dim) floats
};

// One sequence and one key-value head with its `heads` query heads. Pointers are to the first row
// and first head; strides in floats. Adds to dq, dk, dv.
struct AttentionBackwardTask {
  int64_t tokens, heads, head_dim;
  float scale, softcap;
  int64_t window;
  const float *q, *k, *v, *o, *lse, *d_o;
  int64_t q_stride, k_stride, v_stride, o_stride, lse_stride, d_o_stride;
  float *dq, *dk, *dv;
  int64_t dq_stride, dk_stride, dv_stride;
  bool rounded;    // operands may be rounded to bfloat16
  float* scratch;  // AttentionBackwardScratch(...) floats
};

inline int64_t PaddedDim(int64_t head_dim) { return (head_dim + 15) / 16 * 16; }
// What one block of keys leaves for each query vector: output, maximum, sum.
inline int64_t AttentionRecord(int64_t n, int64_t head_dim) {
  return n * (PaddedDim(head_dim) + 2);
}
inline int64_t AttentionScratch(int64_t n, int64_t head_dim) {
  const int64_t dim = PaddedDim(head_dim);
  return n * dim + 2 * kKeyBlock * dim + 2 * n * kKeyBlock + 2 * n * dim + 4 * n + 64;
}
inline int64_t AttentionBackwardScratch(int64_t tokens, int64_t heads, int64_t head_dim) {
  const int64_t dim = PaddedDim(head_dim);
  return tokens * heads + 5 * kKeyBlock * dim + 4 * kQueryBlock * dim +
         5 * kQueryBlock * kKeyBlock + 64;
}

// One row of Backend::CrossEntropyGradient.
struct LogitGradientCall {
  int64_t n, target;
  float weight, softcap, negligible;
};

struct Kernels {
  const char* name;

  void (*to_bf16)(const float* x, int64_t n, uint16_t* y);
  void (*from_bf16)(const uint16_t* x, int64_t n, float* y);
  void (*add)(const float* x, int64_t n, float* y);
  void (*add_scaled)(const float* x, const float* s, int64_t n, float* y);

  float (*rms_norm)(const float* x, const float* gain, int64_t n, float eps, float* y);
  float (*rms_norm_to_bf16)(const float* x, const float* gain, int64_t n, float eps, uint16_t* y);
  float (*add_rms_norm)(const float* x, const float* gain, int64_t n, float eps, float* y);
  void (*add_rms_norm_backward)(const float* dy, const float* x, const float* gain, float r,
                                int64_t n, float* dx);
  void (*add_rms_norm_gain_grad)(const float* dy, const float* x, float r, int64_t n, float* dgain);

  void (*rope)(const float* cos, const float* sin, int heads, int64_t half, float direction,
               float* x);

  // [0] SiLU, [1] tanh-GELU
  void (*gated[2])(const float* gate, const float* up, int64_t n, float* z);
  void (*gated_to_bf16[2])(const float* gate, const float* up, int64_t n, uint16_t* z);
  void (*add_gated_backward[2])(const float* gate, const float* up, const float* dz, int64_t n,
                                float* dgate, float* dup);

  void (*softcap)(float c, int64_t n, float* z);
  float (*cross_entropy)(const float* z, int64_t n, int64_t target);
  float (*cross_entropy_gradient)(const LogitGradientCall&, float* z);

  void (*exp)(const float* x, int64_t n, float* y);
  void (*tanh)(const float* x, int64_t n, float* y);
  float (*log)(float x);

  Products products[2];  // by Precision: [0] bfloat16, [1] float32
  IntegerProducts integers;

  void (*attention)(const AttentionTask&);
  // The same in two parts: records of key blocks [first, last), counted from the task's first; then
  // all records into the outputs.
  void (*attention_blocks)(const AttentionTask&, int64_t first, int64_t last, float* records);
  void (*attention_merge)(const AttentionTask&, int64_t blocks, const float* records);
  void (*attention_backward)(const AttentionBackwardTask&);
};

// Every set compiled in that this processor runs, best first. Never empty.
std::span<const Kernels* const> AvailableKernels();
// The first of these, or the one that LEM_CPU names; any other value is an Error.
const Kernels& PickKernels();

}  // namespace lem::cpu
