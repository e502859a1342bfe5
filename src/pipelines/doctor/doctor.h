// SPDX-License-Identifier: EUPL-1.2
// What this machine can do: kernels, memory, measured rates, models and data at hand.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lem {

struct DoctorReport {
  std::string cpu, features, kernels;
  int threads = 0;
  uint64_t memory_total = 0, memory_available = 0;
  double gemm_bfloat16_flops = 0, gemm_float32_flops = 0;  // FLOP/s; 0: not measured
  double read_bytes_per_second = 0;
  std::string store;                // the folder of models
  std::vector<std::string> models;  // in the store
  std::string data;                 // the folder of benchmark files
  std::vector<std::string> datasets;
  bool cuda = false;
};

// `measure` spends about three seconds on the rates.
DoctorReport Examine(bool measure);

}  // namespace lem
