// SPDX-License-Identifier: EUPL-1.2
// Kept outputs of frozen blocks: found by all of their ids, never more bytes than were allowed.
#include "model/frozen_outputs.h"

#include <gtest/gtest.h>

#include <numeric>

namespace lem {
namespace {

using Ids = std::vector<int32_t>;
constexpr size_t kDim = 4;
constexpr uint64_t kRowBytes = kDim * sizeof(float);

std::vector<float> Rows(size_t rows, float first) {
  std::vector<float> values(rows * kDim);
  std::iota(values.begin(), values.end(), first);
  return values;
}

void Keep(FrozenOutputs& frozen, const Ids& ids, float first) {
  const std::vector<float> values = Rows(ids.size(), first);
  frozen.Keep(ids, ConstMat(values.data(), ids.size(), kDim));
}

// Nothing when the sequence is not kept.
std::vector<float> Found(const FrozenOutputs& frozen, const Ids& ids) {
  const ConstMat x = frozen.Find(ids);
  return {x.data, x.data + x.rows * x.cols};
}

TEST(FrozenOutputs, KeepsWhatFitsAndNoMore) {
  FrozenOutputs frozen(kDim, 5 * kRowBytes);
  Keep(frozen, {1, 2, 3}, 10);
  EXPECT_EQ(frozen.bytes(), 3 * kRowBytes);
  Keep(frozen, {1, 2, 4}, 30);  // three rows more would be one too many
  EXPECT_EQ(frozen.bytes(), 3 * kRowBytes);
  EXPECT_EQ(frozen.Find(Ids{1, 2, 4}).rows, 0u);
  Keep(frozen, {5, 6}, 50);  // to the last byte
  EXPECT_EQ(frozen.bytes(), 5 * kRowBytes);
  Keep(frozen, {7}, 70);
  EXPECT_EQ(frozen.bytes(), 5 * kRowBytes);
  EXPECT_EQ(frozen.Find(Ids{7}).rows, 0u);
  EXPECT_EQ(Found(frozen, {1, 2, 3}), Rows(3, 10));
  EXPECT_EQ(Found(frozen, {5, 6}), Rows(2, 50));
}

TEST(FrozenOutputs, AreKnownByAllOfTheirIds) {
  FrozenOutputs frozen(kDim, 100 * kRowBytes);
  Keep(frozen, {1, 2, 3}, 10);
  for (const Ids& other : {Ids{1, 2}, Ids{1, 2, 4}, Ids{1, 2, 3, 4}, Ids{}}) {
    EXPECT_EQ(frozen.Find(other).rows, 0u);
  }
  Keep(frozen, {1, 2, 3}, 90);  // kept already: the first ones stay, and count once
  EXPECT_EQ(Found(frozen, {1, 2, 3}), Rows(3, 10));
  EXPECT_EQ(frozen.bytes(), 3 * kRowBytes);
}

TEST(FrozenOutputs, WithoutRoomKeepNothing) {
  FrozenOutputs none, narrow(kDim, kRowBytes - 1);
  for (FrozenOutputs* frozen : {&none, &narrow}) {
    Keep(*frozen, {1}, 10);
    EXPECT_EQ(frozen->bytes(), 0u);
    EXPECT_EQ(frozen->Find(Ids{1}).rows, 0u);
  }
}

}  // namespace
}  // namespace lem
