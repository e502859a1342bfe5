// SPDX-License-Identifier: EUPL-1.2
// The one place where threads are made: OpenMP's pool, which oneDNN uses too.
#pragma once

#include <cstdint>
#include <functional>

namespace lem {

// 0 means all cores this process may use. Call before any work.
void SetThreads(int threads);
int Threads();

// Calls work(begin, end) on contiguous parts of [0, count), one part per thread at most; parts have
// at least `grain` elements. Which thread takes which part never changes a result: callers write
// disjoint outputs and never sum across parts. Nested calls run on the calling thread. Exceptions
// must not leave `work`.
void ParallelFor(int64_t count, int64_t grain,
                 const std::function<void(int64_t begin, int64_t end)>& work);

}  // namespace lem
