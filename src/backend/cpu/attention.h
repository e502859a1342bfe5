// SPDX-License-Identifier: EUPL-1.2
// Cuts attention into tasks (attention.inl) with disjoint outputs and hands them to threads.
#pragma once

#include <span>

#include "backend/backend.h"
#include "backend/cpu/kernels.h"

namespace lem::cpu {

void RunAttention(const Kernels& kernels, const AttentionShape& shape,
                  std::span<const Segment> segments, ConstMat q, ConstMat k, ConstMat v, Mat o,
                  Mat lse);
void RunAttentionBackward(const Kernels& kernels, const AttentionShape& shape,
                          std::span<const Segment> segments, ConstMat q, ConstMat k, ConstMat v,
                          ConstMat o, ConstMat lse, ConstMat d_o, Mat dq, Mat dk, Mat dv);
void RunAttentionCached(const Kernels& kernels, const AttentionShape& shape,
                        std::span<const CachedSegment> segments, ConstMat q, Mat o);

}  // namespace lem::cpu
