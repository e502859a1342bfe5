// SPDX-License-Identifier: EUPL-1.2
#include "model/frozen_outputs.h"

#include <cstring>

#include "base/check.h"

namespace lem {

ConstMat FrozenOutputs::Find(Ids ids) const {
  const auto kept = kept_.find(ids);
  if (kept == kept_.end()) return {};
  return {kept->second.get(), ids.size(), dim_};
}

void FrozenOutputs::Keep(Ids ids, ConstMat x) {
  const uint64_t bytes = ids.size() * dim_ * sizeof(float);
  if (dim_ == 0 || bytes > room_ - bytes_ || kept_.contains(ids)) return;
  LEM_CHECK(x.rows == ids.size() && x.cols == dim_ && x.stride == dim_);
  auto copy = std::make_unique_for_overwrite<float[]>(ids.size() * dim_);
  std::memcpy(copy.get(), x.data, bytes);
  kept_.emplace(std::vector<int32_t>(ids.begin(), ids.end()), std::move(copy));
  bytes_ += bytes;
}

}  // namespace lem
