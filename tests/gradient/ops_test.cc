// SPDX-License-Identifier: EUPL-1.2
// Every differentiable verb of the CPU backend, element by element, against the complex step.
#include <gtest/gtest.h>

#include "backend/backend.h"
#include "backend/reference/reference.h"
#include "model/config.h"
#include "model/rope.h"
#include "tests/support/gradient.h"

namespace lem {
namespace {

using namespace testing;

// Sums of at most 64 float32 products, a division and an exponential: 64 * 2^-24 = 4e-6 of the
// largest element, times the few of them that a chain of three ops multiplies.
constexpr double kTolerance = 3e-5;

Backend& B() { return CpuBackend(); }

TEST(OpsGradient, RmsNorm) {
  for (const size_t dim : {1, 7, 16, 33}) {
    const size_t rows = 3;
    auto x = RandomVector(rows * dim, 1), gain = RandomVector(dim, 2),
         dy = RandomVector(rows * dim, 3);
    std::vector<float> y(x.size()), r(rows), dx(x.size(), 1.0f), dgain(dim, 1.0f);
    B().RmsNorm(AsMat(x, dim), gain, 1e-3f, AsMat(y, dim), r);
    B().AddRmsNormBackward(AsMat(dy, dim), AsMat(x, dim), gain, r, AsMat(dx, dim));
    B().AddRmsNormGainGrad(AsMat(dy, dim), AsMat(x, dim), r, dgain);
    for (float& v : dx) v -= 1;  // a backward adds to what is there
    for (float& v : dgain) v -= 1;
    ExpectGradient("dx", dx, x, kTolerance, [&](const auto& z) {
      return Dot(dy, reference::RmsNorm(z, Lift(gain), 1e-3f));
    });
    ExpectGradient("dgain", dgain, gain, kTolerance,
                   [&](const auto& z) { return Dot(dy, reference::RmsNorm(Lift(x), z, 1e-3f)); });
  }
}

TEST(OpsGradient, TrainedProducts) {
  const size_t rows = 5, in = 19, out = 7;
  auto x = RandomVector(rows * in, 1), w = RandomVector(out * in, 2),
       dy = RandomVector(rows * out, 3);
  std::vector<float> dx(x.size()), dw(w.size());
  B().AddMatMulInputGrad(Precision::kFloat32, 0.5f, AsMat(dy, out), AsMat(w, in), AsMat(dx, in));
  B().AddMatMulWeightGrad(Precision::kFloat32, 0.5f, AsMat(dy, out), AsMat(x, in), AsMat(dw, in));
  ExpectGradient("dx", dx, x, kTolerance,
                 [&](const auto& z) { return 0.5 * Dot(dy, reference::MatMul(z, Lift(w), in)); });
  ExpectGradient("dw", dw, w, kTolerance,
                 [&](const auto& z) { return 0.5 * Dot(dy, reference::MatMul(Lift(x), z, in)); });
}

TEST(OpsGradient, FrozenProducts) {
  const size_t rows = 5, in = 19, out = 7;
  auto x = RandomVector(rows * in, 1), w = RandomVector(out * in, 2),
       dy = RandomVector(rows * out, 3);
  StoredMatrix stored;
  stored.rows = out, stored.cols = in;
  stored.bytes = std::as_bytes(std::span(w));
  const auto weight = B().Prepare(stored, {.precision = Precision::kFloat32,
                                           .form = WeightOptions::Form::kCompact,
                                           .input_gradients = true});
  std::vector<float> dx(x.size());
  B().AddMatMulInputGrad(AsMat(dy, out), *weight, AsMat(dx, in));
  ExpectGradient("dx", dx, x, kTolerance,
                 [&](const auto& z) { return Dot(dy, reference::MatMul(z, Lift(w), in)); });
}

TEST(OpsGradient, Rope) {
  const size_t heads = 2, head_dim = 6;
  RopeTables tables({}, head_dim);
  tables.Cover(9);
  const std::vector<int32_t> positions = {0, 3, 8};
  auto x = RandomVector(3 * heads * head_dim, 1), dy = RandomVector(x.size(), 2);
  std::vector<float> dx = dy;
  B().Rope(tables.table(), positions, heads, true, AsMat(dx, heads * head_dim));
  const ConstMat cos = tables.table().cos, sin = tables.table().sin;
  const std::vector<double> c(cos.data, cos.data + cos.rows * cos.cols),
      s(sin.data, sin.data + sin.rows * sin.cols);
  ExpectGradient("dx", dx, x, kTolerance, [&](const auto& z) {
    return Dot(dy, reference::Rope(z, heads, head_dim, c, s, positions));
  });
}

struct AttentionCase {
  int window;
  float softcap;
};

TEST(OpsGradient, Attention) {
  for (const auto& [window, softcap] : {AttentionCase{0, 0}, {4, 0}, {0, 1.5f}, {3, 1.5f}}) {
    const size_t tokens = 9;
    const AttentionShape shape = {.heads = 4,
                                  .kv_heads = 2,
                                  .head_dim = 6,
                                  .scale = 0.4f,
                                  .softcap = softcap,
                                  .window = window};
    const size_t q_dim = 24, kv_dim = 12;
    auto q = RandomVector(tokens * q_dim, 1), k = RandomVector(tokens * kv_dim, 2),
         v = RandomVector(tokens * kv_dim, 3), d_o = RandomVector(tokens * q_dim, 4);
    std::vector<float> o(q.size()), lse(tokens * 4), dq(q.size()), dk(k.size()), dv(v.size());
    const Segment segments[] = {{0, 5}, {5, 9}};
    B().Attention(shape, segments, AsMat(q, q_dim), AsMat(k, kv_dim), AsMat(v, kv_dim),
                  AsMat(o, q_dim), AsMat(lse, 4));
    B().AddAttentionBackward(shape, segments, AsMat(q, q_dim), AsMat(k, kv_dim), AsMat(v, kv_dim),
                             AsMat(o, q_dim), AsMat(lse, 4), AsMat(d_o, q_dim), AsMat(dq, q_dim),
                             AsMat(dk, kv_dim), AsMat(dv, kv_dim));
    const reference::AttentionShape plain = {.heads = 4,
                                             .kv_heads = 2,
                                             .head_dim = 6,
                                             .scale = 0.4f,
                                             .softcap = softcap,
                                             .window = window};
    const auto loss = [&](const ComplexVector& q, const ComplexVector& k, const ComplexVector& v) {
      Complex total = 0;
      for (const Segment& s : segments) {
        const auto part = [&](const ComplexVector& all, size_t n) {
          return ComplexVector(all.begin() + s.begin * n, all.begin() + s.end * n);
        };
        total +=
            Dot(std::span(d_o).subspan(s.begin * q_dim, (s.end - s.begin) * q_dim),
                reference::Attention(plain, part(q, q_dim), part(k, kv_dim), part(v, kv_dim)).o);
      }
      return total;
    };
    ExpectGradient("dq", dq, q, kTolerance,
                   [&](const auto& z) { return loss(z, Lift(k), Lift(v)); });
    ExpectGradient("dk", dk, k, kTolerance,
                   [&](const auto& z) { return loss(Lift(q), z, Lift(v)); });
    ExpectGradient("dv", dv, v, kTolerance,
                   [&](const auto& z) { return loss(Lift(q), Lift(k), z); });
  }
}

TEST(OpsGradient, GatedActivation) {
  for (const Activation activation : {Activation::kSilu, Activation::kGeluTanh}) {
    auto gate = RandomVector(3 * 21, 1, 2), up = RandomVector(3 * 21, 2),
         dz = RandomVector(3 * 21, 3);
    std::vector<float> dgate(gate.size()), dup(up.size());
    B().AddGatedActivationBackward(activation, AsMat(gate, 21), AsMat(up, 21), AsMat(dz, 21),
                                   AsMat(dgate, 21), AsMat(dup, 21));
    const bool silu = activation == Activation::kSilu;
    ExpectGradient("dgate", dgate, gate, kTolerance, [&](const auto& z) {
      return Dot(dz, reference::GatedActivation(silu, z, Lift(up)));
    });
    ExpectGradient("dup", dup, up, kTolerance, [&](const auto& z) {
      return Dot(dz, reference::GatedActivation(silu, Lift(gate), z));
    });
  }
}

TEST(OpsGradient, CrossEntropyThroughTheSoftcap) {
  for (const float cap : {0.0f, 2.0f}) {
    const size_t vocab = 37;
    const std::vector<int32_t> targets = {0, 36, 11};
    auto z = RandomVector(3 * vocab, 1, 3);
    std::vector<float> logits = z, loss(3);
    if (cap > 0) B().Softcap(cap, AsMat(logits, vocab));
    B().CrossEntropyGradient(targets, {.weight = 0.25f, .softcap = cap}, loss,
                             AsMat(logits, vocab));
    ExpectGradient("dlogits", logits, z, kTolerance, [&](ComplexVector x) {
      for (Complex& v : x) v = reference::Softcap(v, cap);
      Complex total = 0;
      for (const Complex& l : reference::CrossEntropy(x, targets)) total += 0.25 * l;
      return total;
    });
  }
}

}  // namespace
}  // namespace lem
