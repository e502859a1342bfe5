// SPDX-License-Identifier: EUPL-1.2
#include "model/kv_cache.h"

#include <gtest/gtest.h>

#include "tests/support/tiny_config.h"

namespace lem {
namespace {

using namespace testing;

TEST(KvCache, WindowLayersKeepAWindowAndAChunk) {
  const ModelConfig config = TinyConfig("gemma3", 8);  // layer 0: window 8; kv_dim 16
  const KvCache cache(config, Precision::kBFloat16, 100, 4);
  EXPECT_EQ(cache.Ring(0).k.rows, 8u - 1 + 4);
  EXPECT_EQ(cache.Ring(1).k.rows, 100u);
  EXPECT_TRUE(cache.Ring(0).v.bf16);
  EXPECT_EQ(cache.bytes(), (11u + 100u) * 16 * 2 * 2);
  EXPECT_EQ(KvCache::BytesFor(config, Precision::kBFloat16, 100, 4), cache.bytes());
  EXPECT_EQ(KvCache::BytesFor(config, Precision::kFloat32, 100, 4), 2 * cache.bytes());
  EXPECT_EQ(KvCache(config, Precision::kFloat32, 5, 4).Ring(0).k.rows, 5u);
}

TEST(KvCache, CountsItsPrefix) {
  const ModelConfig config = TinyConfig("llama");
  auto prefix = std::make_shared<KvCache>(config, Precision::kFloat32, 10, 10);
  prefix->Advance(10);
  KvCache cache(config, Precision::kFloat32, 6, 4, prefix);
  EXPECT_EQ(cache.length(), 10);
  cache.Advance(2);
  const CachedSegment segment = cache.SegmentFor(1, 3, 5);
  EXPECT_EQ(segment.first, 12);
  EXPECT_EQ(segment.prefix_length, 10);
  EXPECT_EQ(segment.begin, 3u);
  EXPECT_EQ(segment.own.k.rows, 6u);
  EXPECT_EQ(segment.prefix.k.data, prefix->Ring(1).k.data);
}

TEST(KvCache, ForgetsOnlyWhatItCanDoWithout) {
  const ModelConfig config = TinyConfig("gemma3", 8);
  KvCache cache(config, Precision::kFloat32, 100, 4);  // the ring of layer 0 holds 11 positions
  cache.Advance(50);
  // A query at 47 sees 40 .. 46; the ring holds 39 .. 49.
  EXPECT_TRUE(cache.Truncate(47));
  EXPECT_EQ(cache.length(), 47);
  cache.Advance(3);
  EXPECT_TRUE(cache.Truncate(46));  // sees 39 .. 45: just there
  cache.Advance(4);
  EXPECT_FALSE(cache.Truncate(45));  // would see 38
  EXPECT_EQ(cache.length(), 50);
  EXPECT_TRUE(cache.Truncate(0));  // an empty past needs nothing
  KvCache global(TinyConfig("llama"), Precision::kFloat32, 100, 4);
  global.Advance(50);
  EXPECT_TRUE(global.Truncate(1));
}

TEST(KvCache, CopiesPositionsBetweenRingsOfOtherSizes) {
  const ModelConfig config = TinyConfig("gemma3", 8);
  KvCache from(config, Precision::kFloat32, 30, 8), to(config, Precision::kFloat32, 100, 4);
  for (const int layer : {0, 1}) {
    const Mat k = from.Ring(layer).k.AsFloat(), v = from.Ring(layer).v.AsFloat();
    for (int p = 0; p < 20; ++p) {
      for (float& x : k.Row(static_cast<size_t>(p) % k.rows)) x = static_cast<float>(p);
      for (float& x : v.Row(static_cast<size_t>(p) % v.rows)) x = static_cast<float>(-p);
    }
  }
  from.Advance(20);
  to.CopyFrom(from);
  EXPECT_EQ(to.length(), 20);
  for (const int layer : {0, 1}) {
    const Mat k = to.Ring(layer).k.AsFloat(), v = to.Ring(layer).v.AsFloat();
    for (int p = layer == 0 ? 13 : 0; p < 20; ++p) {
      EXPECT_EQ(k.Row(static_cast<size_t>(p) % k.rows)[3], static_cast<float>(p));
      EXPECT_EQ(v.Row(static_cast<size_t>(p) % v.rows)[15], static_cast<float>(-p));
    }
  }
}

}  // namespace
}  // namespace lem
