// SPDX-License-Identifier: EUPL-1.2
#include "base/memory.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace lem {
namespace {

// A line such as "VmHWM:     1234 kB". 0 when the file or the field is absent.
uint64_t FieldKiB(const char* file, const std::string& field) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(field + ":", 0) == 0) {
      return std::strtoull(line.c_str() + field.size() + 1, nullptr, 10);
    }
  }
  return 0;
}

uint64_t CgroupLimit() {
  std::ifstream in("/sys/fs/cgroup/memory.max");
  uint64_t limit = 0;
  return in >> limit ? limit : UINT64_MAX;  // the file may say "max"
}

}  // namespace

uint64_t PeakMemoryBytes() { return FieldKiB("/proc/self/status", "VmHWM") * 1024; }

uint64_t ResidentMemoryBytes() { return FieldKiB("/proc/self/status", "VmRSS") * 1024; }

uint64_t TotalMemoryBytes() {
  return std::min(FieldKiB("/proc/meminfo", "MemTotal") * 1024, CgroupLimit());
}

uint64_t AvailableMemoryBytes() {
  return std::min(FieldKiB("/proc/meminfo", "MemAvailable") * 1024, CgroupLimit());
}

}  // namespace lem
