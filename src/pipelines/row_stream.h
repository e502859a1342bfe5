// SPDX-License-Identifier: EUPL-1.2
// The rows of a tensor, read in parallel and handed on in order, a few megabytes at a time.
#pragma once

#include <functional>
#include <span>

#include "pipelines/model_files.h"

namespace lem {

struct TensorRows {
  int64_t rows = 0, cols = 0;
  std::function<void(int64_t row, Vec out)> read;  // float32, from several threads at once
};

// The tensor's numbers in Hugging Face's row order; norms are gains.
TensorRows RowsOf(const ModelTensor& tensor);

// encode(row, values, bytes) writes one row's row_bytes; sink gets all rows in order.
void StreamRows(const TensorRows& rows, size_t row_bytes,
                const std::function<void(int64_t, ConstVec, std::byte*)>& encode,
                const std::function<void(std::span<const std::byte>)>& sink);

}  // namespace lem
