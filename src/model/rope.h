// SPDX-License-Identifier: EUPL-1.2
// Tables of cos and sin for one rule of rotation, as far as positions have been asked for.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/backend.h"
#include "model/config.h"

namespace lem {

class RopeTables {
 public:
  RopeTables(const LayerConfig& rule, int head_dim) : rule_(rule), head_dim_(head_dim) {}

  bool SameRule(const LayerConfig& other) const;
  // Makes table() cover positions [0, count); it may move.
  void Cover(int64_t count);
  const RopeTable& table() const { return table_; }

 private:
  LayerConfig rule_;
  int head_dim_;
  std::vector<float> cos_, sin_;
  RopeTable table_;
};

}  // namespace lem
