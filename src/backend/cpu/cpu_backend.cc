// SPDX-License-Identifier: EUPL-1.2
// The CPU backend: splits each verb into rows and hands rows to kernels on all threads.
#include "backend/cpu/cpu_backend.h"

#include <algorithm>
#include <cstring>

#include "backend/backend.h"
#include "backend/cpu/attention.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/products.h"
#include "backend/cpu/weights.h"
#include "base/check.h"
#include "base/threads.h"

namespace lem {
namespace {

using cpu::CpuWeight;
using cpu::Kernels;

// Calls row(t) for every row; a thread gets at least 16 Ki numbers.
template <class Row>
void ForRows(size_t rows, size_t cols, Row row) {
  ParallelFor(rows, std::max<int64_t>(1, 16384 / std::max<size_t>(cols, 1)),
              [&](int64_t begin, int64_t end) {
                for (int64_t t = begin; t < end; ++t) row(static_cast<size_t>(t));
              });
}

template <class A, class B>
void CheckSame(const A& a, const B& b) {
  LEM_CHECK(a.rows == b.rows && a.cols == b.cols);
}

uint16_t* BFloat16Row(const Operand& y, size_t t) {
  return static_cast<uint16_t*>(y.data) + t * y.stride;
}

class Cpu final : public Backend {
 public:
  explicit Cpu(const Kernels& kernels) : k_(kernels) {}
  std::string Name() const override { return k_.name; }

  std::unique_ptr<Weight> Prepare(const StoredMatrix& matrix,
                                  const WeightOptions& options) override {
    return cpu::MakeWeight(matrix, options, k_);
  }

  void Zero(Mat x) override {
    ForRows(x.rows, x.cols, [&](size_t t) { std::memset(x.Row(t).data(), 0, x.cols * 4); });
  }

  void Copy(ConstMat x, Operand y) override {
    CheckSame(x, y);
    ForRows(x.rows, x.cols, [&](size_t t) {
      if (y.bf16) return k_.to_bf16(x.Row(t).data(), x.cols, BFloat16Row(y, t));
      std::memmove(y.AsFloat().Row(t).data(), x.Row(t).data(), x.cols * 4);
    });
  }

  void Add(ConstMat x, Mat y) override {
    CheckSame(x, y);
    ForRows(x.rows, x.cols, [&](size_t t) { k_.add(x.Row(t).data(), x.cols, y.Row(t).data()); });
  }

  void AddScaledRows(ConstMat x, ConstVec s, Mat y) override {
    CheckSame(x, y);
    LEM_CHECK(s.size() == x.cols);
    ForRows(x.rows, x.cols,
            [&](size_t t) { k_.add_scaled(x.Row(t).data(), s.data(), x.cols, y.Row(t).data()); });
  }

  void RmsNorm(ConstMat x, ConstVec gain, float eps, Operand y, Vec r) override {
    CheckSame(x, y);
    LEM_CHECK(gain.size() == x.cols && (r.empty() || r.size() == x.rows));
    ForRows(x.rows, x.cols, [&](size_t t) {
      const float* row = x.Row(t).data();
      const float inverse =
          y.bf16 ? k_.rms_norm_to_bf16(row, gain.data(), x.cols, eps, BFloat16Row(y, t))
                 : k_.rms_norm(row, gain.data(), x.cols, eps, y.AsFloat().Row(t).data());
      if (!r.empty()) r[t] = inverse;
    });
  }

  void AddRmsNorm(ConstMat x, ConstVec gain, float eps, Mat y, Vec r) override {
    CheckSame(x, y);
    LEM_CHECK(gain.size() == x.cols && (r.empty() || r.size() == x.rows));
    ForRows(x.rows, x.cols, [&](size_t t) {
      const float inverse =
          k_.add_rms_norm(x.Row(t).data(), gain.data(), x.cols, eps, y.Row(t).data());
      if (!r.empty()) r[t] = inverse;
    });
  }

  void AddRmsNormBackward(ConstMat dy, ConstMat x, ConstVec gain, ConstVec r, Mat dx) override {
    CheckSame(dy, x);
    CheckSame(dx, x);
    LEM_CHECK(gain.size() == x.cols && r.size() == x.rows);
    ForRows(x.rows, x.cols, [&](size_t t) {
      k_.add_rms_norm_backward(dy.Row(t).data(), x.Row(t).data(), gain.data(), r[t], x.cols,
                               dx.Row(t).data());
    });
  }

  // Split by columns: each sum over tokens has one writer.
  void AddRmsNormGainGrad(ConstMat dy, ConstMat x, ConstVec r, Vec dgain) override {
    CheckSame(dy, x);
    LEM_CHECK(dgain.size() == x.cols && r.size() == x.rows);
    const int64_t parts = (x.cols + 63) / 64;
    ParallelFor(parts, std::max<int64_t>(1, 256 / std::max<size_t>(x.rows, 1)),
                [&](int64_t first, int64_t last) {
                  const size_t begin = first * 64, n = std::min<size_t>(last * 64, x.cols) - begin;
                  for (size_t t = 0; t < x.rows; ++t)
                    k_.add_rms_norm_gain_grad(dy.Row(t).data() + begin, x.Row(t).data() + begin,
                                              r[t], n, dgain.data() + begin);
                });
  }

  void MatMul(ConstOperand x, std::span<const Product> products) override {
    cpu::WeightProduct list[kProductsAtOnce];
    LEM_CHECK(products.size() <= kProductsAtOnce);
    for (size_t i = 0; i < products.size(); ++i)
      list[i] = {static_cast<const CpuWeight*>(products[i].weight), products[i].y};
    cpu::MultiplyWeights(x, std::span(list).first(products.size()));
  }
  void AddMatMulInputGrad(ConstOperand dy, const Weight& w, Mat dx) override {
    cpu::AddMultiplyWeightInputGrad(dy, static_cast<const CpuWeight&>(w), dx);
  }
  void AddSparseMatMulInputGrad(ConstMat dy, const Weight& w, Mat dx) override {
    cpu::AddSparseMultiplyWeightInputGrad(dy, static_cast<const CpuWeight&>(w), dx);
  }

  void Embed(std::span<const int32_t> ids, const Weight& w, float scale, Mat y) override {
    LEM_CHECK(ids.size() == y.rows && static_cast<int64_t>(y.cols) == w.cols());
    const auto& weight = static_cast<const CpuWeight&>(w);
    ForRows(y.rows, y.cols, [&](size_t t) {
      LEM_CHECK(ids[t] >= 0 && ids[t] < w.rows());
      weight.ReadRow(ids[t], y.Row(t));
      if (scale == 1) return;
      for (float& v : y.Row(t)) v *= scale;
    });
  }

  void AddMatMul(Precision p, float s, ConstOperand x, ConstMat w, Mat y) override {
    cpu::AddProduct(Of(p), s, {x, false}, {w, true}, y);
  }
  void AddMatMulInputGrad(Precision p, float s, ConstOperand dy, ConstMat w, Mat dx) override {
    cpu::AddProduct(Of(p), s, {dy, false}, {w, false}, dx);
  }
  void AddMatMulWeightGrad(Precision p, float s, ConstOperand dy, ConstOperand x, Mat dw) override {
    cpu::AddProduct(Of(p), s, {dy, true}, {x, false}, dw);
  }

  void Rope(const RopeTable& table, std::span<const int32_t> positions, int heads, bool inverse,
            Mat x) override {
    const size_t half = table.cos.cols;
    LEM_CHECK(table.sin.cols == half && x.cols == 2 * half * heads && positions.size() == x.rows);
    ForRows(x.rows, x.cols, [&](size_t t) {
      const size_t p = positions[t];
      LEM_CHECK(p < table.cos.rows && p < table.sin.rows);
      k_.rope(table.cos.Row(p).data(), table.sin.Row(p).data(), heads, half, inverse ? -1 : 1,
              x.Row(t).data());
    });
  }

  void Attention(const AttentionShape& shape, std::span<const Segment> segments, ConstMat q,
                 ConstMat k, ConstMat v, Mat o, Mat lse) override {
    cpu::RunAttention(k_, shape, segments, q, k, v, o, lse);
  }
  void AddAttentionBackward(const AttentionShape& shape, std::span<const Segment> segments,
                            ConstMat q, ConstMat k, ConstMat v, ConstMat o, ConstMat lse,
                            ConstMat d_o, Mat dq, Mat dk, Mat dv) override {
    cpu::RunAttentionBackward(k_, shape, segments, q, k, v, o, lse, d_o, dq, dk, dv);
  }

  void StoreKv(ConstMat k, ConstMat v, int64_t first_row_position, const KvRing& ring) override {
    LEM_CHECK(k.rows == v.rows && ring.k.rows == ring.v.rows && ring.k.rows > 0);
    LEM_CHECK(first_row_position >= 0);
    for (size_t t = 0; t < k.rows; ++t) {
      const size_t row = (first_row_position + t) % ring.k.rows;
      Copy(k.Rows(t, t + 1), ring.k.Rows(row, row + 1));
      Copy(v.Rows(t, t + 1), ring.v.Rows(row, row + 1));
    }
  }
  void AttentionCached(const AttentionShape& shape, std::span<const CachedSegment> segments,
                       ConstMat q, Mat o) override {
    cpu::RunAttentionCached(k_, shape, segments, q, o);
  }

  void GatedActivation(Activation act, ConstMat gate, ConstMat up, Operand z) override {
    CheckSame(gate, up);
    CheckSame(gate, z);
    const int a = act == Activation::kGeluTanh;
    ForRows(gate.rows, gate.cols, [&](size_t t) {
      const float *g = gate.Row(t).data(), *u = up.Row(t).data();
      if (z.bf16) return k_.gated_to_bf16[a](g, u, gate.cols, BFloat16Row(z, t));
      k_.gated[a](g, u, gate.cols, z.AsFloat().Row(t).data());
    });
  }
  void AddGatedActivationBackward(Activation act, ConstMat gate, ConstMat up, ConstMat dz,
                                  Mat dgate, Mat dup) override {
    CheckSame(gate, up);
    CheckSame(gate, dz);
    CheckSame(gate, dgate);
    CheckSame(gate, dup);
    ForRows(gate.rows, gate.cols, [&](size_t t) {
      k_.add_gated_backward[act == Activation::kGeluTanh](gate.Row(t).data(), up.Row(t).data(),
                                                          dz.Row(t).data(), gate.cols,
                                                          dgate.Row(t).data(), dup.Row(t).data());
    });
  }

  void Softcap(float c, Mat z) override {
    ForRows(z.rows, z.cols, [&](size_t t) { k_.softcap(c, z.cols, z.Row(t).data()); });
  }
  void CrossEntropy(ConstMat logits, std::span<const int32_t> targets, Vec loss) override {
    CheckTargets(targets, logits, loss);
    ForRows(logits.rows, logits.cols, [&](size_t t) {
      loss[t] = k_.cross_entropy(logits.Row(t).data(), logits.cols, targets[t]);
    });
  }
  void CrossEntropyGradient(std::span<const int32_t> targets, const LogitGradient& how, Vec loss,
                            Mat logits) override {
    CheckTargets(targets, logits, loss);
    ForRows(logits.rows, logits.cols, [&](size_t t) {
      loss[t] = k_.cross_entropy_gradient(
          {static_cast<int64_t>(logits.cols), targets[t], how.weight, how.softcap, how.negligible},
          logits.Row(t).data());
    });
  }

 private:
  static void CheckTargets(std::span<const int32_t> targets, ConstMat logits, Vec loss) {
    LEM_CHECK(targets.size() == logits.rows && loss.size() == logits.rows);
    for (const int32_t target : targets)
      LEM_CHECK(target >= 0 && static_cast<size_t>(target) < logits.cols);
  }
  const cpu::Products& Of(Precision p) const { return k_.products[p == Precision::kFloat32]; }

  const Kernels& k_;
};

}  // namespace

std::unique_ptr<Backend> cpu::MakeBackend(const Kernels& kernels) {
  return std::make_unique<Cpu>(kernels);
}

Backend& CpuBackend() {
  static Cpu cpu(cpu::PickKernels());
  return cpu;
}

Backend* CudaBackend() { return nullptr; }

}  // namespace lem
