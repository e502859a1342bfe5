// SPDX-License-Identifier: EUPL-1.2
// The CPU backend on a chosen kernel set; CpuBackend() takes the best one. Tests take each.
#pragma once

#include <memory>

#include "backend/backend.h"
#include "backend/cpu/kernels.h"

namespace lem::cpu {

std::unique_ptr<Backend> MakeBackend(const Kernels& kernels);

}  // namespace lem::cpu
