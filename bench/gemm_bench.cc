// SPDX-License-Identifier: EUPL-1.2
// How near do our dense products come to oneDNN's, with the shapes of SmolLM2-135M and Gemma 3
// 270M? Arguments: rows, inputs, outputs. The ceiling is one large oneDNN product.
#include <oneapi/dnnl/dnnl.hpp>

#include "bench/ceilings.h"

namespace lem {
namespace {

using bench::Report;
using testing::OwnedMatrix;
using testing::PlainMatrix;
using testing::TestBFloat16;
using testing::TestMat;

void Shapes(benchmark::internal::Benchmark* b) {
  for (const int rows : {1, 16, 64, 256, 512})
    for (const auto& [in, out] : {std::pair{576, 576},
                                  {576, 1536},
                                  {1536, 576},
                                  {576, 192},
                                  {640, 2048},
                                  {2048, 640},
                                  {640, 1024}})
      b->Args({rows, in, out});
  bench::Timed(b);
}

void Ours(benchmark::State& state, Precision precision, WeightOptions::Form form) {
  const int64_t rows = state.range(0), in = state.range(1), out = state.range(2);
  OwnedMatrix m = PlainMatrix(Dtype::kBF16, out, in);
  m.Bind();
  const auto w = CpuBackend().Prepare(m.matrix, {precision, form, false});
  const TestMat x(rows, in, 3, 1, 0, 0);
  TestBFloat16 x16(x);
  TestMat y(rows, out, 0, 1, 0, 0);
  const ConstOperand input =
      precision == Precision::kBFloat16 ? ConstOperand(x16) : ConstOperand(x);
  for (auto _ : state) CpuBackend().MatMul(input, *w, y);
  Report(state, "GFLOP/s", 2.0 * rows * in * out, bench::GemmCeiling());
}

void InputGradient(benchmark::State& state, bool second_layout) {
  const int64_t rows = state.range(0), in = state.range(1), out = state.range(2);
  OwnedMatrix m = PlainMatrix(Dtype::kBF16, out, in);
  m.Bind();
  const auto w = CpuBackend().Prepare(
      m.matrix, {Precision::kBFloat16, WeightOptions::Form::kDense, second_layout});
  const TestMat dy(rows, out, 3, 1, 0, 0);
  TestMat dx(rows, in, 0, 1, 0, 0);
  for (auto _ : state) CpuBackend().AddMatMulInputGrad(dy, *w, dx);
  Report(state, "GFLOP/s", 2.0 * rows * in * out, bench::GemmCeiling());
}

void OneDnn(benchmark::State& state) {
  using dnnl::memory;
  using Tag = memory::format_tag;
  const int64_t rows = state.range(0), in = state.range(1), out = state.range(2);
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const memory::desc a({rows, in}, memory::data_type::bf16, Tag::ab);
  const memory::desc b({in, out}, memory::data_type::bf16, Tag::any);
  const memory::desc c({rows, out}, memory::data_type::f32, Tag::ab);
  const dnnl::matmul::primitive_desc desc(dnnl::matmul::desc(a, b, c), engine);
  memory am(a, engine), bm(desc.weights_desc(), engine), cm(c, engine);
  std::fill_n(static_cast<char*>(am.get_data_handle()), a.get_size(), 0);
  std::fill_n(static_cast<char*>(bm.get_data_handle()), desc.weights_desc().get_size(), 0);
  const dnnl::matmul product(desc);
  for (auto _ : state) {
    product.execute(stream, {{DNNL_ARG_SRC, am}, {DNNL_ARG_WEIGHTS, bm}, {DNNL_ARG_DST, cm}});
    stream.wait();
  }
  Report(state, "GFLOP/s", 2.0 * rows * in * out, bench::GemmCeiling());
}

// Adapters: tokens x rank x width.
void AdapterDown(benchmark::State& state) {
  const int64_t t = state.range(0), rank = state.range(1), in = state.range(2);
  const TestMat x(t, in, 3), a(rank, in, 4);
  TestBFloat16 x16(x);
  TestMat y(t, rank);
  for (auto _ : state) CpuBackend().AddMatMul(Precision::kBFloat16, 1, x16, a, y);
  Report(state, "GFLOP/s", 2.0 * t * rank * in, bench::GemmCeiling());
}
void AdapterUp(benchmark::State& state) {
  const int64_t t = state.range(0), rank = state.range(1), out = state.range(2);
  const TestMat x(t, rank, 3), b(out, rank, 4);
  TestMat y(t, out);
  for (auto _ : state) CpuBackend().AddMatMul(Precision::kBFloat16, 1, x, b, y);
  Report(state, "GFLOP/s", 2.0 * t * rank * out, bench::GemmCeiling());
}
void AdapterWeightGradient(benchmark::State& state, bool down) {
  const int64_t t = state.range(0), rank = state.range(1), width = state.range(2);
  const TestMat narrow(t, rank, 3), wide(t, width, 4);
  TestMat dw(down ? rank : width, down ? width : rank);
  for (auto _ : state)
    CpuBackend().AddMatMulWeightGrad(Precision::kBFloat16, 1, down ? narrow : wide,
                                     down ? wide : narrow, dw);
  Report(state, "GFLOP/s", 2.0 * t * rank * width, bench::GemmCeiling());
}

constexpr auto kBf16 = Precision::kBFloat16;
constexpr auto kF32 = Precision::kFloat32;
BENCHMARK_CAPTURE(Ours, bf16, kBf16, WeightOptions::Form::kDense)->Apply(Shapes);
BENCHMARK(OneDnn)->Apply(Shapes);
BENCHMARK_CAPTURE(InputGradient, bf16, true)->Apply(Shapes);
BENCHMARK_CAPTURE(InputGradient, one_layout, false)->Apply(Shapes);
BENCHMARK_CAPTURE(Ours, f32, kF32, WeightOptions::Form::kDense)->Apply(Shapes);

void Adapters(benchmark::internal::Benchmark* b) {
  for (const int t : {256, 512}) b->Args({t, 8, 576})->Args({t, 8, 2048})->Args({t, 64, 576});
  bench::Timed(b);
}
BENCHMARK(AdapterDown)->Apply(Adapters);
BENCHMARK(AdapterUp)->Apply(Adapters);
BENCHMARK_CAPTURE(AdapterWeightGradient, down, true)->Apply(Adapters);
BENCHMARK_CAPTURE(AdapterWeightGradient, up, false)->Apply(Adapters);

}  // namespace
}  // namespace lem

BENCHMARK_MAIN();
