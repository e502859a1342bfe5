// SPDX-License-Identifier: EUPL-1.2
// Every verb an op may ask of a device, and nothing else. A verb is one virtual call per tensor, so
// dispatch is free; inside a verb there is no further choice to make.
//
// Reading the names: a verb that begins with Add accumulates (+=) into its outputs; any other verb
// overwrites them. Outputs come last. Rows are tokens. Every verb gives the same bits for any
// number of threads, and a row's result does not depend on the rows beside it unless the comment
// says so (docs/numerics.md).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tensor/stored_matrix.h"
#include "tensor/view.h"

namespace lem {

// kBFloat16: matrix products round their operands to bfloat16 and accumulate in float32.
// kFloat32: everything in float32, for parity.
enum class Precision : uint8_t { kBFloat16, kFloat32 };

enum class Activation : uint8_t { kSilu, kGeluTanh };

// A frozen weight (out, in), prepared once for this device's products.
class Weight {
 public:
  virtual ~Weight() = default;
  virtual int64_t rows() const = 0;
  virtual int64_t cols() const = 0;
  virtual uint64_t bytes() const = 0;  // memory it owns or maps
};

struct WeightOptions {
  Precision precision = Precision::kBFloat16;
  // How it is kept. kCompact: as small as in its file (quantised stays quantised); in bfloat16 the
  // integers are the operands and the scales stay outside, so that nothing is rounded. kRounded:
  // kept so too, but each product rounds the dequantised values to its operands, as gradients do:
  // 94 instead of 84 % of the machine's rate for 512 rows of Q4_1, slower for few rows. kInteger:
  // kept so too, but products with quantised matrices round x to 8-bit integers in groups of 32;
  // without gradients. kDense: a copy in the kernels' own layout.
  enum class Form : uint8_t { kCompact, kRounded, kInteger, kDense } form = Form::kCompact;
  bool input_gradients =
      false;  // AddMatMulInputGrad will be asked for: dense forms keep a second layout
};

// Half-split rotation (model-formats 1.3) by tables the caller computes: cos, sin are (positions,
// head_dim / 2).
struct RopeTable {
  ConstMat cos, sin;
};

struct AttentionShape {
  int heads = 0, kv_heads = 0, head_dim = 0;
  float scale = 1;
  float softcap = 0;  // 0: none; else z <- c tanh(z / c) after the scale, before the mask
  int window = 0;     // 0: causal; else position j is visible to i iff i - window < j <= i
  // kBFloat16: Attention and its gradient may round what they multiply, as products do (AVX-512
  // does). AttentionCached goes by what the cache holds.
  Precision precision = Precision::kFloat32;
};

// Rows [begin, end) of a ragged batch are one sequence, positions counted from its first row.
struct Segment {
  size_t begin = 0, end = 0;
};

// Keys and values of one sequence in one layer: position p lies in row p % capacity. k, v:
// (capacity, kv_heads * head_dim), float32 or bfloat16. The keys are normed and rotated already.
struct KvRing {
  Operand k, v;
};

// Rows [begin, end) of q are positions first .. of one sequence. Positions below prefix_length are
// read from `prefix` (shared between sequences, never written), later ones from `own`, whose row is
// (position - prefix_length) % capacity. Everything that is visible has been stored.
struct CachedSegment {
  size_t begin = 0, end = 0;
  int64_t first = 0;
  int64_t prefix_length = 0;
  KvRing prefix, own;
};

class Backend {
 public:
  virtual ~Backend() = default;
  // "avx512_bf16", "avx2", "portable": the kernels in use (forced by LEM_CPU).
  virtual std::string Name() const = 0;

  // The bytes that `matrix` views must outlive the weight (Embed reads plain rows from them). An
  // Error if the shape does not fit the bytes or the format.
  virtual std::unique_ptr<Weight> Prepare(const StoredMatrix& matrix,
                                          const WeightOptions& options) = 0;

  // --- memory
  // -------------------------------------------------------------------------------------------
  virtual void Zero(Mat x) = 0;
  virtual void Copy(ConstMat x, Operand y) = 0;  // rounds when y is bfloat16
  virtual void Add(ConstMat x, Mat y) = 0;       // y += x
  virtual void AddScaledRows(ConstMat x, ConstVec s,
                             Mat y) = 0;  // y[t] += x[t] * s  (s: per column)

  // --- norms
  // --------------------------------------------------------------------------------------------
  // y[t] = x[t] * r[t] * gain, r[t] = 1 / sqrt(mean(x[t]^2) + eps). For Gemma the caller's gain is
  // 1 + w. r may be empty. To norm each head, pass (tokens * heads, head_dim).
  virtual void RmsNorm(ConstMat x, ConstVec gain, float eps, Operand y, Vec r) = 0;
  virtual void AddRmsNorm(ConstMat x, ConstVec gain, float eps, Mat y,
                          Vec r) = 0;  // y += norm(x): Gemma's post-norms
  virtual void AddRmsNormBackward(ConstMat dy, ConstMat x, ConstVec gain, ConstVec r, Mat dx) = 0;
  virtual void AddRmsNormGainGrad(ConstMat dy, ConstMat x, ConstVec r, Vec dgain) = 0;

  // --- products with frozen weights; w is (out, in), one output per row. x in float32 is rounded
  // to the weight's precision on the way in.
  struct Product {
    const Weight* weight;
    Mat y;
  };
  static constexpr size_t kProductsAtOnce = 4;
  // y = x w^T for each; at once, so that x is prepared once and small products share one start.
  virtual void MatMul(ConstOperand x, std::span<const Product> products) = 0;
  void MatMul(ConstOperand x, const Weight& w, Mat y) {
    const Product one{&w, y};
    MatMul(x, {&one, 1});
  }
  virtual void AddMatMulInputGrad(ConstOperand dy, const Weight& w, Mat dx) = 0;  // dx += dy w
  // The same bits. Columns of dy that are zero in every row cost little: for the gradients of
  // logits.
  virtual void AddSparseMatMulInputGrad(ConstMat dy, const Weight& w, Mat dx) = 0;
  // y[t] = scale * w[ids[t]], exact float32 values of the stored row times scale.
  virtual void Embed(std::span<const int32_t> ids, const Weight& w, float scale, Mat y) = 0;

  // --- products of float32 matrices that are trained (adapters, full fine-tuning)
  // ----------------------------- precision says how operands are rounded; sums are float32.
  virtual void AddMatMul(Precision p, float s, ConstOperand x, ConstMat w,
                         Mat y) = 0;  // y  += s x w^T
  virtual void AddMatMulInputGrad(Precision p, float s, ConstOperand dy, ConstMat w,
                                  Mat dx) = 0;  // dx += s dy w
  // dw += s dy^T x; sums over tokens in a fixed order.
  virtual void AddMatMulWeightGrad(Precision p, float s, ConstOperand dy, ConstOperand x,
                                   Mat dw) = 0;

  // --- rotation
  // ----------------------------------------------------------------------------------------- In
  // place on x: (tokens, heads * head_dim). positions[t] indexes the tables' rows. inverse rotates
  // back.
  virtual void Rope(const RopeTable& table, std::span<const int32_t> positions, int heads,
                    bool inverse, Mat x) = 0;

  // --- attention without a (tokens x tokens) matrix in memory
  // ------------------------------------------------ q, o: (tokens, heads * head_dim); k, v:
  // (tokens, kv_heads * head_dim); lse: (tokens, heads), natural log.
  virtual void Attention(const AttentionShape& shape, std::span<const Segment> segments, ConstMat q,
                         ConstMat k, ConstMat v, Mat o, Mat lse) = 0;
  virtual void AddAttentionBackward(const AttentionShape& shape, std::span<const Segment> segments,
                                    ConstMat q, ConstMat k, ConstMat v, ConstMat o, ConstMat lse,
                                    ConstMat d_o, Mat dq, Mat dk, Mat dv) = 0;
  virtual void StoreKv(ConstMat k, ConstMat v, int64_t first_row_position, const KvRing& ring) = 0;
  virtual void AttentionCached(const AttentionShape& shape, std::span<const CachedSegment> segments,
                               ConstMat q, Mat o) = 0;

  // --- gated MLP
  // ----------------------------------------------------------------------------------------
  virtual void GatedActivation(Activation act, ConstMat gate, ConstMat up,
                               Operand z) = 0;  // act(gate) * up
  virtual void AddGatedActivationBackward(Activation act, ConstMat gate, ConstMat up, ConstMat dz,
                                          Mat dgate, Mat dup) = 0;

  // --- the loss
  // ----------------------------------------------------------------------------------------- z <-
  // c tanh(z / c), Gemma 2's final soft-cap.
  virtual void Softcap(float c, Mat z) = 0;
  // loss[t] = logsumexp(z[t]) - z[t][targets[t]], in float32 with the row maximum subtracted.
  virtual void CrossEntropy(ConstMat logits, std::span<const int32_t> targets, Vec loss) = 0;
  // logits[t] becomes weight * (softmax(logits[t]) - onehot(targets[t])); loss as above.
  struct LogitGradient {
    float weight = 1;
    float softcap = 0;  // > 0: logits are after the cap, and the gradient is taken through it
    // Without a cap: of each row, the smallest probabilities become zero that together are at most
    // this (all below one power of 1/4 of the largest), for AddSparseMatMulInputGrad. The row's
    // gradient of x moves by at most weight * this * the longest row of w.
    float negligible = 0;
  };
  virtual void CrossEntropyGradient(std::span<const int32_t> targets, const LogitGradient& how,
                                    Vec loss, Mat logits) = 0;
};

// The CPU. One for the process; SetThreads (base/threads.h) before its first use.
Backend& CpuBackend();
// Null when this build or this machine has no such device. Callers never see an #ifdef.
Backend* CudaBackend();

// What this machine can do, for `lem doctor` and the benchmarks: the kernel sets compiled in, which
// of them this processor runs, and measured ceilings (about a second each).
struct CpuInfo {
  std::string model_name;
  std::string features;  // "avx2 avx512f avx512_bf16 ..."
  std::string selected;  // Name() of the kernels in use
};
CpuInfo DescribeCpu();
double MeasureGemmFlops(Precision precision);  // FLOP/s of one large oneDNN product on all threads
double MeasureReadBandwidth();                 // bytes/s, all threads

}  // namespace lem
