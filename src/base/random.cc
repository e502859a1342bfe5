// SPDX-License-Identifier: EUPL-1.2
#include "base/random.h"

#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/check.h"

namespace lem {

std::array<uint32_t, 2> Threefry2x32(std::array<uint32_t, 2> key, std::array<uint32_t, 2> counter) {
  constexpr int kRotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  const uint32_t schedule[3] = {key[0], key[1], key[0] ^ key[1] ^ 0x1BD11BDAu};
  uint32_t x = counter[0] + schedule[0], y = counter[1] + schedule[1];
  for (uint32_t group = 0; group < 5; ++group) {
    for (const int rotation : kRotations[group % 2]) {
      x += y;
      y = std::rotl(y, rotation) ^ x;
    }
    x += schedule[(group + 1) % 3];
    y += schedule[(group + 2) % 3] + group + 1;
  }
  return {x, y};
}

MlxRandom::MlxRandom(uint64_t seed)
    : key_{static_cast<uint32_t>(seed >> 32), static_cast<uint32_t>(seed)} {}

void MlxRandom::Words(std::array<uint32_t, 2> key, std::span<uint32_t> out) {
  const size_t half = out.size() / 2, odd = out.size() % 2;
  for (size_t i = 0; i < half; ++i) {
    const size_t j = half + odd + i;
    const auto pair = Threefry2x32(key, {static_cast<uint32_t>(i), static_cast<uint32_t>(j)});
    out[i] = pair[0];
    out[j] = pair[1];
  }
  if (odd) out[half] = Threefry2x32(key, {static_cast<uint32_t>(half), 0})[0];
}

std::array<uint32_t, 2> MlxRandom::NextKey() {
  uint32_t words[4];
  Words(key_, words);
  key_ = {words[0], words[1]};
  return {words[2], words[3]};
}

void MlxRandom::Uniform(float low, float high, std::span<float> out) {
  std::vector<uint32_t> words(out.size());
  Words(NextKey(), words);
  const float range = high - low;
  const float below_one = std::nextafter(1.0f, 0.0f);
  for (size_t i = 0; i < out.size(); ++i) {
    const float unit = static_cast<float>(words[i]) / 4294967296.0f;
    out[i] = range * (unit < below_one ? unit : below_one) + low;
  }
}

NumpyRandom::NumpyRandom(uint32_t seed) {
  state_.words[0] = seed;
  for (uint32_t i = 1; i < 624; ++i) {
    const uint32_t last = state_.words[i - 1];
    state_.words[i] = 1812433253u * (last ^ (last >> 30)) + i;
  }
  state_.position = 624;
}

uint32_t NumpyRandom::Next() {
  auto& w = state_.words;
  if (state_.position == 624) {
    for (size_t i = 0; i < 624; ++i) {
      const uint32_t mixed = (w[i] & 0x80000000u) | (w[(i + 1) % 624] & 0x7fffffffu);
      w[i] = w[(i + 397) % 624] ^ (mixed >> 1) ^ (mixed & 1 ? 0x9908b0dfu : 0u);
    }
    state_.position = 0;
  }
  uint32_t y = w[state_.position++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680u;
  y ^= (y << 15) & 0xefc60000u;
  return y ^ (y >> 18);
}

uint32_t NumpyRandom::Bounded(uint32_t max) {
  if (max == 0) return 0;
  const uint32_t mask = UINT32_MAX >> std::countl_zero(max);
  uint32_t value = 0;
  do {
    value = Next() & mask;
  } while (value > max);
  return value;
}

std::vector<int> NumpyRandom::Permutation(int n) {
  LEM_CHECK(n >= 0);
  std::vector<int> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  for (int i = n - 1; i > 0; --i) {
    std::swap(order[static_cast<size_t>(i)], order[Bounded(static_cast<uint32_t>(i))]);
  }
  return order;
}

uint32_t CounterRandom::NextWord() {
  const uint64_t n = position_++;
  const auto key =
      Threefry2x32({static_cast<uint32_t>(seed_ >> 32), static_cast<uint32_t>(seed_)},
                   {static_cast<uint32_t>(stream_ >> 32), static_cast<uint32_t>(stream_)});
  return Threefry2x32(key, {static_cast<uint32_t>(n >> 32), static_cast<uint32_t>(n)})[0];
}

double CounterRandom::NextUnit() {
  const uint64_t high = NextWord(), low = NextWord();
  return static_cast<double>((high << 32 | low) >> 11) * 0x1p-53;
}

uint64_t CounterRandom::NextBelow(uint64_t bound) {
  LEM_CHECK(bound > 0);
  const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  for (;;) {
    const uint64_t high = NextWord();
    const uint64_t word = high << 32 | NextWord();
    if (word < limit) return word % bound;
  }
}

}  // namespace lem
