// SPDX-License-Identifier: EUPL-1.2
// Attention against float64 loops and the complex step: causal, windowed, capped, grouped heads,
// ragged batches and rings of keys, on every kernel set.
#include <gtest/gtest.h>

#include "backend/reference/reference.h"
#include "tests/support/kernel_sets.h"

namespace lem {
namespace {

using testing::ExpectNear;
using testing::KernelSet;
using testing::KernelSets;
using testing::OnOneAndTwoThreads;
using testing::TestMat;

struct Case {
  int heads, kv_heads, head_dim, window;
  float softcap;
};
constexpr Case kCases[] = {{1, 1, 8, 0, 0},   {4, 2, 64, 0, 0},  {4, 1, 32, 7, 0},
                           {3, 3, 80, 70, 0}, {6, 2, 24, 0, 20}, {2, 1, 256, 65, 5},
                           {2, 2, 5, 3, 0},   {2, 1, 128, 1, 0}, {100, 1, 16, 0, 0}};
constexpr Segment kSegments[] = {{0, 1}, {1, 68}, {70, 200}};

AttentionShape ShapeOf(const Case& c) {
  return {c.heads,   c.kv_heads, c.head_dim, 1.0f / std::sqrt(float(c.head_dim)),
          c.softcap, c.window};
}
reference::AttentionShape ReferenceShape(const Case& c) {
  return {size_t(c.heads),    size_t(c.kv_heads),
          size_t(c.head_dim), 1.0f / std::sqrt(float(c.head_dim)),
          c.softcap,          c.window};
}

std::vector<double> Rows(const TestMat& m, Segment s) {
  const ConstMat part = ConstMat(m).Rows(s.begin, s.end);
  std::vector<double> all;
  for (size_t r = 0; r < part.rows; ++r)
    for (const float v : part.Row(r)) all.push_back(v);
  return all;
}

std::vector<float> FloatRows(const TestMat& m, Segment s) {
  const auto rows = Rows(m, s);
  return {rows.begin(), rows.end()};
}

TEST(AttentionParity, MatchesTheReference) {
  for (const Case& c : kCases) {
    const size_t width = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
    const TestMat q(200, width, 3, 2), k(200, kv, 4, 2), v(200, kv, 5);
    std::vector<float> first;
    for (const KernelSet& set : KernelSets()) {
      const auto values = OnOneAndTwoThreads("attention on " + set.name, [&] {
        TestMat o(200, width), lse(200, c.heads);
        set.backend->Attention(ShapeOf(c), kSegments, q, k, v, o, lse);
        EXPECT_TRUE(o.GuardsHold() && lse.GuardsHold());
        for (const Segment& s : kSegments) {
          const auto expected =
              reference::Attention(ReferenceShape(c), Rows(q, s), Rows(k, s), Rows(v, s));
          // Scores up to 60 in size: 60 ulp = 7e-6 in the exponent, as much in the weights.
          ExpectNear(FloatRows(o, s), expected.o, 3e-5, "o on " + set.name);
          ExpectNear(FloatRows(lse, s), expected.lse, 3e-5, "lse on " + set.name);
        }
        return o.Values();
      });
      if (first.empty()) first = values;
      // The portable set multiplies and adds where the others fuse (docs/numerics.md).
      if (set.name != "portable") {
        EXPECT_EQ(first, values) << set.name;
      }
    }
  }
}

// A prompt alone, in a batch, or in chunks through the cache: the same bits.
TEST(AttentionParity, ASequenceDoesNotDependOnItsNeighboursOrChunks) {
  const Case c = kCases[2];
  const size_t width = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  const TestMat q(200, width, 3, 2), k(200, kv, 4, 2), v(200, kv, 5);
  for (const KernelSet& set : KernelSets()) {
    TestMat o(200, width), lse(200, c.heads), alone(200, width), chunks(200, width);
    set.backend->Attention(ShapeOf(c), kSegments, q, k, v, o, lse);
    const Segment last = kSegments[2];
    set.backend->Attention(ShapeOf(c), {&last, 1}, q, k, v, alone, lse);
    EXPECT_EQ(FloatRows(o, last), FloatRows(alone, last)) << set.name;
    TestMat ring_k(150, kv), ring_v(150, kv);
    const KvRing ring{ring_k, ring_v};
    for (size_t row = last.begin, step = 1; row < last.end; row += step, step = step * 3 % 50 + 1) {
      const size_t end = std::min(row + step, last.end);
      set.backend->StoreKv(ConstMat(k).Rows(row, end), ConstMat(v).Rows(row, end), row - last.begin,
                           ring);
      const CachedSegment segment{row, end, int64_t(row - last.begin), 0, {}, ring};
      set.backend->AttentionCached(ShapeOf(c), {&segment, 1}, q, chunks);
    }
    EXPECT_EQ(FloatRows(o, last), FloatRows(chunks, last)) << set.name;
  }
}

// Rings that have wrapped, a shared prefix, bfloat16 keys, several sequences in one call.
TEST(AttentionParity, CachedReadsPrefixAndRing) {
  for (const bool bf16 : {false, true})
    for (const Case& c : kCases) {
      const size_t width = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
      const size_t length = 190, prefix = 67;
      const size_t capacity = c.window > 0 ? size_t(c.window) + 20 : length;
      TestMat k(length, kv, 4, 2), v(length, kv, 5);
      TestMat q(5, width, 3, 2);
      for (TestMat* m : {&k, &v, &q})
        for (size_t t = 0; t < m->view().rows; ++t)
          for (float& x : m->view().Row(t)) x = BFloat16ToFloat(FloatToBFloat16(x));
      // With a cache in bfloat16 a set may round probabilities, each by at most 2^-9 of itself.
      double largest = 0;
      for (const double x : v.As()) largest = std::max(largest, std::fabs(x));
      const double tolerance = 3e-5 + (bf16 ? 0x1p-9 * largest : 0);
      std::vector<BFloat16> store[4];
      TestMat plain_k(capacity, kv), plain_v(capacity, kv), prefix_k(prefix, kv),
          prefix_v(prefix, kv);
      const auto operand = [&](int i, TestMat& m, size_t rows) -> Operand {
        store[i].resize(rows * kv);
        return bf16 ? Operand(MatrixView<BFloat16>(store[i].data(), rows, kv)) : Operand(m);
      };
      const KvRing own{operand(0, plain_k, capacity), operand(1, plain_v, capacity)};
      const KvRing shared{operand(2, prefix_k, prefix), operand(3, prefix_v, prefix)};
      for (const KernelSet& set : KernelSets()) {
        const auto part = [](TestMat& m, size_t a, size_t b) { return ConstMat(m).Rows(a, b); };
        set.backend->StoreKv(part(k, 0, prefix), part(v, 0, prefix), 0, shared);
        for (size_t t = prefix; t < length; ++t)
          set.backend->StoreKv(part(k, t, t + 1), part(v, t, t + 1), t - prefix, own);
        // Rows 0-2: the last three positions. Rows 3-4: two positions inside the prefix.
        const CachedSegment segments[] = {{0, 3, int64_t(length) - 3, int64_t(prefix), shared, own},
                                          {3, 5, 40, int64_t(prefix), shared, own}};
        OnOneAndTwoThreads("cached attention on " + set.name, [&] {
          TestMat o(5, width);
          set.backend->AttentionCached(ShapeOf(c), segments, q, o);
          EXPECT_TRUE(o.GuardsHold());
          for (const CachedSegment& s : segments) {
            const auto expected = reference::Attention(ReferenceShape(c), Rows(q, {s.begin, s.end}),
                                                       k.As(), v.As(), s.first);
            ExpectNear(FloatRows(o, {s.begin, s.end}), expected.o, tolerance,
                       "cached on " + set.name);
          }
          return o.Values();
        });
      }
    }
}

// Decoding reads a bfloat16 cache otherwise than a prompt of many rows does. Every position once
// with the rows of a long call, once with `step` rows at a time through a ring that wraps: the same
// bits.
void ExpectFewLikeMany(const KernelSet& set, const Case& c, size_t prefix, size_t step) {
  const size_t length = 150, width = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  const TestMat q(length, width, 3, 2), k(length, kv, 4, 2), v(length, kv, 5);
  // Rows that were never written hold NaN: none may be read into a result.
  std::vector<std::vector<BFloat16>> store;
  const auto ring = [&](size_t rows) {
    const auto half = [&] {
      store.emplace_back(rows * (kv + 1), BFloat16{0x7fc0});
      return MatrixView<BFloat16>{store.back().data(), rows, kv, kv + 1};
    };
    const auto keys = half();
    return KvRing{keys, half()};
  };
  const auto write = [&](size_t begin, size_t end, size_t at, const KvRing& to) {
    set.backend->StoreKv(ConstMat(k).Rows(begin, end), ConstMat(v).Rows(begin, end), at, to);
  };
  const size_t own_rows = length - prefix;
  const KvRing shared = prefix ? ring(prefix) : KvRing{}, many_own = ring(own_rows);
  const KvRing few_own =
      ring(c.window > 0 ? std::min(own_rows, size_t(c.window) - 1 + step) : own_rows);
  if (prefix) write(0, prefix, 0, shared);
  write(prefix, length, 0, many_own);
  TestMat many(length, width), few(length, width);
  const CachedSegment all{prefix, length, int64_t(prefix), int64_t(prefix), shared, many_own};
  set.backend->AttentionCached(ShapeOf(c), {&all, 1}, q, many);
  for (size_t row = prefix; row < length; row += step) {
    const size_t end = std::min(row + step, length);
    write(row, end, row - prefix, few_own);
    const CachedSegment part{row, end, int64_t(row), int64_t(prefix), shared, few_own};
    set.backend->AttentionCached(ShapeOf(c), {&part, 1}, q, few);
  }
  EXPECT_TRUE(few.GuardsHold());
  EXPECT_EQ(FloatRows(many, {prefix, length}), FloatRows(few, {prefix, length}))
      << set.name << ": " << c.heads << " heads of " << c.head_dim << " over " << c.kv_heads
      << ", window " << c.window << ", softcap " << c.softcap << ", prefix " << prefix << ", "
      << step << " rows at a time";
}

TEST(AttentionParity, FewQueriesGiveTheBitsOfMany) {
  for (const KernelSet& set : KernelSets()) {
    for (int heads = 1; heads <= 9; ++heads)
      for (const int window : {0, 20, 70})
        ExpectFewLikeMany(set, {heads, 1, heads % 2 ? 64 : 80, window, 0}, heads % 3 * 37, 1);
    for (const int head_dim : {5, 8, 12, 16, 24, 32, 40, 56, 72, 80, 96, 120, 128, 256})
      for (const size_t prefix : {0, 67})
        ExpectFewLikeMany(set, {6, 2, head_dim, head_dim % 3 * 33, 0}, prefix, 1);
    for (const size_t step : {1, 2, 4})
      for (const int window : {0, 1, 40, 64})
        ExpectFewLikeMany(set, {4, 2, 64, window, 20}, 33, step);
  }
}

// d(sum(d_o * o)) / dq, dk, dv for random directions: the complex step along one direction is
// exact.
TEST(AttentionParity, BackwardMatchesTheComplexStep) {
  using C = std::complex<double>;
  for (const Case& c : kCases) {
    const size_t width = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
    const TestMat q(200, width, 3), k(200, kv, 4), v(200, kv, 5), d_o(200, width, 6);
    for (const KernelSet& set : KernelSets()) {
      TestMat o(200, width), lse(200, c.heads), dq(200, width), dk(200, kv), dv(200, kv);
      set.backend->Attention(ShapeOf(c), kSegments, q, k, v, o, lse);
      OnOneAndTwoThreads("attention backward on " + set.name, [&] {
        for (TestMat* m : {&dq, &dk, &dv}) set.backend->Zero(*m);
        set.backend->AddAttentionBackward(ShapeOf(c), kSegments, q, k, v, o, lse, d_o, dq, dk, dv);
        EXPECT_TRUE(dq.GuardsHold() && dk.GuardsHold() && dv.GuardsHold());
        auto all = dq.Values();
        for (const TestMat* m : {&dk, &dv})
          for (const float x : m->Values()) all.push_back(x);
        return all;
      });
      for (const Segment& s : kSegments)
        for (int which = 0; which < 3; ++which) {
          const TestMat* inputs[] = {&q, &k, &v};
          const TestMat* gradients[] = {&dq, &dk, &dv};
          const TestMat direction(200, which ? kv : width, 10 + which);
          std::vector<C> moved[3];
          for (int i = 0; i < 3; ++i)
            for (const double x : Rows(*inputs[i], s)) moved[i].push_back(x);
          const auto step = Rows(direction, s), gradient = Rows(*gradients[which], s),
                     weight = Rows(d_o, s);
          for (size_t i = 0; i < step.size(); ++i) moved[which][i] += C(0, 1e-30 * step[i]);
          const auto result = reference::Attention(ReferenceShape(c), moved[0], moved[1], moved[2]);
          double exact = 0, got = 0, size = 0;
          for (size_t i = 0; i < result.o.size(); ++i)
            exact += weight[i] * result.o[i].imag() / 1e-30;
          for (size_t i = 0; i < step.size(); ++i) {
            got += gradient[i] * step[i];
            size += gradient[i] * gradient[i] * step[i] * step[i];
          }
          // Each element has a relative error of about 1e-5, and where dP - D cancels an absolute
          // one of 2e-6 |k| scale; over 33,000 elements these add in quadrature to 1e-4.
          EXPECT_LE(std::fabs(exact - got), 2e-5 * (5 + std::sqrt(size)))
              << set.name << " input " << which << ", head_dim " << c.head_dim;
        }
    }
  }
}

// Operands rounded to bfloat16: each of the chained products is off by at most 2^-8 of its size per
// operand, q k^T, dO v^T, P, dS and the row that it meets, in all 5 * 2^-8 = 0.02 of the gradient's
// norm; at random, far less. A query that sees one key has P = 1 and dS = 0, exactly.
TEST(AttentionParity, RoundedGradientsAreCloseToTheExactOnes) {
  for (const Case& c : kCases) {
    const size_t width = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
    const TestMat q(200, width, 3), k(200, kv, 4), v(200, kv, 5), d_o(200, width, 6);
    for (const KernelSet& set : KernelSets()) {
      const auto gradients = [&](Precision precision) {
        AttentionShape shape = ShapeOf(c);
        shape.precision = precision;
        TestMat o(200, width), lse(200, c.heads);
        set.backend->Attention(shape, kSegments, q, k, v, o, lse);
        EXPECT_TRUE(o.GuardsHold() && lse.GuardsHold());
        return OnOneAndTwoThreads("rounded attention backward on " + set.name, [&] {
          TestMat dq(200, width), dk(200, kv), dv(200, kv);
          set.backend->AddAttentionBackward(shape, kSegments, q, k, v, o, lse, d_o, dq, dk, dv);
          EXPECT_TRUE(dq.GuardsHold() && dk.GuardsHold() && dv.GuardsHold());
          auto all = dq.Values();
          for (const TestMat* m : {&dk, &dv, &o})
            for (const float x : m->Values()) all.push_back(x);
          return all;
        });
      };
      const auto exact = gradients(Precision::kFloat32), near = gradients(Precision::kBFloat16);
      double off = 0, size = 0;
      for (size_t i = 0; i < exact.size(); ++i) {
        off += (near[i] - exact[i]) * (near[i] - exact[i]);
        size += exact[i] * exact[i];
      }
      EXPECT_LE(std::sqrt(off), 0.02 * std::sqrt(size)) << set.name << ", head_dim " << c.head_dim;
      EXPECT_EQ(set.name == "avx512_bf16", off > 0) << "head_dim " << c.head_dim;
    }
  }
}

}  // namespace
}  // namespace lem
