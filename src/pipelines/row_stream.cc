// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/row_stream.h"

#include <algorithm>
#include <vector>

#include "base/threads.h"

namespace lem {

TensorRows RowsOf(const ModelTensor& tensor) {
  TensorRows rows{tensor.rows, tensor.cols, tensor.replace};
  if (rows.read) return rows;
  if (tensor.is_vector()) {
    rows.read = [source = tensor.source](int64_t, Vec out) {
      std::ranges::copy(ReadVector(source), out.begin());
    };
  } else {
    rows.read = [source = tensor.source](int64_t row, Vec out) { ReadRow(source, row, out); };
  }
  return rows;
}

void StreamRows(const TensorRows& rows, size_t row_bytes,
                const std::function<void(int64_t, ConstVec, std::byte*)>& encode,
                const std::function<void(std::span<const std::byte>)>& sink) {
  constexpr int64_t kFloats = 1 << 20;  // per block: 4 MiB
  const int64_t block =
      std::clamp<int64_t>(kFloats / std::max<int64_t>(1, rows.cols), 1, rows.rows);
  std::vector<std::byte> bytes(static_cast<size_t>(block) * row_bytes);
  for (int64_t first = 0; first < rows.rows; first += block) {
    const int64_t count = std::min(block, rows.rows - first);
    ParallelFor(count, 8, [&](int64_t begin, int64_t end) {
      std::vector<float> values(static_cast<size_t>(rows.cols));
      for (int64_t i = begin; i < end; ++i) {
        rows.read(first + i, values);
        encode(first + i, values, bytes.data() + static_cast<size_t>(i) * row_bytes);
      }
    });
    sink(std::span(bytes).first(static_cast<size_t>(count) * row_bytes));
  }
}

}  // namespace lem
