// SPDX-License-Identifier: EUPL-1.2
// How near do quantised products come to the memory's speed (few rows) and to the dense rate (many
// rows)? For few rows the matrix is about 100 MB, so that no cache holds it.
#include "bench/ceilings.h"

namespace lem {
namespace {

using testing::GgmlMatrix;
using testing::OwnedMatrix;
using testing::TestBFloat16;
using testing::TestMat;

void FewRows(benchmark::State& state, GgmlType type, int64_t in, WeightOptions::Form form) {
  const int64_t out = (int64_t{200} << 20) / in / 32 * 32;
  OwnedMatrix m = GgmlMatrix(type, out, in);
  m.Bind();
  const auto w = CpuBackend().Prepare(m.matrix, {.form = form});
  TestMat x(state.range(0), in, 3, 1, 0, 0), y(state.range(0), out, 0, 1, 0, 0);
  TestBFloat16 x16(x);
  for (auto _ : state) CpuBackend().MatMul(x16, *w, y);
  bench::Report(state, "GB/s", double(m.bytes.size()), bench::BandwidthCeiling());
}

void ManyRows(benchmark::State& state, GgmlType type, WeightOptions::Form form) {
  const int64_t in = 1536, out = 576;
  OwnedMatrix m = GgmlMatrix(type, out, in);
  m.Bind();
  const auto w = CpuBackend().Prepare(m.matrix, {.form = form});
  TestMat x(state.range(0), in, 3, 1, 0, 0), y(state.range(0), out, 0, 1, 0, 0);
  TestBFloat16 x16(x);
  for (auto _ : state) CpuBackend().MatMul(x16, *w, y);
  bench::Report(state, "GFLOP/s", 2.0 * state.range(0) * in * out, bench::GemmCeiling());
}

void InputGradient(benchmark::State& state, GgmlType type) {
  const int64_t in = 1536, out = 576;
  OwnedMatrix m = GgmlMatrix(type, out, in);
  m.Bind();
  const auto w = CpuBackend().Prepare(m.matrix, {});
  TestMat dy(state.range(0), out, 3, 1, 0, 0), dx(state.range(0), in, 0, 1, 0, 0);
  for (auto _ : state) CpuBackend().AddMatMulInputGrad(dy, *w, dx);
  bench::Report(state, "GFLOP/s", 2.0 * state.range(0) * in * out, bench::GemmCeiling());
}

void Load(benchmark::State& state, GgmlType type) {
  OwnedMatrix m = GgmlMatrix(type, 4096, 2048);
  m.Bind();
  for (auto _ : state) benchmark::DoNotOptimize(CpuBackend().Prepare(m.matrix, {}));
  state.counters["Gweights/s"] =
      benchmark::Counter(4096 * 2048e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void Register(GgmlType type) {
  using Form = WeightOptions::Form;
  const std::string name(InfoOf(type).name);
  const bool super = InfoOf(type).block_elements == 256;
  const int64_t in = super ? 2048 : 576;
  const auto add = [&](const std::string& what, auto work) {
    benchmark::internal::Benchmark* b =
        benchmark::RegisterBenchmark((what + "/" + name).c_str(), work);
    bench::Timed(b);
    return b;
  };
  const std::pair<const char*, Form> forms[] = {{"", Form::kCompact}, {"Integer", Form::kInteger}};
  for (const auto& [called, form] : forms) {
    add(std::string(called) + "FewRows",
        [=, f = form](benchmark::State& s) { FewRows(s, type, in, f); })
        ->Arg(1)
        ->Arg(4)
        ->Arg(16)
        ->Arg(24)
        ->Arg(48);
    add(std::string(called) + "ManyRows",
        [=, f = form](benchmark::State& s) { ManyRows(s, type, f); })
        ->Arg(1)
        ->Arg(16)
        ->Arg(64)
        ->Arg(512);
  }
  add("Rounded", [=](benchmark::State& s) { ManyRows(s, type, Form::kRounded); })
      ->Arg(64)
      ->Arg(512);
  add("InputGradient", [=](benchmark::State& s) { InputGradient(s, type); })->Arg(64)->Arg(512);
  add("Load", [=](benchmark::State& s) { Load(s, type); });
}

}  // namespace
}  // namespace lem

int main(int argc, char** argv) {
  for (const lem::GgmlType type :
       {lem::GgmlType::kQ4_1, lem::GgmlType::kQ5_0, lem::GgmlType::kQ8_0, lem::GgmlType::kQ4_K,
        lem::GgmlType::kQ6_K, lem::GgmlType::kQ4_0, lem::GgmlType::kQ3_K, lem::GgmlType::kQ2_K})
    lem::Register(type);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
