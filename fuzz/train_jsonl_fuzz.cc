// SPDX-License-Identifier: EUPL-1.2
// Training data is text that others wrote: whatever it holds, it becomes examples whose spans lie
// inside their ids, batches that are consistent, or an Error.
#include <cstdlib>

#include "base/error.h"
#include "pipelines/train/batches.h"
#include "tests/support/tiny_model.h"

using namespace lem;

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckBatch(const MicroBatch& batch) {
  Require(batch.batch.ids.size() == batch.batch.targets.size());
  Require(batch.batch.starts.empty() || batch.batch.starts.back() == batch.batch.ids.size());
  Require(batch.counted == batch.batch.counted());
}

void CheckDataset(Dataset dataset, int64_t max_seq_length) {
  for (const Example& example : dataset.examples) {
    size_t last = 1;
    for (const TokenSpan& span : example.learnt) {
      Require(span.begin >= last && span.begin < span.end && span.end <= example.ids.size());
      last = span.end;
    }
  }
  for (size_t i = 0; i < dataset.examples.size(); ++i) {
    CheckBatch(MakeMlxBatch(dataset, std::span(&i, 1), max_seq_length));
  }
  FitDataset(max_seq_length, &dataset);
  if (dataset.empty()) return;
  EpochOrder order(dataset, 2, 1);
  for (int64_t step = 1; step <= order.batches_per_epoch(); ++step) {
    const MicroBatch batch = MakeBatch(dataset, order.At(step));
    CheckBatch(batch);
    Require(batch.counted > 0);
  }
}

}  // namespace

// The first byte chooses mask, mode and length; the rest is the file.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static const Tokenizer tokenizer = testing::TinyTokenizer();
  static const ChatTemplate chat_template = testing::TinyChatTemplate();
  Encoding encoding;
  encoding.tokenizer = &tokenizer;
  encoding.chat_template = &chat_template;
  encoding.mask = static_cast<MaskMode>(data[0] % 3);
  encoding.mlx_compat = data[0] & 4;
  const int64_t max_seq_length = 2 + data[0] / 8;
  try {
    CheckDataset(
        ParseDataset({reinterpret_cast<const char*>(data) + 1, size - 1}, "fuzz", encoding),
        max_seq_length);
  } catch (const Error&) {
  }
  return 0;
}
