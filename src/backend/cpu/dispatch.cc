// SPDX-License-Identifier: EUPL-1.2
// Which kernel set this process uses, and what the processor says about itself.
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/kernels.h"
#include "base/error.h"

namespace lem {
namespace cpu {

extern const Kernels kPortableKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels, kAvx512Kernels;
#endif

namespace {

struct Feature {
  const char* name;
  bool present;
};

std::vector<Feature> Features() {
  std::vector<Feature> features;
#if defined(__x86_64__)
#define LEM_FEATURE(name) features.push_back({name, __builtin_cpu_supports(name) != 0})
  LEM_FEATURE("avx2");
  LEM_FEATURE("fma");
  LEM_FEATURE("avx512f");
  LEM_FEATURE("avx512bw");
  LEM_FEATURE("avx512dq");
  LEM_FEATURE("avx512vl");
  LEM_FEATURE("avx512vnni");
  LEM_FEATURE("avx512bf16");
#undef LEM_FEATURE
#endif
  return features;
}

std::vector<const Kernels*> Detect() {
  std::vector<const Kernels*> sets;
#if defined(__x86_64__)
  bool avx2 = true, avx512 = true;
  for (const Feature& f : Features()) {
    avx512 = avx512 && f.present;
    if (std::strncmp(f.name, "avx512", 6) != 0) avx2 = avx2 && f.present;
  }
  if (avx512) sets.push_back(&kAvx512Kernels);
  if (avx2) sets.push_back(&kAvx2Kernels);
#endif
  sets.push_back(&kPortableKernels);
  return sets;
}

// LEM_CPU says avx512 for short.
bool IsCalled(const Kernels& set, std::string_view name) {
  return name == set.name || (name == "avx512" && std::string_view(set.name) == "avx512_bf16");
}

}  // namespace

std::span<const Kernels* const> AvailableKernels() {
  static const std::vector<const Kernels*> sets = Detect();
  return sets;
}

const Kernels& PickKernels() {
  const char* forced = std::getenv("LEM_CPU");
  if (!forced || !*forced) return *AvailableKernels().front();
  std::string choices;
  for (const Kernels* set : AvailableKernels()) {
    if (IsCalled(*set, forced)) return *set;
    choices += std::string(choices.empty() ? "" : ", ") +
               (std::string_view(set->name) == "avx512_bf16" ? "avx512" : set->name);
  }
  Fail("LEM_CPU: expected one of the kernel sets this processor runs (", choices, "), found '",
       forced, "'; unset it to let the program choose");
}

}  // namespace cpu

CpuInfo DescribeCpu() {
  CpuInfo info;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) != 0) continue;
    const size_t colon = line.find(": ");
    if (colon != std::string::npos) info.model_name = line.substr(colon + 2);
    break;
  }
  for (const cpu::Feature& f : cpu::Features())
    if (f.present) info.features += std::string(info.features.empty() ? "" : " ") + f.name;
  info.selected = cpu::PickKernels().name;
  return info;
}

}  // namespace lem
