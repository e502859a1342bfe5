// SPDX-License-Identifier: EUPL-1.2
// How much of the machine's float32 rate does attention reach, forward, backward and from the
// cache? Only visible pairs count as work. Shapes: SmolLM2-135M (9 / 3 heads of 64) and Gemma 3
// 270M (4 / 1 heads of 256, window 512).
#include <cmath>

#include "bench/ceilings.h"

namespace lem {
namespace {

using testing::TestMat;

AttentionShape ShapeOf(bool gemma) {
  return gemma ? AttentionShape{4, 1, 256, 0.0625f, 0, 512}
               : AttentionShape{9, 3, 64, 0.125f, 0, 0};
}

double Float32Ceiling() {
  static const double flops = MeasureGemmFlops(Precision::kFloat32);
  return flops;
}

double Pairs(const AttentionShape& s, int64_t tokens) {
  double pairs = 0;
  for (int64_t t = 0; t < tokens; ++t)
    pairs += double(s.window > 0 ? std::min<int64_t>(t + 1, s.window) : t + 1);
  return pairs * s.heads * s.head_dim;
}

struct Tensors {
  Tensors(const AttentionShape& s, int64_t tokens)
      : q(tokens, s.heads * s.head_dim, 3),
        k(tokens, s.kv_heads * s.head_dim, 4),
        v(tokens, s.kv_heads * s.head_dim, 5),
        o(tokens, s.heads * s.head_dim),
        lse(tokens, s.heads),
        d_o(tokens, s.heads * s.head_dim, 6),
        dq(tokens, s.heads * s.head_dim),
        dk(tokens, s.kv_heads * s.head_dim),
        dv(tokens, s.kv_heads * s.head_dim) {}
  TestMat q, k, v, o, lse, d_o, dq, dk, dv;
};

void Forward(benchmark::State& state, bool gemma) {
  const AttentionShape s = ShapeOf(gemma);
  const int64_t tokens = state.range(0);
  Tensors t(s, tokens);
  const Segment segment{0, size_t(tokens)};
  for (auto _ : state) CpuBackend().Attention(s, {&segment, 1}, t.q, t.k, t.v, t.o, t.lse);
  bench::Report(state, "GFLOP/s", 4 * Pairs(s, tokens), Float32Ceiling());
}

void Backward(benchmark::State& state, bool gemma) {
  const AttentionShape s = ShapeOf(gemma);
  const int64_t tokens = state.range(0);
  Tensors t(s, tokens);
  const Segment segment{0, size_t(tokens)};
  CpuBackend().Attention(s, {&segment, 1}, t.q, t.k, t.v, t.o, t.lse);
  for (auto _ : state)
    CpuBackend().AddAttentionBackward(s, {&segment, 1}, t.q, t.k, t.v, t.o, t.lse, t.d_o, t.dq,
                                      t.dk, t.dv);
  bench::Report(state, "GFLOP/s", 10 * Pairs(s, tokens), Float32Ceiling());
}

// One new token of `range(1)` sequences with `range(0)` keys each, bfloat16 keys.
void Decode(benchmark::State& state, bool gemma) {
  const AttentionShape s = ShapeOf(gemma);
  const int64_t keys = state.range(0), sequences = state.range(1), kv = s.kv_heads * s.head_dim;
  const TestMat q(sequences, s.heads * s.head_dim, 3);
  TestMat o(sequences, s.heads * s.head_dim);
  std::vector<BFloat16> store(2 * sequences * keys * kv);
  std::vector<CachedSegment> segments;
  for (int64_t i = 0; i < sequences; ++i) {
    BFloat16* k = store.data() + 2 * i * keys * kv;
    const KvRing ring{MatrixView<BFloat16>(k, keys, kv),
                      MatrixView<BFloat16>(k + keys * kv, keys, kv)};
    segments.push_back({size_t(i), size_t(i + 1), keys - 1, 0, {}, ring});
  }
  for (auto _ : state) CpuBackend().AttentionCached(s, segments, q, o);
  const int64_t seen = s.window > 0 ? std::min<int64_t>(keys, s.window) : keys;
  bench::Report(state, "GB/s", 4.0 * sequences * seen * kv, bench::BandwidthCeiling());
}

BENCHMARK_CAPTURE(Forward, smollm2, false)->Apply(bench::Timed)->Arg(128)->Arg(512)->Arg(2048);
BENCHMARK_CAPTURE(Forward, gemma, true)->Apply(bench::Timed)->Arg(128)->Arg(512)->Arg(2048);
BENCHMARK_CAPTURE(Backward, smollm2, false)->Apply(bench::Timed)->Arg(128)->Arg(512);
BENCHMARK_CAPTURE(Backward, gemma, true)->Apply(bench::Timed)->Arg(128)->Arg(512);
BENCHMARK_CAPTURE(Decode, smollm2, false)
    ->Apply(bench::Timed)
    ->ArgsProduct({{64, 512, 2048}, {1, 16}});
BENCHMARK_CAPTURE(Decode, gemma, true)
    ->Apply(bench::Timed)
    ->ArgsProduct({{64, 512, 2048}, {1, 16}});

}  // namespace
}  // namespace lem

BENCHMARK_MAIN();
