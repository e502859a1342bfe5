// SPDX-License-Identifier: EUPL-1.2
// Norms, rotation, gates and the loss against plain float64 loops, on every kernel set, at odd
// sizes and addresses; and the promise that all sets give the same bits.
#include <gtest/gtest.h>

#include <limits>

#include "backend/reference/reference.h"
#include "tests/support/kernel_sets.h"

namespace lem {
namespace {

using testing::ExpectNear;
using testing::KernelSet;
using testing::KernelSets;
using testing::OnOneAndTwoThreads;
using testing::TestBFloat16;
using testing::TestMat;

constexpr double kUlp = 0x1p-23;
constexpr size_t kSizes[] = {1, 3, 15, 16, 17, 31, 32, 33, 64, 65, 577};

// Calls check(set) for each kernel set and expects the vectors it returns to be equal.
template <class Check>
void ExpectSameOnEverySet(const std::string& what, Check check) {
  std::vector<float> first;
  for (const KernelSet& set : KernelSets()) {
    const std::vector<float> values =
        OnOneAndTwoThreads(what + " on " + set.name, [&] { return check(*set.backend); });
    if (first.empty()) first = values;
    EXPECT_EQ(first, values) << what << ": " << set.name << " differs from "
                             << KernelSets().front().name;
  }
}

TEST(RmsNormParity, MatchesTheReference) {
  for (const size_t n : kSizes)
    for (size_t shift = 0; shift < 3; ++shift) {
      const TestMat x(5, n, n + 1, 3, shift), gain(1, n, 7);
      const auto expected = reference::RmsNorm(x.As(), gain.As(), 1e-6);
      ExpectSameOnEverySet("RmsNorm", [&](Backend& b) {
        TestMat y(5, n);
        std::vector<float> r(5);
        b.RmsNorm(x, ConstMat(gain).Row(0), 1e-6f, y, r);
        // The 16-lane sum has relative error n/16 + 4 roundings at most; halved by the root.
        ExpectNear(y.Values(), expected, 20 * (n / 32.0 + 6) * kUlp, "RmsNorm");
        EXPECT_TRUE(y.GuardsHold());
        std::vector<float> all = y.Values();
        all.insert(all.end(), r.begin(), r.end());
        return all;
      });
    }
}

TEST(RmsNormParity, BFloat16OutputIsTheRoundedResult) {
  const TestMat x(3, 37, 5), gain(1, 37, 7);
  for (const KernelSet& set : KernelSets()) {
    TestMat y(3, 37);
    TestBFloat16 rounded(y);
    set.backend->RmsNorm(x, ConstMat(gain).Row(0), 1e-6f, y, {});
    set.backend->RmsNorm(x, ConstMat(gain).Row(0), 1e-6f, rounded, {});
    for (size_t t = 0; t < 3; ++t)
      for (size_t i = 0; i < 37; ++i)
        ASSERT_EQ(rounded.view().Row(t)[i].bits, FloatToBFloat16(y.view().Row(t)[i])) << set.name;
  }
}

TEST(RmsNormParity, TheAddingFormAddsTheSameNumbers) {
  const TestMat x(3, 37, 5), gain(1, 37, 7), before(3, 37, 9);
  ExpectSameOnEverySet("AddRmsNorm", [&](Backend& b) {
    TestMat y(3, 37), sum(3, 37, 9), expected(3, 37, 9);
    b.RmsNorm(x, ConstMat(gain).Row(0), 1e-6f, y, {});
    b.AddRmsNorm(x, ConstMat(gain).Row(0), 1e-6f, sum, {});
    b.Add(y, expected);
    EXPECT_EQ(sum.Values(), expected.Values());
    return sum.Values();
  });
}

// dL/dx and dL/dgain of L = sum(dy * RmsNorm(x)) by the complex step.
TEST(RmsNormParity, BackwardMatchesTheComplexStep) {
  using C = std::complex<double>;
  for (const size_t n : {size_t{5}, size_t{33}}) {
    const TestMat x(2, n, 3), gain(1, n, 4), dy(2, n, 5);
    const auto loss_slope = [&](std::vector<C> xs, std::vector<C> gains) {
      const auto y = reference::RmsNorm(xs, gains, 1e-6);
      C loss = 0;
      for (size_t i = 0; i < y.size(); ++i) loss += y[i] * C(dy.As()[i]);
      return loss.imag() / 1e-30;
    };
    std::vector<double> dx, dgain;
    for (size_t i = 0; i < 2 * n; ++i) {
      auto xs = x.As<C>();
      xs[i] += C(0, 1e-30);
      dx.push_back(1 + loss_slope(xs, gain.As<C>()));  // 1: what was there before
    }
    for (size_t i = 0; i < n; ++i) {
      auto gains = gain.As<C>();
      gains[i] += C(0, 1e-30);
      dgain.push_back(1 + loss_slope(x.As<C>(), gains));
    }
    ExpectSameOnEverySet("RmsNorm backward", [&](Backend& b) {
      TestMat y(2, n), got(2, n), got_gain(1, n);
      for (size_t i = 0; i < 2 * n; ++i) got.view().Row(i / n)[i % n] = 1;
      for (float& v : got_gain.view().Row(0)) v = 1;
      std::vector<float> r(2);
      b.RmsNorm(x, ConstMat(gain).Row(0), 1e-6f, y, r);
      b.AddRmsNormBackward(dy, x, ConstMat(gain).Row(0), r, got);
      b.AddRmsNormGainGrad(dy, x, r, got_gain.view().Row(0));
      ExpectNear(got.Values(), dx, 1e-5, "dx");
      ExpectNear(got_gain.Values(), dgain, 1e-5, "dgain");
      auto all = got.Values();
      const auto more = got_gain.Values();
      all.insert(all.end(), more.begin(), more.end());
      return all;
    });
  }
}

TEST(RopeParity, MatchesTheReferenceAndTurnsBack) {
  for (const size_t head_dim : {2u, 6u, 32u, 34u, 64u, 256u}) {
    const size_t half = head_dim / 2, heads = 3;
    TestMat cos(9, half), sin(9, half);
    std::vector<double> cos64, sin64;
    for (size_t p = 0; p < 9; ++p)
      for (size_t j = 0; j < half; ++j) {
        const double angle = p * std::pow(1e4, -2.0 * j / head_dim);
        cos64.push_back(cos.view().Row(p)[j] = static_cast<float>(std::cos(angle)));
        sin64.push_back(sin.view().Row(p)[j] = static_cast<float>(std::sin(angle)));
      }
    const std::vector<int32_t> positions = {0, 8, 3, 3, 1};
    const TestMat x(5, heads * head_dim, 3);
    const auto expected = reference::Rope(x.As(), heads, head_dim, cos64, sin64, positions);
    ExpectSameOnEverySet("Rope", [&](Backend& b) {
      TestMat y(5, heads * head_dim, 3);
      b.Rope({cos, sin}, positions, heads, false, y);
      ExpectNear(y.Values(), expected, 8 * kUlp, "Rope");  // |x| < 4, three roundings
      const auto rotated = y.Values();
      b.Rope({cos, sin}, positions, heads, true, y);
      ExpectNear(y.Values(), x.As(), 20 * kUlp, "Rope back");
      EXPECT_TRUE(y.GuardsHold());
      return rotated;
    });
  }
}

TEST(GateParity, MatchesTheReferenceForwardAndBackward) {
  using C = std::complex<double>;
  for (const bool silu : {true, false})
    for (const size_t n : {1u, 16u, 35u}) {
      const Activation act = silu ? Activation::kSilu : Activation::kGeluTanh;
      const TestMat gate(4, n, 3, 3), up(4, n, 4), dz(4, n, 5);
      const auto expected = reference::GatedActivation(silu, gate.As(), up.As());
      std::vector<double> dgate, dup;
      for (size_t i = 0; i < expected.size(); ++i) {
        const C slope = reference::GatedActivation<C>(silu, {C(gate.As()[i], 1e-30)}, {1})[0];
        dgate.push_back(dz.As()[i] * up.As()[i] * slope.imag() / 1e-30);
        dup.push_back(dz.As()[i] * slope.real());
      }
      ExpectSameOnEverySet("GatedActivation", [&](Backend& b) {
        TestMat z(4, n), got_gate(4, n), got_up(4, n);
        TestBFloat16 rounded(z);
        b.GatedActivation(act, gate, up, z);
        b.GatedActivation(act, gate, up, rounded);
        b.AddGatedActivationBackward(act, gate, up, dz, got_gate, got_up);
        // |gate| < 11, |up|, |dz| < 4: values below 170, about four roundings of 2 ulp each.
        ExpectNear(z.Values(), expected, 50 * 8 * kUlp, "z");
        ExpectNear(got_gate.Values(), dgate, 200 * 8 * kUlp, "dgate");
        ExpectNear(got_up.Values(), dup, 50 * 8 * kUlp, "dup");
        EXPECT_TRUE(z.GuardsHold() && got_gate.GuardsHold() && got_up.GuardsHold());
        for (size_t i = 0; i < expected.size(); ++i)
          EXPECT_EQ(rounded.view().Row(i / n)[i % n].bits, FloatToBFloat16(z.Values()[i]));
        auto all = z.Values();
        for (const TestMat* m : {&got_gate, &got_up})
          for (const float v : m->Values()) all.push_back(v);
        return all;
      });
    }
}

TEST(CrossEntropyParity, MatchesTheReference) {
  for (const size_t n : {1u, 2u, 17u, 1000u}) {
    const TestMat logits(3, n, 3, 10);
    const std::vector<int32_t> targets = {0, static_cast<int32_t>(n - 1),
                                          static_cast<int32_t>(n / 2)};
    const auto expected = reference::CrossEntropy(logits.As(), targets);
    ExpectSameOnEverySet("CrossEntropy", [&](Backend& b) {
      std::vector<float> loss(3);
      b.CrossEntropy(logits, targets, loss);
      ExpectNear(loss, expected, 1e-5, "loss");  // |z| < 40: 40 ulp = 5e-6
      return loss;
    });
  }
}

TEST(CrossEntropyParity, GradientIsSoftmaxMinusOneHotThroughTheCap) {
  using C = std::complex<double>;
  for (const double cap : {0.0, 30.0}) {
    const size_t n = 37;
    const TestMat raw(2, n, 3, 10);
    const std::vector<int32_t> targets = {36, 4};
    std::vector<double> expected;
    for (size_t i = 0; i < 2 * n; ++i) {
      auto z = raw.As<C>();
      z[i] += C(0, 1e-30);
      for (C& v : z) v = reference::Softcap(v, cap);
      expected.push_back(0.5 * reference::CrossEntropy(z, targets)[i / n].imag() / 1e-30);
    }
    ExpectSameOnEverySet("CrossEntropyGradient", [&](Backend& b) {
      TestMat z(2, n, 3, 10);
      std::vector<float> loss(2), same(2);
      if (cap > 0) b.Softcap(static_cast<float>(cap), z);
      b.CrossEntropy(z, targets, same);
      b.CrossEntropyGradient(targets, {.weight = 0.5f, .softcap = static_cast<float>(cap)}, loss,
                             z);
      EXPECT_EQ(loss, same);
      ExpectNear(z.Values(), expected, 1e-5, "gradient");
      EXPECT_TRUE(z.GuardsHold());
      return z.Values();
    });
  }
}

// What is left out are the smallest probabilities, no more than was allowed of them, and more than
// a sixteenth of it: one power of 1/4 further would be too many. What stays keeps its bits.
TEST(CrossEntropyParity, NegligibleProbabilitiesAreZero) {
  const size_t n = 5000;
  const float negligible = 0x1p-10f, weight = 0.5f;
  const std::vector<int32_t> targets = {17, 4999};
  ExpectSameOnEverySet("CrossEntropyGradient", [&](Backend& b) {
    TestMat all(2, n, 3, 6), few(2, n, 3, 6);
    std::vector<float> loss(2), same(2);
    b.CrossEntropyGradient(targets, {.weight = weight}, loss, all);
    b.CrossEntropyGradient(targets, {.weight = weight, .negligible = negligible}, same, few);
    EXPECT_EQ(loss, same);
    EXPECT_TRUE(few.GuardsHold());
    for (size_t r = 0; r < 2; ++r) {
      double dropped = 0, largest = 0;
      float smallest_kept = 1;
      for (size_t i = 0; i < n; ++i) {
        const float a = all.view().Row(r)[i], f = few.view().Row(r)[i];
        if (static_cast<int32_t>(i) == targets[r]) continue;
        if (f == 0) {
          dropped += a, largest = std::max(largest, double(a));
        } else {
          EXPECT_EQ(a, f);
          smallest_kept = std::min(smallest_kept, f);
        }
      }
      EXPECT_LE(dropped, weight * negligible);
      EXPECT_GT(dropped, weight * negligible / 16);
      EXPECT_LT(largest, smallest_kept);
    }
    return few.Values();
  });
}

TEST(CrossEntropyParity, NonFiniteLogitsGiveANonFiniteLoss) {
  for (const KernelSet& set : KernelSets())
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
      for (const size_t at : {0u, 5u, 20u}) {
        TestMat z(1, 21, 3);
        z.view().Row(0)[at] = bad;
        std::vector<float> loss(1);
        set.backend->CrossEntropy(z, std::vector<int32_t>{1}, loss);
        EXPECT_FALSE(std::isfinite(loss[0])) << set.name << " " << bad << " at " << at;
      }
}

// Distance in units in the last place of the exact result.
double Ulps(float got, double exact) {
  int exponent;
  std::frexp(exact, &exponent);
  return std::fabs(got - exact) / std::ldexp(1.0, std::max(exponent - 24, -149));
}

TEST(FunctionParity, ExponentialAndTangentAreWithinTwoUlp) {
  std::vector<float> xs;
  for (int i = -110000; i <= 90000; ++i) xs.push_back(static_cast<float>(i) * 1e-3f + 1e-5f);
  for (int i = -1000; i <= 1000; ++i) xs.push_back(static_cast<float>(i) * 1e-6f);
  std::vector<float> e(xs.size()), t(xs.size()), first;
  for (const cpu::Kernels* k : cpu::AvailableKernels()) {
    k->exp(xs.data(), xs.size(), e.data());
    k->tanh(xs.data(), xs.size(), t.data());
    double worst_exp = 0, worst_tanh = 0;
    for (size_t i = 0; i < xs.size(); ++i) {
      if (xs[i] < 88.7f) worst_exp = std::max(worst_exp, Ulps(e[i], std::exp(double{xs[i]})));
      worst_tanh = std::max(worst_tanh, Ulps(t[i], std::tanh(double{xs[i]})));
      ASSERT_LE(Ulps(k->log(std::fabs(xs[i]) + 1e-3f), std::log(double{std::fabs(xs[i]) + 1e-3f})),
                2);
    }
    EXPECT_LE(worst_exp, 2) << k->name;
    EXPECT_LE(worst_tanh, 2) << k->name;
    e.insert(e.end(), t.begin(), t.end());
    if (first.empty()) first = e;
    EXPECT_EQ(first, e) << k->name;
    e.resize(xs.size());
  }
}

TEST(FunctionParity, ExponentialIsExactAtItsEnds) {
  const float inf = std::numeric_limits<float>::infinity();
  const float x[] = {0.0f, -inf, inf, 200.0f, -200.0f, std::nanf("")};
  for (const cpu::Kernels* k : cpu::AvailableKernels()) {
    float y[6];
    k->exp(x, 6, y);
    EXPECT_EQ(y[0], 1) << k->name;
    EXPECT_EQ(y[1], 0) << k->name;
    EXPECT_EQ(y[2], inf) << k->name;
    EXPECT_EQ(y[3], inf) << k->name;
    EXPECT_EQ(y[4], 0) << k->name;
    EXPECT_TRUE(std::isnan(y[5])) << k->name;
  }
}

TEST(MemoryParity, CopyAddAndScaledAdd) {
  for (const size_t n : kSizes) {
    const TestMat x(3, n, 3), s(1, n, 4);
    for (const KernelSet& set : KernelSets()) {
      TestMat y(3, n, 5), z(3, n, 5), copy(3, n);
      TestBFloat16 rounded(copy);
      set.backend->Copy(x, copy);
      set.backend->Copy(x, rounded);
      set.backend->Add(x, y);
      set.backend->AddScaledRows(x, ConstMat(s).Row(0), z);
      EXPECT_EQ(copy.Values(), x.Values());
      const auto before = TestMat(3, n, 5).Values(), xs = x.Values(), scale = s.Values();
      const auto sum = y.Values(), scaled = z.Values();
      for (size_t i = 0; i < 3 * n; ++i) {
        const float xi = xs[i], yi = before[i];
        ASSERT_EQ(sum[i], yi + xi) << set.name;
        ASSERT_EQ(scaled[i], yi + xi * scale[i % n]) << set.name;
        ASSERT_EQ(rounded.view().Row(i / n)[i % n].bits, FloatToBFloat16(xi)) << set.name;
      }
      EXPECT_TRUE(y.GuardsHold() && z.GuardsHold() && copy.GuardsHold());
      set.backend->Zero(y);
      EXPECT_EQ(y.Values(), std::vector<float>(3 * n));
      EXPECT_TRUE(y.GuardsHold());
    }
  }
}

}  // namespace
}  // namespace lem
