// SPDX-License-Identifier: EUPL-1.2
// Lays out what a pass keeps and what it scribbles on. Sizes follow from the model, the adapter and
// the number of tokens alone, so that memory is known before it is taken.
#pragma once

#include "model/adapter.h"
#include "model/arena.h"
#include "model/block.h"
#include "model/config.h"

namespace lem {

struct PassSizes {
  const ModelConfig& config;
  const AdapterShape* adapter = nullptr;  // null: none
  size_t tokens = 0;
  bool bf16 = true;
  bool training = false;

  bool low_rank() const { return adapter && adapter->type != TuneType::kFull; }
  bool dora() const { return adapter && adapter->type == TuneType::kDora; }
  bool dropout() const { return low_rank() && adapter->dropout > 0; }
};

// Whether the adapter's keys name this projection (no keys: all seven).
bool Adapts(const AdapterShape& shape, Projection projection);

// Kept per block while training, and shared by all blocks otherwise. `adapted`: the block is one of
// those the adapter touches.
Block::Saved LayOutSaved(const PassSizes& sizes, bool adapted, Arena* arena);
// One for a pass.
Block::Scratch LayOutScratch(const PassSizes& sizes, Arena* arena);

}  // namespace lem
