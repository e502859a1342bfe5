// SPDX-License-Identifier: EUPL-1.2
// What every benchmark prints beside its kernel: the machine's own rates, measured once, and
// matrices to work on.
#pragma once

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "backend/backend.h"
#include "tests/support/stored_matrices.h"

namespace lem::bench {

inline double GemmCeiling() {
  static const double flops = MeasureGemmFlops(Precision::kBFloat16);
  return flops;
}
inline double BandwidthCeiling() {
  static const double bytes = MeasureReadBandwidth();
  return bytes;
}

// One thread: the thread's own time, which other programs on the machine do not disturb.
inline void Timed(benchmark::internal::Benchmark* b) {
  if (Threads() > 1) b->UseRealTime();
  b->Unit(benchmark::kMicrosecond);
}

// Rate in units of 1e9 per second and as a share of a ceiling in the same unit (per second).
inline void Report(benchmark::State& state, const std::string& unit, double per_iteration,
                   double ceiling) {
  using benchmark::Counter;
  state.counters[unit] = Counter(per_iteration * 1e-9, Counter::kIsIterationInvariantRate);
  state.counters["ceiling"] = ceiling * 1e-9;
  state.counters["of_ceiling"] =
      Counter(per_iteration / ceiling, Counter::kIsIterationInvariantRate);
}

}  // namespace lem::bench
