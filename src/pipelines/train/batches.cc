// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/train/batches.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "base/error.h"

namespace lem {
namespace {

// Streams of CounterRandom: epochs count up from 0, so the other uses sit far above.
constexpr uint64_t kValidationStream = uint64_t{1} << 62;
constexpr size_t kStretch = 16;  // batches that are sorted by length together

template <class T>
void ShuffleInPlace(CounterRandom& random, std::vector<T>& items) {
  for (size_t i = items.size(); i > 1; --i) {
    std::swap(items[i - 1], items[random.NextBelow(i)]);
  }
}

// Appends ids[0 .. inputs) with the given targets (one per input, -1: not counted).
void AppendSequence(std::span<const int32_t> ids, const std::vector<int32_t>& targets,
                    MicroBatch* batch) {
  TrainBatch& b = batch->batch;
  if (b.starts.empty()) b.starts.push_back(0);
  size_t inputs = targets.size();
  while (inputs > 0 && targets[inputs - 1] < 0) --inputs;  // nothing is learnt after this
  b.ids.insert(b.ids.end(), ids.begin(), ids.begin() + static_cast<ptrdiff_t>(inputs));
  b.targets.insert(b.targets.end(), targets.begin(),
                   targets.begin() + static_cast<ptrdiff_t>(inputs));
  if (inputs > 0) b.starts.push_back(b.ids.size());
  for (size_t i = 0; i < inputs; ++i) batch->counted += targets[i] >= 0;
}

size_t InputsOf(const Example& example) {
  return example.learnt.empty() ? 0 : example.learnt.back().end - 1;
}

std::vector<std::vector<size_t>> Cut(const std::vector<size_t>& order, size_t batch_size) {
  std::vector<std::vector<size_t>> batches;
  for (size_t at = 0; at < order.size(); at += batch_size) {
    const size_t end = std::min(at + batch_size, order.size());
    batches.emplace_back(order.begin() + static_cast<ptrdiff_t>(at),
                         order.begin() + static_cast<ptrdiff_t>(end));
  }
  return batches;
}

void SortByLength(const Dataset& dataset, std::span<size_t> indices) {
  std::stable_sort(indices.begin(), indices.end(), [&](size_t a, size_t b) {
    return dataset.examples[a].ids.size() < dataset.examples[b].ids.size();
  });
}

}  // namespace

MicroBatch MakeBatch(const Dataset& dataset, std::span<const size_t> examples) {
  MicroBatch batch;
  batch.examples.assign(examples.begin(), examples.end());
  for (const size_t index : examples) {
    const Example& example = dataset.examples[index];
    batch.longest = std::max(batch.longest, example.ids.size());
    std::vector<int32_t> targets(InputsOf(example), -1);
    for (const TokenSpan& span : example.learnt) {
      for (size_t s = span.begin; s < span.end; ++s) targets[s - 1] = example.ids[s];
    }
    AppendSequence(example.ids, targets, &batch);
  }
  return batch;
}

size_t MlxRowWidth(size_t longest, int64_t max_seq_length) {
  return std::min<size_t>(1 + 32 * ((longest + 31) / 32), static_cast<size_t>(max_seq_length));
}

// Position s of a row (the index of the token predicted) counts when offset <= s <= length; s =
// length is the first padding position and holds id 0, unless the row fills the width.
MicroBatch MakeMlxBatch(const Dataset& dataset, std::span<const size_t> examples,
                        int64_t max_seq_length) {
  MicroBatch batch;
  batch.examples.assign(examples.begin(), examples.end());
  for (const size_t index : examples) {
    batch.longest = std::max(batch.longest, dataset.examples[index].ids.size());
  }
  const size_t width = MlxRowWidth(batch.longest, max_seq_length);
  batch.padded_width = width;
  for (const size_t index : examples) {
    const Example& example = dataset.examples[index];
    const size_t length = std::min<size_t>(example.ids.size(), static_cast<size_t>(max_seq_length));
    const size_t last = std::min(length, width - 1);  // last position that exists and may count
    std::vector<int32_t> targets(last, -1);
    for (size_t s = std::max<size_t>(1, example.offset); s <= last; ++s) {
      targets[s - 1] = s < length ? example.ids[s] : 0;
    }
    AppendSequence(example.ids, targets, &batch);
  }
  return batch;
}

EpochOrder::EpochOrder(const Dataset& dataset, int64_t batch_size, uint64_t seed)
    : dataset_(dataset), batch_size_(static_cast<size_t>(batch_size)), seed_(seed) {
  const size_t n = dataset.examples.size();
  LEM_CHECK(n > 0);
  batches_per_epoch_ = static_cast<int64_t>((n + batch_size_ - 1) / batch_size_);
}

std::span<const size_t> EpochOrder::At(int64_t step) {
  const int64_t epoch = (step - 1) / batches_per_epoch_;
  if (epoch != epoch_) Shuffle(epoch);
  return batches_[static_cast<size_t>((step - 1) % batches_per_epoch_)];
}

void EpochOrder::Shuffle(int64_t epoch) {
  CounterRandom random(seed_, static_cast<uint64_t>(epoch));
  std::vector<size_t> order(dataset_.examples.size());
  std::iota(order.begin(), order.end(), size_t{0});
  ShuffleInPlace(random, order);
  const size_t stretch = kStretch * batch_size_;
  for (size_t at = 0; at < order.size(); at += stretch) {
    SortByLength(dataset_, std::span(order).subspan(at, std::min(stretch, order.size() - at)));
  }
  batches_ = Cut(order, batch_size_);
  ShuffleInPlace(random, batches_);
  epoch_ = epoch;
}

std::vector<std::vector<size_t>> ValidationBatches(const Dataset& dataset, int64_t batch_size,
                                                   int64_t batches, uint64_t seed) {
  std::vector<size_t> order(dataset.examples.size());
  std::iota(order.begin(), order.end(), size_t{0});
  CounterRandom random(seed, kValidationStream);
  ShuffleInPlace(random, order);
  if (batches >= 0) {
    order.resize(std::min(order.size(), static_cast<size_t>(batches * batch_size)));
  }
  std::ranges::sort(order);
  SortByLength(dataset, order);
  return Cut(order, static_cast<size_t>(batch_size));
}

MlxOrder::MlxOrder(const Dataset& dataset, int64_t batch_size) {
  const auto n = static_cast<int64_t>(dataset.examples.size());
  if (n < batch_size) {
    Fail(dataset.where, ": expected at least --batch-size ", batch_size, " examples, found ", n,
         " (mlx-lm's rule); use a smaller batch, or leave out --compat mlx-lm");
  }
  // mlx-lm means to sort by length, and sorts by the number of keys of the record.
  std::vector<size_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, {}, [&](size_t i) { return dataset.examples[i].json_keys; });
  chunks_ = Cut(order, static_cast<size_t>(batch_size));
  if (n % batch_size != 0) chunks_.pop_back();
}

std::span<const size_t> MlxOrder::Next(NumpyRandom& random) {
  if (used_ == permutation_.size()) {
    permutation_ = random.Permutation(static_cast<int>(chunks_.size()));
    used_ = 0;
  }
  return chunk(permutation_[used_++]);
}

void MlxOrder::Restore(std::vector<int> permutation, size_t used) {
  LEM_CHECK(used <= permutation.size());
  permutation_ = std::move(permutation);
  used_ = used;
}

BatchBounds BoundsOf(const Dataset& dataset, int64_t batch_size, const TrainOptions& options) {
  std::vector<int64_t> inputs, counted;
  for (const Example& example : dataset.examples) {
    if (options.mlx_compat()) {
      const auto length =
          std::min<int64_t>(static_cast<int64_t>(example.ids.size()), options.max_seq_length);
      inputs.push_back(length);
      counted.push_back(std::max<int64_t>(
          0, length + 1 - std::max<int64_t>(1, static_cast<int64_t>(example.offset))));
    } else {
      inputs.push_back(static_cast<int64_t>(InputsOf(example)));
      counted.push_back(example.counted());
    }
  }
  // The largest rows may meet in one batch.
  const auto top = [&](std::vector<int64_t>& values) {
    const size_t n = std::min(values.size(), static_cast<size_t>(batch_size));
    std::partial_sort(values.begin(), values.begin() + static_cast<ptrdiff_t>(n), values.end(),
                      std::greater<>());
    return std::accumulate(values.begin(), values.begin() + static_cast<ptrdiff_t>(n), int64_t{0});
  };
  return {.tokens = top(inputs), .counted = top(counted)};
}

}  // namespace lem
