// SPDX-License-Identifier: EUPL-1.2
// A linear layer in all its forms, element by element, against the complex step; with dropout too,
// whose mask is taken from Dropout itself, so that forward and backward must use the same one.
#include "model/lora_linear.h"

#include <gtest/gtest.h>

#include <cmath>

#include "backend/reference/reference.h"
#include "ops/dropout.h"
#include "tests/support/gradient.h"

namespace lem {
namespace {

using namespace testing;

constexpr size_t kTokens = 5, kIn = 19, kOut = 7, kRank = 2;
constexpr float kScale = 0.5f;
constexpr double kTolerance = 3e-5;  // as in ops_test.cc: sums of 19 products, three in a row

struct Numbers {
  std::vector<float> x = RandomVector(kTokens * kIn, 1), w = RandomVector(kOut * kIn, 2),
                     down = RandomVector(kRank * kIn, 3), up = RandomVector(kOut * kRank, 4),
                     dy = RandomVector(kTokens * kOut, 5), bias = RandomVector(kOut, 6),
                     magnitude = RandomVector(kOut, 7), inverse_norms, factors;
  Numbers() {
    for (size_t o = 0; o < kOut; ++o) {
      inverse_norms.push_back(0.1f * static_cast<float>(o + 1));
      factors.push_back(magnitude[o] * inverse_norms[o]);
    }
  }
};

struct Memory {
  std::vector<float> low = std::vector<float>(kTokens * kRank),
                     undirected = std::vector<float>(kTokens * kOut),
                     in = std::vector<float>(kTokens * kIn), in_grad = in, low_grad = low,
                     out_grad = undirected, y = undirected, dx = in;
  LoraLinear::Saved saved() {
    return {.low = AsMat(low, kRank), .undirected = AsMat(undirected, kOut)};
  }
  LoraLinear::Scratch scratch() {
    return {.in = AsMat(in, kIn),
            .in_grad = AsMat(in_grad, kIn),
            .low_grad = AsMat(low_grad, kRank),
            .out_grad = AsMat(out_grad, kOut)};
  }
};

std::unique_ptr<Weight> Prepare(std::vector<float>& w) {
  StoredMatrix stored;
  stored.rows = kOut, stored.cols = kIn;
  stored.bytes = std::as_bytes(std::span(w));
  return CpuBackend().Prepare(stored, {.precision = Precision::kFloat32, .input_gradients = true});
}

PassContext Context(bool dropout) {
  return {.backend = CpuBackend(),
          .precision = Precision::kFloat32,
          .positions = {},
          .segments = {},
          .cached = {},
          .dropout = dropout,
          .dropout_seed = 9,
          .step = 4};
}

void CheckLowRank(bool dora, float dropout) {
  Numbers n;
  Memory memory;
  const auto weight = Prepare(n.w);
  LoraLinear layer{.weight = weight.get(),
                   .trained = {},
                   .bias = n.bias,
                   .down = AsMat(n.down, kIn),
                   .up = AsMat(n.up, kRank),
                   .inverse_norms = {},
                   .factors = {},
                   .scale = kScale,
                   .dropout = dropout,
                   .module = 3,
                   .in = kIn,
                   .out = kOut};
  if (dora) layer.inverse_norms = n.inverse_norms, layer.factors = n.factors;
  const PassContext context = Context(dropout > 0);
  layer.Forward(context, AsMat(n.x, kIn), memory.saved(), memory.scratch(), AsMat(memory.y, kOut));
  std::vector<float> ddown(n.down.size()), dup(n.up.size()), dmagnitude(kOut), dbias(kOut);
  const LoraLinear::Grads grads = {.down = AsMat(ddown, kIn),
                                   .up = AsMat(dup, kRank),
                                   .weight = {},
                                   .magnitude = dora ? Vec(dmagnitude) : Vec(),
                                   .bias = dbias};
  layer.Backward(context, AsMat(n.dy, kOut), AsMat(n.x, kIn), memory.saved(), memory.scratch(),
                 AsMat(memory.dx, kIn), grads);

  std::vector<float> mask(kTokens * kIn, 1.0f);
  if (dropout > 0) Dropout({9, 4, 3}, dropout, AsMat(mask, kIn), AsMat(mask, kIn));
  const auto loss = [&](const ComplexVector& x, const ComplexVector& down, const ComplexVector& up,
                        const ComplexVector& magnitude, const ComplexVector& bias) {
    ComplexVector dropped = x, y = reference::MatMul(x, Lift(n.w), kIn);
    for (size_t i = 0; i < x.size(); ++i) dropped[i] *= mask[i];
    const ComplexVector delta = reference::MatMul(reference::MatMul(dropped, down, kIn), up, kRank);
    for (size_t i = 0; i < y.size(); ++i) {
      y[i] += double{kScale} * delta[i];
      if (dora) y[i] *= magnitude[i % kOut] * double{n.inverse_norms[i % kOut]};
      y[i] += bias[i % kOut];
    }
    return Dot(n.dy, y);
  };
  const auto x = Lift(n.x), down = Lift(n.down), up = Lift(n.up), m = Lift(n.magnitude),
             bias = Lift(n.bias);
  ExpectGradient("dx", memory.dx, n.x, kTolerance,
                 [&](const auto& z) { return loss(z, down, up, m, bias); });
  ExpectGradient("ddown", ddown, n.down, kTolerance,
                 [&](const auto& z) { return loss(x, z, up, m, bias); });
  ExpectGradient("dup", dup, n.up, kTolerance,
                 [&](const auto& z) { return loss(x, down, z, m, bias); });
  ExpectGradient("dbias", dbias, n.bias, kTolerance,
                 [&](const auto& z) { return loss(x, down, up, m, z); });
  if (!dora) return;
  ExpectGradient("dm", dmagnitude, n.magnitude, kTolerance,
                 [&](const auto& z) { return loss(x, down, up, z, bias); });
}

TEST(LoraLinearGradient, LoraMatchesTheComplexStep) { CheckLowRank(false, 0); }
TEST(LoraLinearGradient, DoraMatchesTheComplexStep) { CheckLowRank(true, 0); }
TEST(LoraLinearGradient, DropoutMatchesTheComplexStep) {
  CheckLowRank(false, 0.4f), CheckLowRank(true, 0.4f);
}

TEST(LoraLinearGradient, FullMatchesTheComplexStep) {
  Numbers n;
  Memory memory;
  LoraLinear layer;
  layer.trained = AsMat(n.w, kIn), layer.bias = n.bias, layer.in = kIn, layer.out = kOut;
  const PassContext context = Context(false);
  layer.Forward(context, AsMat(n.x, kIn), {}, {}, AsMat(memory.y, kOut));
  std::vector<float> dw(n.w.size()), dbias(kOut);
  layer.Backward(context, AsMat(n.dy, kOut), AsMat(n.x, kIn), {}, {}, AsMat(memory.dx, kIn),
                 {.down = {}, .up = {}, .weight = AsMat(dw, kIn), .magnitude = {}, .bias = dbias});
  ExpectGradient("dw", dw, n.w, kTolerance,
                 [&](const auto& z) { return Dot(n.dy, reference::MatMul(Lift(n.x), z, kIn)); });
  ExpectGradient("dx", memory.dx, n.x, kTolerance,
                 [&](const auto& z) { return Dot(n.dy, reference::MatMul(z, Lift(n.w), kIn)); });
}

TEST(Dropout, KeepsTheMeanAndDependsOnItsKeyAlone) {
  std::vector<float> ones(64 * 64, 1.0f), a(ones.size()), b(ones.size()), c(ones.size());
  Dropout({1, 2, 3}, 0.25f, AsMat(ones, 64), AsMat(a, 64));
  Dropout({1, 2, 3}, 0.25f, AsMat(ones, 64), AsMat(b, 64));
  Dropout({1, 3, 3}, 0.25f, AsMat(ones, 64), AsMat(c, 64));
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
  double mean = 0;
  for (const float v : a) mean += v / static_cast<double>(a.size());
  // The standard error of 4,096 draws of 0 or 4/3 is 0.577 / 64 = 0.009; four of them.
  EXPECT_NEAR(mean, 1, 0.036);
}

}  // namespace
}  // namespace lem
