// SPDX-License-Identifier: EUPL-1.2
#include "base/threads.h"

#ifdef _OPENMP
#include <omp.h>
#endif

#include <algorithm>

namespace lem {

#ifdef _OPENMP

void SetThreads(int threads) { omp_set_num_threads(threads > 0 ? threads : omp_get_num_procs()); }

int Threads() { return omp_get_max_threads(); }

void ParallelFor(int64_t count, int64_t grain,
                 const std::function<void(int64_t begin, int64_t end)>& work) {
  if (count <= 0) return;
  const int64_t parts = std::clamp<int64_t>(count / std::max<int64_t>(grain, 1), 1, Threads());
  if (parts == 1 || omp_in_parallel()) return work(0, count);
#pragma omp parallel for schedule(static, 1) num_threads(parts)
  for (int64_t part = 0; part < parts; ++part) {
    work(count * part / parts, count * (part + 1) / parts);
  }
}

#else

void SetThreads(int) {}
int Threads() { return 1; }
void ParallelFor(int64_t count, int64_t,
                 const std::function<void(int64_t begin, int64_t end)>& work) {
  if (count > 0) work(0, count);
}

#endif

}  // namespace lem
