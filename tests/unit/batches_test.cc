// SPDX-License-Identifier: EUPL-1.2
// Which examples meet in which batch, and which of their tokens are learnt.
#include "pipelines/train/batches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/error.h"

namespace lem {
namespace {

// Examples of the given lengths, ids 100 + position, everything after the first token learnt.
Dataset Lengths(const std::vector<size_t>& lengths) {
  Dataset dataset;
  dataset.where = "test.jsonl";
  for (const size_t length : lengths) {
    Example example;
    for (size_t i = 0; i < length; ++i) example.ids.push_back(100 + static_cast<int32_t>(i));
    if (length > 1) example.learnt.push_back({1, length});
    example.json_keys = 2;
    dataset.examples.push_back(example);
  }
  return dataset;
}

using Ids = std::vector<int32_t>;

TEST(MlxBatch, WidthsFollowItsRule) {
  const std::pair<size_t, size_t> wanted[] = {{1, 33},    {32, 33},     {33, 65},    {64, 65},
                                              {100, 129}, {2047, 2048}, {3000, 2048}};
  for (const auto& [longest, width] : wanted) EXPECT_EQ(MlxRowWidth(longest, 2048), width);
}

TEST(MlxBatch, TheFirstPaddingTokenIsLearntAsZero) {
  const Dataset d = Lengths({3, 2});
  const size_t both[] = {0, 1};
  const MicroBatch b = MakeMlxBatch(d, both, 2048);
  EXPECT_EQ(b.padded_width, 33u);
  EXPECT_EQ(b.batch.ids, (Ids{100, 101, 102, 100, 101}));
  EXPECT_EQ(b.batch.targets, (Ids{101, 102, 0, 101, 0}));
  EXPECT_EQ(b.counted, 5);
  EXPECT_EQ(b.batch.counted(), 5);
  EXPECT_EQ(b.batch.starts, (std::vector<size_t>{0, 3, 5}));
}

TEST(MlxBatch, AFullRowHasNoPadding) {
  const Dataset d = Lengths({40});
  const size_t only[] = {0};
  const MicroBatch b = MakeMlxBatch(d, only, 8);
  EXPECT_EQ(b.batch.ids.size(), 7u);
  EXPECT_EQ(b.batch.targets.back(), 107);
  EXPECT_EQ(b.longest, 40u);
}

TEST(MlxBatch, OffsetsCountFromTheirPosition) {
  Dataset d = Lengths({6});
  const size_t only[] = {0};
  for (const size_t offset : {0u, 1u}) {
    d.examples[0].offset = offset;
    EXPECT_EQ(MakeMlxBatch(d, only, 2048).counted, 6);  // length, the padding included
  }
  d.examples[0].offset = 4;  // length - offset + 1
  const MicroBatch b = MakeMlxBatch(d, only, 2048);
  EXPECT_EQ(b.batch.targets, (Ids{-1, -1, -1, 104, 105, 0}));
  d.examples[0].offset = 60;  // beyond the end: nothing to learn
  EXPECT_EQ(MakeMlxBatch(d, only, 2048).counted, 0);
  EXPECT_TRUE(MakeMlxBatch(d, only, 2048).batch.ids.empty());  // and nothing to compute
}

TEST(MlxOrder, ChunksInFileOrderWithNumpysPermutations) {
  const Dataset d = Lengths(std::vector<size_t>(21, 5));
  MlxOrder order(d, 2);
  EXPECT_EQ(order.chunks(), 10);  // the twenty-first is dropped
  NumpyRandom random(0);
  const int wanted[] = {2, 8, 4, 9, 1, 6, 7, 3, 0, 5};  // numpy.random.seed(0); permutation(10)
  for (const int chunk : wanted) {
    const auto examples = order.Next(random);
    ASSERT_EQ(examples.size(), 2u);
    EXPECT_EQ(examples[0], static_cast<size_t>(2 * chunk));
    EXPECT_EQ(examples[1], static_cast<size_t>(2 * chunk + 1));
  }
  order.Next(random);  // a second pass has begun with a fresh permutation
  EXPECT_EQ(order.used(), 1u);
}

TEST(MlxOrder, SortsByTheNumberOfKeysAndRefusesSmallSets) {
  Dataset d = Lengths({5, 5, 5, 5});
  d.examples[0].json_keys = 3;
  const MlxOrder order(d, 2);
  EXPECT_EQ(order.chunk(0)[0], 1u);
  EXPECT_EQ(order.chunk(1)[1], 0u);
  EXPECT_THROW(MlxOrder(d, 5), Error);
}

TEST(OurBatch, NoPaddingAndNothingAfterTheLastTarget) {
  Dataset d = Lengths({6, 4});
  d.examples[0].learnt = {{2, 3}, {4, 5}};
  const size_t both[] = {0, 1};
  const MicroBatch b = MakeBatch(d, both);
  EXPECT_EQ(b.batch.ids, (Ids{100, 101, 102, 103, 100, 101, 102}));
  EXPECT_EQ(b.batch.targets, (Ids{-1, 102, -1, 104, 101, 102, 103}));
  EXPECT_EQ(b.counted, 5);
  EXPECT_EQ(b.batch.starts, (std::vector<size_t>{0, 4, 7}));
}

TEST(EpochOrder, EveryEpochHasEveryExampleOnce) {
  std::vector<size_t> lengths;
  for (size_t i = 0; i < 37; ++i) lengths.push_back(2 + (i * 7) % 23);
  const Dataset d = Lengths(lengths);
  EpochOrder order(d, 4, 5);
  ASSERT_EQ(order.batches_per_epoch(), 10);
  std::vector<std::vector<size_t>> epochs(2);
  for (int64_t step = 1; step <= 20; ++step) {
    const auto batch = order.At(step);
    auto& epoch = epochs[static_cast<size_t>((step - 1) / 10)];
    epoch.insert(epoch.end(), batch.begin(), batch.end());
  }
  EXPECT_NE(epochs[0], epochs[1]);
  for (const auto& epoch : epochs) {
    EXPECT_EQ(epoch.size(), 37u);
    EXPECT_EQ(std::set<size_t>(epoch.begin(), epoch.end()).size(), 37u);
  }
}

TEST(EpochOrder, AStepIsAFunctionOfSeedAndNumberAlone) {
  const Dataset d = Lengths({9, 3, 5, 7, 2, 8, 6});
  EpochOrder forwards(d, 2, 11), backwards(d, 2, 11), other(d, 2, 12);
  std::vector<std::vector<size_t>> seen;
  for (int64_t step = 1; step <= 12; ++step) {
    const auto batch = forwards.At(step);
    seen.emplace_back(batch.begin(), batch.end());
  }
  bool differs = false;
  for (int64_t step = 12; step >= 1; --step) {
    const auto batch = backwards.At(step);
    const auto& wanted = seen[static_cast<size_t>(step - 1)];
    EXPECT_TRUE(std::ranges::equal(batch, wanted)) << step;
    differs |= !std::ranges::equal(other.At(step), wanted);
  }
  EXPECT_TRUE(differs);
}

TEST(EpochOrder, RowsOfABatchAreOfLikeLength) {
  std::vector<size_t> lengths;
  for (size_t i = 0; i < 64; ++i) lengths.push_back(2 + (i * 29) % 64);
  const Dataset d = Lengths(lengths);
  EpochOrder order(d, 4, 0);
  for (int64_t step = 1; step <= 16; ++step) {
    std::set<size_t> of_batch;
    for (const size_t i : order.At(step)) of_batch.insert(d.examples[i].ids.size());
    EXPECT_EQ(*of_batch.rbegin() - *of_batch.begin(), 3u);  // neighbours in length
  }
}

TEST(ValidationBatches, AreAlwaysTheSame) {
  const Dataset d = Lengths({9, 3, 5, 7, 2, 8, 6, 4, 10});
  EXPECT_EQ(ValidationBatches(d, 2, 3, 1), ValidationBatches(d, 2, 3, 1));
  EXPECT_EQ(ValidationBatches(d, 2, 3, 1).size(), 3u);
  EXPECT_EQ(ValidationBatches(d, 2, -1, 1).size(), 5u);  // the odd one is kept
  EXPECT_EQ(ValidationBatches(d, 2, 99, 1).size(), 5u);
  EXPECT_EQ(ValidationBatches(d, 2, 0, 1).size(), 0u);
}

TEST(BatchBounds, NoBatchExceedsThem) {
  TrainOptions options;
  const Dataset d = Lengths({9, 30, 5, 7, 2, 80, 6});
  const BatchBounds ours = BoundsOf(d, 2, options);
  EXPECT_EQ(ours.tokens, 79 + 29);
  EXPECT_EQ(ours.counted, 79 + 29);
  options.compat = "mlx-lm";
  options.max_seq_length = 40;
  const BatchBounds mlx = BoundsOf(d, 2, options);
  EXPECT_EQ(mlx.tokens, 40 + 30);
  EXPECT_EQ(mlx.counted, 40 + 30);
}

}  // namespace
}  // namespace lem
