// SPDX-License-Identifier: EUPL-1.2
// What this process and this machine have of memory, in bytes.
#pragma once

#include <cstdint>

namespace lem {

uint64_t PeakMemoryBytes();       // high-water mark of resident memory since start (VmHWM)
uint64_t ResidentMemoryBytes();   // of this process, now
uint64_t AvailableMemoryBytes();  // what can be taken without swapping, container limits included
uint64_t TotalMemoryBytes();

}  // namespace lem
