// SPDX-License-Identifier: EUPL-1.2
// Do the row-wise verbs run at the memory's speed? 512 tokens; bytes read and written per call.
#include "bench/ceilings.h"

namespace lem {
namespace {

using testing::TestMat;

constexpr int64_t kTokens = 512;

void Norm(benchmark::State& state) {
  const int64_t n = state.range(0);
  const TestMat x(kTokens, n, 3, 1, 0, 0), gain(1, n, 4);
  TestMat y(kTokens, n, 0, 1, 0, 0);
  for (auto _ : state) CpuBackend().RmsNorm(x, ConstMat(gain).Row(0), 1e-6f, y, {});
  bench::Report(state, "GB/s", 8.0 * kTokens * n, bench::BandwidthCeiling());
}

void NormBackward(benchmark::State& state) {
  const int64_t n = state.range(0);
  const TestMat x(kTokens, n, 3, 1, 0, 0), dy(kTokens, n, 5, 1, 0, 0), gain(1, n, 4);
  TestMat dx(kTokens, n, 0, 1, 0, 0);
  const std::vector<float> r(kTokens, 1.0f);
  for (auto _ : state) CpuBackend().AddRmsNormBackward(dy, x, ConstMat(gain).Row(0), r, dx);
  bench::Report(state, "GB/s", 16.0 * kTokens * n, bench::BandwidthCeiling());
}

void Gate(benchmark::State& state, Activation act, bool backward) {
  const int64_t n = state.range(0);
  const TestMat gate(kTokens, n, 3, 1, 0, 0), up(kTokens, n, 4, 1, 0, 0),
      dz(kTokens, n, 5, 1, 0, 0);
  TestMat z(kTokens, n, 0, 1, 0, 0), dgate(kTokens, n, 0, 1, 0, 0), dup(kTokens, n, 0, 1, 0, 0);
  testing::TestBFloat16 z16(z);
  for (auto _ : state) {
    if (backward) {
      CpuBackend().AddGatedActivationBackward(act, gate, up, dz, dgate, dup);
    } else {
      CpuBackend().GatedActivation(act, gate, up, z16);
    }
  }
  bench::Report(state, "GB/s", (backward ? 28.0 : 10.0) * kTokens * n, bench::BandwidthCeiling());
}

void Rotate(benchmark::State& state) {
  const TestMat cos(kTokens, 32, 3), sin(kTokens, 32, 4);
  TestMat x(kTokens, 576, 5, 1, 0, 0);
  std::vector<int32_t> positions(kTokens);
  for (int64_t t = 0; t < kTokens; ++t) positions[t] = static_cast<int32_t>(t);
  for (auto _ : state) CpuBackend().Rope({cos, sin}, positions, 9, false, x);
  bench::Report(state, "GB/s", 8.0 * kTokens * 576, bench::BandwidthCeiling());
}

void Loss(benchmark::State& state, bool gradient) {
  const int64_t vocabulary = state.range(0), rows = 16;
  TestMat logits(rows, vocabulary, 3, 1, 0, 0);
  const std::vector<int32_t> targets(rows, 7);
  std::vector<float> loss(rows);
  for (auto _ : state) {
    if (gradient) {
      CpuBackend().CrossEntropyGradient(targets, {.weight = 0.1f}, loss, logits);
    } else {
      CpuBackend().CrossEntropy(logits, targets, loss);
    }
  }
  bench::Report(state, "GB/s", (gradient ? 8.0 : 4.0) * rows * vocabulary,
                bench::BandwidthCeiling());
}

BENCHMARK(Norm)->Apply(bench::Timed)->Arg(64)->Arg(576)->Arg(640);
BENCHMARK(NormBackward)->Apply(bench::Timed)->Arg(576);
BENCHMARK_CAPTURE(Gate, silu, Activation::kSilu, false)->Apply(bench::Timed)->Arg(1536);
BENCHMARK_CAPTURE(Gate, gelu, Activation::kGeluTanh, false)->Apply(bench::Timed)->Arg(2048);
BENCHMARK_CAPTURE(Gate, silu_backward, Activation::kSilu, true)->Apply(bench::Timed)->Arg(1536);
BENCHMARK_CAPTURE(Gate, gelu_backward, Activation::kGeluTanh, true)->Apply(bench::Timed)->Arg(2048);
BENCHMARK(Rotate)->Apply(bench::Timed);
BENCHMARK_CAPTURE(Loss, value, false)->Apply(bench::Timed)->Arg(49152)->Arg(262144);
BENCHMARK_CAPTURE(Loss, gradient, true)->Apply(bench::Timed)->Arg(49152)->Arg(262144);

}  // namespace
}  // namespace lem

BENCHMARK_MAIN();
