// SPDX-License-Identifier: EUPL-1.2
// Random numbers by contract, so that a seed means the same numbers on every machine:
// Threefry-2x32 as MLX and JAX lay it out (specs: Salmon et al. 2011, "Parallel random numbers: as
// easy as 1, 2, 3"), and the Mersenne Twister with NumPy's legacy shuffling.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace lem {

// 20 rounds of Threefry-2x32.
std::array<uint32_t, 2> Threefry2x32(std::array<uint32_t, 2> key, std::array<uint32_t, 2> counter);

// A stream of keys as mlx.core.random keeps it.
class MlxRandom {
 public:
  explicit MlxRandom(uint64_t seed);

  std::array<uint32_t, 2> NextKey();
  // Fills with Uniform[low, high), float32, from the next key, in row-major order.
  void Uniform(float low, float high, std::span<float> out);

  // The stream's whole state, to be saved and restored.
  std::array<uint32_t, 2> state() const { return key_; }
  void set_state(std::array<uint32_t, 2> key) { key_ = key; }

  static void Words(std::array<uint32_t, 2> key, std::span<uint32_t> out);

 private:
  std::array<uint32_t, 2> key_;
};

// numpy.random.seed(seed); numpy.random.permutation(n), legacy generator.
class NumpyRandom {
 public:
  explicit NumpyRandom(uint32_t seed);
  std::vector<int> Permutation(int n);

  struct State {
    std::array<uint32_t, 624> words;
    uint32_t position;
  };
  const State& state() const { return state_; }
  void set_state(const State& state) { state_ = state; }

 private:
  uint32_t Next();
  uint32_t Bounded(uint32_t max);  // uniform on [0, max], by masking and rejection
  State state_;
};

// A counter-based generator of our own uses: the n-th word depends on (seed, stream, n) alone.
class CounterRandom {
 public:
  CounterRandom(uint64_t seed, uint64_t stream) : seed_(seed), stream_(stream) {}
  uint32_t NextWord();
  double NextUnit();                   // [0, 1), 53 bits
  uint64_t NextBelow(uint64_t bound);  // [0, bound), unbiased; bound > 0
  uint64_t position() const { return position_; }
  void set_position(uint64_t position) { position_ = position; }

 private:
  uint64_t seed_, stream_, position_ = 0;
};

}  // namespace lem
