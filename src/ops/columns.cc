// SPDX-License-Identifier: EUPL-1.2
#include "ops/columns.h"

#include "base/threads.h"

namespace lem {
namespace {

// Rows of y are written independently, so they are shared out by row; sums have one writer per
// column, so they are shared out by column.
constexpr int64_t kRowGrain = 16, kColumnGrain = 64;

template <class Work>
void ForRows(Mat y, const Work& work) {
  ParallelFor(static_cast<int64_t>(y.rows), kRowGrain, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t)
      work(static_cast<size_t>(t), y.Row(static_cast<size_t>(t)));
  });
}

}  // namespace

void AddToColumns(ConstVec bias, Mat y) {
  LEM_CHECK(bias.size() == y.cols);
  ForRows(y, [&](size_t, Vec row) {
    for (size_t c = 0; c < row.size(); ++c) row[c] += bias[c];
  });
}

void ScaleColumns(ConstMat x, ConstVec s, Mat y) {
  LEM_CHECK(x.rows == y.rows && x.cols == y.cols && s.size() == y.cols);
  ForRows(y, [&](size_t t, Vec row) {
    const ConstVec from = x.Row(t);
    for (size_t c = 0; c < row.size(); ++c) row[c] = from[c] * s[c];
  });
}

void AddColumnSums(ConstMat x, Vec sums) {
  LEM_CHECK(sums.size() == x.cols);
  ParallelFor(static_cast<int64_t>(x.cols), kColumnGrain, [&](int64_t begin, int64_t end) {
    for (size_t t = 0; t < x.rows; ++t) {
      const ConstVec row = x.Row(t);
      for (int64_t c = begin; c < end; ++c)
        sums[static_cast<size_t>(c)] += row[static_cast<size_t>(c)];
    }
  });
}

void AddColumnDots(ConstMat x, ConstMat y, ConstVec s, Vec sums) {
  LEM_CHECK(x.rows == y.rows && x.cols == y.cols && sums.size() == x.cols && s.size() == x.cols);
  ParallelFor(static_cast<int64_t>(x.cols), kColumnGrain, [&](int64_t begin, int64_t end) {
    for (size_t t = 0; t < x.rows; ++t) {
      const ConstVec a = x.Row(t), b = y.Row(t);
      for (auto c = static_cast<size_t>(begin); c < static_cast<size_t>(end); ++c) {
        sums[c] += s[c] * (a[c] * b[c]);
      }
    }
  });
}

}  // namespace lem
