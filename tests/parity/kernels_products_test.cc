// SPDX-License-Identifier: EUPL-1.2
// Matrix products against float64 loops over the exact stored values, on every kernel set: every
// weight format, form and precision, odd shapes, and the promise that neither threads nor the
// number of rows change a bit.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "backend/cpu/quant_matrix.h"
#include "backend/reference/reference.h"
#include "base/error.h"
#include "tests/support/stored_matrices.h"

namespace lem {
namespace {

using testing::AffineMatrix;
using testing::ExpectNear;
using testing::GgmlMatrix;
using testing::KernelSet;
using testing::KernelSets;
using testing::OnOneAndTwoThreads;
using testing::OwnedMatrix;
using testing::PlainMatrix;
using testing::QuantizedMatrices;
using testing::RoundedToBFloat16;
using testing::TestBFloat16;
using testing::TestMat;

using Form = WeightOptions::Form;

// Sum of |x| |w|, the scale of rounding errors, at its largest over all outputs.
double Magnitude(std::vector<double> x, std::vector<double> w, size_t in) {
  for (double& v : x) v = std::fabs(v);
  for (double& v : w) v = std::fabs(v);
  double largest = 0;
  for (const double v : reference::MatMul(x, w, in)) largest = std::max(largest, v);
  return largest;
}

// A sum of k products in float32, one after the other: at most k roundings of half an ulp; on
// average far fewer. bfloat16 operands are exact in the expectation, so the same bound holds.
double SumTolerance(size_t k) { return 2 * std::sqrt(double(k) + 8) * 0x1p-24 * 8; }

struct Case {
  Precision precision;
  Form form;
  bool gradients;
};
constexpr Case kCases[] = {
    {Precision::kBFloat16, Form::kCompact, false}, {Precision::kBFloat16, Form::kRounded, true},
    {Precision::kFloat32, Form::kCompact, true},   {Precision::kBFloat16, Form::kDense, true},
    {Precision::kFloat32, Form::kDense, false},    {Precision::kBFloat16, Form::kDense, false},
    {Precision::kBFloat16, Form::kInteger, false}};

bool RoundsToIntegers(const OwnedMatrix& m, const Case& c) {
  return c.form == Form::kInteger && cpu::QuantMatrix::IsQuantized(m.matrix);
}

// Groups of 32: the nearest of 255 numbers between plus and minus the largest. In float32, as the
// kernels choose them.
std::vector<double> RoundedToIntegers(const std::vector<double>& x) {
  std::vector<double> rounded(x.size());
  for (size_t begin = 0; begin < x.size(); begin += 32) {
    float top = 0;
    for (size_t i = begin; i < begin + 32; ++i)
      top = std::max(top, std::fabs(static_cast<float>(x[i])));
    const float inverse = top > 0 ? 127 / top : 0, scale = top / 127;
    for (size_t i = begin; i < begin + 32; ++i)
      rounded[i] = double(scale) * std::nearbyint(static_cast<float>(x[i]) * inverse);
  }
  return rounded;
}

std::vector<double> ForwardRows(const OwnedMatrix& m, const Case& c, const TestMat& x) {
  if (RoundsToIntegers(m, c)) return RoundedToIntegers(x.As());
  return c.precision == Precision::kBFloat16 ? RoundedToBFloat16(x.As()) : x.As();
}

// The float64 operands that a product is a sum over: quantised weights in compact form keep their
// exact values even in bfloat16 (affine ones before the file's rounding of product and sum).
std::vector<double> ForwardWeight(const OwnedMatrix& m, const Case& c) {
  const bool quantized = cpu::QuantMatrix::IsQuantized(m.matrix);
  if (c.precision == Precision::kFloat32 ||
      (quantized && (c.form == Form::kCompact || c.form == Form::kInteger)))
    return m.Values();
  return RoundedToBFloat16(m.Values());
}

void CheckForward(const OwnedMatrix& m, const Case& c, size_t rows) {
  const size_t in = m.matrix.cols, out = m.matrix.rows;
  const TestMat x(rows, in, 3);
  const bool bf16 = c.precision == Precision::kBFloat16;
  const bool integers = RoundsToIntegers(m, c);
  const auto xs = ForwardRows(m, c, x);
  const auto w = ForwardWeight(m, c);
  const auto expected = reference::MatMul(xs, w, in);
  double tolerance = SumTolerance(in) * Magnitude(xs, w, in);
  // Integers are raised by up to 128 steps and lowered again: terms of up to 383 steps, where the
  // numbers themselves are about 64.
  if (integers) tolerance *= 6;
  if (m.matrix.kind == StoredMatrix::Kind::kAffine && bf16)
    tolerance += 0x1p-8 * Magnitude(xs, w, in);  // the file's two roundings to bfloat16
  for (const KernelSet& set : KernelSets()) {
    const auto weight = set.backend->Prepare(m.matrix, {c.precision, c.form, c.gradients});
    const std::string what = m.name + " on " + set.name;
    const auto y = OnOneAndTwoThreads(what, [&] {
      TestMat result(rows, out);
      set.backend->MatMul(x, *weight, result);
      EXPECT_TRUE(result.GuardsHold()) << what;
      return result.Values();
    });
    ExpectNear(y, expected, tolerance, what);
    if (!bf16 || integers) continue;  // integers are chosen from what x is
    TestMat same(rows, out);
    set.backend->MatMul(TestBFloat16(x), *weight, same);
    EXPECT_EQ(y, same.Values()) << what << ": a bfloat16 operand gives other bits";
  }
}

TEST(MatMulParity, PlainWeights) {
  for (const Dtype dtype : {Dtype::kF32, Dtype::kF16, Dtype::kBF16})
    for (const auto [rows, in, out] :
         {std::array<size_t, 3>{1, 1, 1}, {3, 17, 5}, {13, 64, 33}, {30, 95, 100}}) {
      OwnedMatrix m = PlainMatrix(dtype, out, in);
      m.Bind();
      for (const Case& c : kCases) CheckForward(m, c, rows);
    }
}

TEST(MatMulParity, QuantisedWeights) {
  for (const auto& m : QuantizedMatrices(45, 256))
    for (const Case& c : kCases)
      for (const size_t rows : {1u, 7u, 26u}) CheckForward(m, c, rows);
}

TEST(MatMulParity, InputGradients) {
  std::vector<OwnedMatrix> all = QuantizedMatrices(45, 256);
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBF16}) all.push_back(PlainMatrix(dtype, 45, 70));
  for (OwnedMatrix& m : all) {
    m.Bind();
    const size_t in = m.matrix.cols, out = m.matrix.rows, rows = 14;
    for (const Case& c : kCases) {
      if (c.form == Form::kInteger) continue;  // without gradients
      const bool bf16 = c.precision == Precision::kBFloat16;
      const TestMat dy(rows, out, 3);
      const auto w = reference::Transpose(bf16 ? RoundedToBFloat16(m.Values()) : m.Values(), in);
      const auto dys = bf16 ? RoundedToBFloat16(dy.As()) : dy.As();
      auto expected = reference::MatMul(dys, w, out);
      const TestMat before(rows, in, 5);
      const auto start = before.As();
      for (size_t i = 0; i < expected.size(); ++i) expected[i] += start[i];
      for (const KernelSet& set : KernelSets()) {
        const auto weight = set.backend->Prepare(m.matrix, {c.precision, c.form, c.gradients});
        const std::string what = m.name + " gradient on " + set.name;
        const auto dx = OnOneAndTwoThreads(what, [&] {
          TestMat result(rows, in, 5);
          set.backend->AddMatMulInputGrad(dy, *weight, result);
          EXPECT_TRUE(result.GuardsHold()) << what;
          return result.Values();
        });
        ExpectNear(dx, expected, SumTolerance(out) * (4 + Magnitude(dys, w, out)), what);
      }
    }
  }
}

// Columns of zeros are left out, which no sum can tell: the bits of the dense product. Rows of
// every density, so that they are grouped in another order than they lie; two chunks of columns,
// the second of an odd number.
TEST(MatMulParity, SparseInputGradientsHaveTheBitsOfDenseOnes) {
  std::vector<OwnedMatrix> all;
  all.push_back(GgmlMatrix(GgmlType::kQ4_1, 2500, 64));
  all.push_back(GgmlMatrix(GgmlType::kQ8_0, 2500, 64));
  all.push_back(PlainMatrix(Dtype::kBF16, 2101, 40));
  for (OwnedMatrix& m : all) {
    m.Bind();
    const size_t in = m.matrix.cols, out = m.matrix.rows, rows = 27;
    TestMat dy(rows, out, 3);
    for (size_t r = 0; r < rows; ++r)
      for (size_t k = 0; k < out; ++k)
        if ((k * 2654435761u + r * 40503u) % 97 >= r * 7 % 31) dy.view().Row(r)[k] = 0;
    dy.view().Row(3)[out - 1] = 1;  // the last column, alone in its pair where their number is odd
    for (const Case& c : kCases) {
      if (c.form == Form::kInteger) continue;  // without gradients
      for (const KernelSet& set : KernelSets()) {
        const auto weight = set.backend->Prepare(m.matrix, {c.precision, c.form, c.gradients});
        const std::string what = m.name + " sparse gradient on " + set.name;
        TestMat dense(rows, in, 5);
        set.backend->AddMatMulInputGrad(dy, *weight, dense);
        const auto sparse = OnOneAndTwoThreads(what, [&] {
          TestMat result(rows, in, 5);
          set.backend->AddSparseMatMulInputGrad(dy, *weight, result);
          EXPECT_TRUE(result.GuardsHold()) << what;
          return result.Values();
        });
        EXPECT_EQ(sparse, dense.Values()) << what;
      }
    }
  }
}

// Decode, prefill and every batch between them: the same bits for the same row.
TEST(MatMulParity, ARowDoesNotDependOnTheRowsBesideIt) {
  std::vector<OwnedMatrix> all = QuantizedMatrices(70, 256);
  all.push_back(PlainMatrix(Dtype::kBF16, 70, 300));
  const TestMat all_rows(65, 300, 3);
  for (OwnedMatrix& m : all) {
    m.Bind();
    for (const KernelSet& set : KernelSets())
      for (const auto& [precision, form] : {std::pair(Precision::kBFloat16, Form::kCompact),
                                            std::pair(Precision::kBFloat16, Form::kInteger),
                                            std::pair(Precision::kFloat32, Form::kCompact)}) {
        const auto weight = set.backend->Prepare(m.matrix, {precision, form, false});
        const ConstMat x = ConstMat(all_rows).Cols(0, m.matrix.cols);
        TestMat full(65, 70);
        set.backend->MatMul(x, *weight, full);
        const bool slow = set.name == "portable";
        for (size_t rows = 1; rows <= 33; rows += slow && rows > 1 ? 8 : 1) {
          TestMat part(rows, 70);
          set.backend->MatMul(x.Rows(7, 7 + rows), *weight, part);
          for (size_t t = 0; t < rows; ++t)
            for (size_t o = 0; o < 70; ++o)
              ASSERT_EQ(part.view().Row(t)[o], full.view().Row(t + 7)[o])
                  << m.name << " on " << set.name << ", " << rows << " rows, row " << t;
        }
      }
  }
}

TEST(MatMulParity, IntegersAgreeWhereProductsAreFused) {
  for (const auto& m : QuantizedMatrices(45, 256)) {
    const TestMat x(26, 256, 3);
    std::vector<std::vector<float>> results;
    for (const KernelSet& set : KernelSets()) {
      if (set.name == "portable") continue;
      const auto weight = set.backend->Prepare(m.matrix, {.form = Form::kInteger});
      TestMat y(26, 45);
      set.backend->MatMul(x, *weight, y);
      results.push_back(y.Values());
    }
    for (const auto& other : results) EXPECT_EQ(other, results.front()) << m.name;
  }
}

// What is no number stays none, in its own row, and rows too small for a scale count as zero.
TEST(MatMulParity, IntegersOfRowsThatHaveNone) {
  OwnedMatrix m = GgmlMatrix(GgmlType::kQ4_0, 33, 64);
  m.Bind();
  for (const KernelSet& set : KernelSets()) {
    const auto weight = set.backend->Prepare(m.matrix, {.form = Form::kInteger});
    TestMat x(4, 64, 3), y(4, 33);
    x.view().Row(0)[40] = std::numeric_limits<float>::infinity();
    x.view().Row(1)[3] = std::numeric_limits<float>::quiet_NaN();
    for (float& v : x.view().Row(2)) v = 1e-38f;
    set.backend->MatMul(x, *weight, y);
    for (size_t o = 0; o < 33; ++o) {
      EXPECT_TRUE(std::isnan(y.view().Row(0)[o])) << set.name;
      EXPECT_TRUE(std::isnan(y.view().Row(1)[o])) << set.name;
      EXPECT_EQ(y.view().Row(2)[o], 0) << set.name;
      EXPECT_TRUE(std::isfinite(y.view().Row(3)[o])) << set.name;
    }
  }
}

TEST(MatMulParity, EmbedGivesTheStoredRowTimesScale) {
  std::vector<OwnedMatrix> all = QuantizedMatrices(45, 256);
  for (const Dtype dtype : {Dtype::kF32, Dtype::kF16, Dtype::kBF16})
    all.push_back(PlainMatrix(dtype, 45, 70));
  for (OwnedMatrix& m : all) {
    m.Bind();
    const std::vector<int32_t> ids = {44, 0, 3, 3};
    for (const KernelSet& set : KernelSets())
      for (const Case& c : kCases) {
        const auto weight = set.backend->Prepare(m.matrix, {c.precision, c.form, c.gradients});
        TestMat y(4, m.matrix.cols);
        set.backend->Embed(ids, *weight, 25.25f, y);
        std::vector<float> row(m.matrix.cols);
        for (size_t t = 0; t < 4; ++t) {
          ReadRow(m.matrix, ids[t], row);
          for (size_t i = 0; i < row.size(); ++i)
            ASSERT_EQ(y.view().Row(t)[i], row[i] * 25.25f) << m.name;
        }
        EXPECT_TRUE(y.GuardsHold());
      }
  }
}

// y += s x w^T, dx += s dy w, dw += s dy^T x with shapes of adapters and odd ones.
TEST(TrainedProductParity, MatchesTheReference) {
  for (const auto [t, in, out] : {std::array<size_t, 3>{1, 8, 33},
                                  {37, 96, 8},
                                  {37, 8, 96},
                                  {50, 33, 17},
                                  {5, 1, 1},
                                  {2, 64, 256}})
    for (const Precision p : {Precision::kBFloat16, Precision::kFloat32}) {
      const TestMat x(t, in, 3), w(out, in, 4), dy(t, out, 5);
      const auto as = [&](const TestMat& m) {
        return p == Precision::kBFloat16 ? RoundedToBFloat16(m.As()) : m.As();
      };
      const auto y64 = reference::MatMul(as(x), as(w), in);
      const auto dx64 = reference::MatMul(as(dy), reference::Transpose(as(w), in), out);
      const auto dw64 =
          reference::MatMul(reference::Transpose(as(dy), out), reference::Transpose(as(x), in), t);
      const auto plus = [](const TestMat& before, std::vector<double> v) {
        const auto start = before.As();
        for (size_t i = 0; i < v.size(); ++i) v[i] = start[i] + 0.5 * v[i];
        return v;
      };
      for (const KernelSet& set : KernelSets()) {
        OnOneAndTwoThreads("trained product on " + set.name, [&] {
          TestMat y(t, out, 7), dx(t, in, 8), dw(out, in, 9);
          set.backend->AddMatMul(p, 0.5f, x, w, y);
          set.backend->AddMatMulInputGrad(p, 0.5f, dy, w, dx);
          set.backend->AddMatMulWeightGrad(p, 0.5f, dy, x, dw);
          // Elements of x, w, dy are below 4 and mostly below 2.
          ExpectNear(y.Values(), plus(TestMat(t, out, 7), y64), SumTolerance(in) * (4 + 2 * in),
                     "y");
          ExpectNear(dx.Values(), plus(TestMat(t, in, 8), dx64), SumTolerance(out) * (4 + 2 * out),
                     "dx");
          ExpectNear(dw.Values(), plus(TestMat(out, in, 9), dw64), SumTolerance(t) * (4 + 2 * t),
                     "dw");
          EXPECT_TRUE(y.GuardsHold() && dx.GuardsHold() && dw.GuardsHold());
          std::vector<float> all = y.Values();
          for (const TestMat* m : {&dx, &dw})
            for (const float v : m->Values()) all.push_back(v);
          return all;
        });
      }
    }
}

TEST(TrainedProductParity, TakesBFloat16OperandsToTheSameBits) {
  const TestMat x(19, 40, 3), w(24, 40, 4), dy(19, 24, 5);
  for (const KernelSet& set : KernelSets()) {
    TestMat y(19, 24), y16(19, 24), dx(19, 40), dx16(19, 40), dw(24, 40), dw16(24, 40);
    const Precision p = Precision::kBFloat16;
    set.backend->AddMatMul(p, 1, x, w, y);
    set.backend->AddMatMul(p, 1, TestBFloat16(x), w, y16);
    set.backend->AddMatMulInputGrad(p, 1, dy, w, dx);
    set.backend->AddMatMulInputGrad(p, 1, TestBFloat16(dy), w, dx16);
    set.backend->AddMatMulWeightGrad(p, 1, dy, x, dw);
    set.backend->AddMatMulWeightGrad(p, 1, TestBFloat16(dy), TestBFloat16(x), dw16);
    EXPECT_EQ(y.Values(), y16.Values()) << set.name;
    EXPECT_EQ(dx.Values(), dx16.Values()) << set.name;
    EXPECT_EQ(dw.Values(), dw16.Values()) << set.name;
  }
}

TEST(PrepareErrors, NamesWhatIsWrongWithAShape) {
  Backend& backend = *KernelSets().front().backend;
  OwnedMatrix m = GgmlMatrix(GgmlType::kQ4_K, 4, 256);
  m.Bind();
  StoredMatrix cut = m.matrix, odd = m.matrix, empty = m.matrix, heads = m.matrix;
  cut.bytes = cut.bytes.first(100);
  odd.cols = 200;
  empty.rows = 0;
  heads.adjacent_pair_heads = 3;
  for (const StoredMatrix& bad : {cut, odd, empty, heads})
    EXPECT_THROW(backend.Prepare(bad, {}), Error);
  OwnedMatrix affine = AffineMatrix({4, 64}, Dtype::kBF16, 4, 256);
  affine.scales.pop_back();
  affine.Bind();
  EXPECT_THROW(backend.Prepare(affine.matrix, {}), Error);
}

}  // namespace
}  // namespace lem
