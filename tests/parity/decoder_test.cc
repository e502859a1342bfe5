// SPDX-License-Identifier: EUPL-1.2
// Every family against transformers in float64, block by block: the first tensor that differs is
// named, so that a failure says where.
#include "model/decoder.h"

#include <gtest/gtest.h>

#include "model/decoder_state.h"
#include "tests/support/tiny_models.h"

namespace lem {
namespace {

using namespace testing;

class DecoderParity : public ::testing::TestWithParam<const char*> {};

// A float32 sum of n products is off by at most n 2^-24 of its terms' size. The longest chain here
// is 4 blocks of products over 48 numbers, amplified by the norms' gains: 4 * 48 * 2^-24 = 1.1e-5,
// and softmax and rotations add their own ulps; 1e-4 leaves an order of magnitude.
constexpr double kFloat32 = 1e-4;
// bfloat16 operands carry 2^-9 each; two roundings per product and 14 products in sequence give
// 28 * 2^-9 / sqrt(28) = 1 % expected, and the worst of 1,500 elements is some times that.
constexpr double kBFloat16 = 0.25;

std::vector<float> Infer(TinyModel& model, std::span<const int32_t> ids, int chunk, int sequence,
                         const Goldens* goldens, double tolerance) {
  KvCache cache(model.config(), model.decoder->options().precision,
                static_cast<int64_t>(ids.size()), chunk);
  const size_t vocab = static_cast<size_t>(model.config().vocab);
  std::vector<float> logits(ids.size() * vocab);
  size_t at = 0;
  bool failed = false;
  model.decoder->state().observe = [&](int layer, ConstMat x) {
    if (goldens == nullptr || failed) return;
    const std::string name = "block." + std::to_string(layer) + "." + std::to_string(sequence);
    const std::vector<float> all = goldens->Floats(name);
    const auto part = std::span(all).subspan(at * x.cols, x.rows * x.cols);
    const double error = RelativeError({x.data, x.rows * x.cols}, part);
    failed = error > tolerance;
    EXPECT_LE(error, tolerance) << name << ", tokens from " << at;
  };
  while (at < ids.size()) {
    const size_t size = std::min(ids.size() - at, static_cast<size_t>(chunk));
    const Chunk piece = {
        .cache = &cache, .ids = ids.subspan(at, size), .logits = Chunk::Logits::kAll};
    model.decoder->Forward({&piece, 1}, Mat(logits.data() + at * vocab, size, vocab));
    at += size;
  }
  model.decoder->state().observe = nullptr;
  return logits;
}

TEST_P(DecoderParity, EveryBlockAndTheLogitsMatchTransformers) {
  const Goldens goldens(GetParam());
  TinyModel model(GetParam());
  for (int i = 0; i < 2; ++i) {
    const std::vector<int32_t> ids = goldens.Ids(i);
    const auto logits = Infer(model, ids, 64, i, &goldens, kFloat32);
    EXPECT_LE(RelativeError(logits, goldens.Floats("logits." + std::to_string(i))), kFloat32);
  }
}

TEST_P(DecoderParity, BFloat16StaysNear) {
  const Goldens goldens(GetParam());
  TinyModel model(GetParam(), Precision::kBFloat16);
  const std::vector<int32_t> ids = goldens.Ids(0);
  const auto logits = Infer(model, ids, 64, 0, nullptr, 0);
  EXPECT_LE(RelativeError(logits, goldens.Floats("logits.0")), kBFloat16);
}

// Chunks of 1, 5 and 64 tokens go through rings that wrap around the window of 8.
TEST_P(DecoderParity, ChunksDoNotChangeABit) {
  const Goldens goldens(GetParam());
  for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16}) {
    TinyModel model(GetParam(), precision);
    const std::vector<int32_t> ids = goldens.Ids(0);
    const auto whole = Infer(model, ids, 64, 0, nullptr, 0);
    EXPECT_EQ(whole, Infer(model, ids, 1, 0, nullptr, 0));
    EXPECT_EQ(whole, Infer(model, ids, 5, 0, nullptr, 0));
  }
}

TEST_P(DecoderParity, NeighboursDoNotChangeABit) {
  const Goldens goldens(GetParam());
  TinyModel model(GetParam(), Precision::kBFloat16);
  const size_t vocab = static_cast<size_t>(model.config().vocab);
  const std::vector<int32_t> a = goldens.Ids(0), b = goldens.Ids(1);
  const auto alone = Infer(model, b, 64, 1, nullptr, 0);
  KvCache first(model.config(), Precision::kBFloat16, 64, 64),
      second(model.config(), Precision::kBFloat16, 64, 64);
  const Chunk chunks[] = {{.cache = &first, .ids = a, .logits = Chunk::Logits::kLast},
                          {.cache = &second, .ids = b, .logits = Chunk::Logits::kAll}};
  std::vector<float> logits((1 + b.size()) * vocab);
  model.decoder->Forward(chunks, Mat(logits.data(), 1 + b.size(), vocab));
  EXPECT_TRUE(std::equal(alone.begin(), alone.end(), logits.begin() + static_cast<int64_t>(vocab)));
}

TEST_P(DecoderParity, ASharedPrefixDoesNotChangeABit) {
  const Goldens goldens(GetParam());
  TinyModel model(GetParam(), Precision::kBFloat16);
  const size_t vocab = static_cast<size_t>(model.config().vocab);
  const std::vector<int32_t> ids = goldens.Ids(0);
  const auto whole = Infer(model, ids, 64, 0, nullptr, 0);
  for (const size_t split : {1, 7, 8, 9, 23}) {
    auto prefix = std::make_shared<KvCache>(model.config(), Precision::kBFloat16, 32, 32);
    const Chunk head = {
        .cache = prefix.get(), .ids = std::span(ids).first(split), .logits = Chunk::Logits::kNone};
    model.decoder->Forward({&head, 1}, Mat());
    KvCache own(model.config(), Precision::kBFloat16, 32, 32, prefix);
    const Chunk tail = {
        .cache = &own, .ids = std::span(ids).subspan(split), .logits = Chunk::Logits::kLast};
    std::vector<float> logits(vocab);
    model.decoder->Forward({&tail, 1}, Mat(logits.data(), 1, vocab));
    EXPECT_TRUE(std::equal(logits.begin(), logits.end(), whole.end() - static_cast<int64_t>(vocab)))
        << split;
  }
}

INSTANTIATE_TEST_SUITE_P(Tiny, DecoderParity, ::testing::ValuesIn(kFamilies),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace lem
