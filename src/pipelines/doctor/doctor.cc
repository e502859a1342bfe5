// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/doctor/doctor.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "backend/backend.h"
#include "base/memory.h"
#include "base/threads.h"
#include "pipelines/loaded_model.h"

namespace lem {
namespace fs = std::filesystem;
namespace {

std::vector<std::string> NamesIn(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(".") && !name.ends_with(".part")) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

fs::path DataFolder() {
  const char* data = std::getenv("LEM_DATA");
  return data && *data ? fs::path(data) : StoreFolder() / "data";
}

}  // namespace

DoctorReport Examine(bool measure) {
  DoctorReport report;
  const CpuInfo cpu = DescribeCpu();
  report.cpu = cpu.model_name;
  report.features = cpu.features;
  report.kernels = cpu.selected;
  report.threads = Threads();
  report.memory_total = TotalMemoryBytes();
  report.memory_available = AvailableMemoryBytes();
  report.cuda = CudaBackend() != nullptr;
  report.store = (StoreFolder() / "models").string();
  report.models = NamesIn(report.store);
  report.data = DataFolder().string();
  report.datasets = NamesIn(report.data);
  if (measure) {
    report.gemm_bfloat16_flops = MeasureGemmFlops(Precision::kBFloat16);
    report.gemm_float32_flops = MeasureGemmFlops(Precision::kFloat32);
    report.read_bytes_per_second = MeasureReadBandwidth();
  }
  return report;
}

}  // namespace lem
