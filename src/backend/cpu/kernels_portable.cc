// SPDX-License-Identifier: EUPL-1.2
#include "backend/cpu/kernels.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"
#pragma GCC diagnostic ignored "-Wignored-attributes"
#endif

namespace lem::cpu {
namespace portable {
// clang-format off
#include "backend/cpu/lanes.inl"
#include "backend/cpu/elementwise.inl"
#include "backend/cpu/gemm.inl"
#include "backend/cpu/pack.inl"
#include "backend/cpu/quant.inl"
#include "backend/cpu/codes.inl"
#include "backend/cpu/integer.inl"
#include "backend/cpu/attention.inl"
#include "backend/cpu/attention_backward.inl"
#include "backend/cpu/table.inl"
// clang-format on
}  // namespace portable

extern const Kernels kPortableKernels;
constexpr Kernels kPortableKernels = portable::MakeTable("portable");

}  // namespace lem::cpu
