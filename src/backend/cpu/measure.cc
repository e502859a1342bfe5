// SPDX-License-Identifier: EUPL-1.2
// The machine's own ceilings, beside which `lem doctor` and the benchmarks print what they reach.
#include <algorithm>
#include <chrono>
#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/scratch.h"
#include "base/error.h"
#include "base/threads.h"

namespace lem {
namespace {

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The best of repeated calls within about a second.
template <class Work>
double BestSeconds(Work work) {
  work();
  double best = 1e30;
  const double begin = Seconds();
  do {
    const double start = Seconds();
    work();
    best = std::min(best, Seconds() - start);
  } while (Seconds() - begin < 0.7);
  return best;
}

}  // namespace

double MeasureGemmFlops(Precision precision) try {
  using dnnl::memory;
  using Tag = memory::format_tag;
  constexpr int64_t kM = 512, kN = 1536, kK = 1536;
  const auto type =
      precision == Precision::kBFloat16 ? memory::data_type::bf16 : memory::data_type::f32;
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const memory::desc a({kM, kK}, type, Tag::ab), b({kK, kN}, type, Tag::any),
      c({kM, kN}, memory::data_type::f32, Tag::ab);
  const dnnl::matmul::primitive_desc desc(dnnl::matmul::desc(a, b, c), engine);
  memory a_memory(a, engine), b_memory(desc.weights_desc(), engine), c_memory(c, engine);
  std::fill_n(static_cast<char*>(a_memory.get_data_handle()), a.get_size(), 0);
  std::fill_n(static_cast<char*>(b_memory.get_data_handle()), desc.weights_desc().get_size(), 0);
  const dnnl::matmul product(desc);
  const double seconds = BestSeconds([&] {
    product.execute(
        stream, {{DNNL_ARG_SRC, a_memory}, {DNNL_ARG_WEIGHTS, b_memory}, {DNNL_ARG_DST, c_memory}});
    stream.wait();
  });
  return 2.0 * kM * kN * kK / seconds;
} catch (const dnnl::error& e) {
  Fail("oneDNN: expected a matrix product on this processor, found '", e.what(),
       "'; try --dtype float32");
}

double MeasureReadBandwidth() {
  constexpr size_t kFloats = size_t{96} << 20 >> 1;  // 192 MiB: beyond any cache
  cpu::AlignedFloats memory(kFloats);
  float* data = memory.data();
  ParallelFor(kFloats, 1,
              [&](int64_t begin, int64_t end) { std::fill(data + begin, data + end, 1.0f); });
  std::vector<float> sums(Threads() + 1);
  const int64_t parts = Threads();
  const double seconds = BestSeconds([&] {
    ParallelFor(parts, 1, [&](int64_t first, int64_t last) {
      float lane[64] = {};
      const size_t begin = kFloats * first / parts / 64 * 64,
                   end = kFloats * last / parts / 64 * 64;
      for (size_t i = begin; i < end; i += 64)
        for (size_t j = 0; j < 64; ++j) lane[j] += data[i + j];
      for (const float v : lane) sums[first] += v;
    });
  });
  volatile float sink = sums[0];
  (void)sink;
  return kFloats * 4.0 / seconds;
}

}  // namespace lem
