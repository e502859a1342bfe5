// SPDX-License-Identifier: EUPL-1.2
#include "backend/cpu/kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"
#pragma GCC diagnostic ignored "-Wignored-attributes"
// The compiler's own headers leave undefined vectors uninitialised.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

namespace lem::cpu {
namespace avx512 {
// clang-format off
#include "backend/cpu/lanes.inl"
#include "backend/cpu/elementwise.inl"
#include "backend/cpu/gemm.inl"
#include "backend/cpu/pack.inl"
#include "backend/cpu/quant.inl"
#include "backend/cpu/codes.inl"
#include "backend/cpu/integer.inl"
#include "backend/cpu/attention_few.inl"
#include "backend/cpu/attention.inl"
#include "backend/cpu/attention_backward.inl"
#include "backend/cpu/table.inl"
// clang-format on
}  // namespace avx512

extern const Kernels kAvx512Kernels;
constexpr Kernels kAvx512Kernels = avx512::MakeTable("avx512_bf16");

}  // namespace lem::cpu
#endif
