// SPDX-License-Identifier: EUPL-1.2
// Packing: rows or columns of float32 or bfloat16 numbers into 32-bit units, [step][width]
// (kernels.h). Row-major sources are transposed, 16 x 16 units at a time where there are registers
// for it.

LEM_INLINE float Widen(uint16_t b) {
  const uint32_t bits = static_cast<uint32_t>(b) << 16;
  float f;
  __builtin_memcpy(&f, &bits, 4);
  return f;
}
LEM_INLINE uint16_t Narrow(float f) {
  uint32_t bits;
  __builtin_memcpy(&bits, &f, 4);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

#if defined(__AVX512BF16__)

// Exchanges bit kBit of the vector's number with bit kBit of the lane's.
template <int kBit>
LEM_INLINE void ExchangeBit(__m512i (&v)[16]) {
  alignas(64) int32_t low[16], high[16];
  for (int lane = 0; lane < 16; ++lane) {
    const int from = (lane >> kBit & 1) * 16, within = lane & ~(1 << kBit);
    low[lane] = from + within;
    high[lane] = from + within + (1 << kBit);
  }
  const __m512i low_index = _mm512_load_si512(low), high_index = _mm512_load_si512(high);
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) {
    if (i >> kBit & 1) continue;
    const __m512i a = v[i], b = v[i | 1 << kBit];
    v[i] = _mm512_permutex2var_epi32(a, low_index, b);
    v[i | 1 << kBit] = _mm512_permutex2var_epi32(a, high_index, b);
  }
}
LEM_INLINE void Transpose16(__m512i (&v)[16]) {
  ExchangeBit<0>(v);
  ExchangeBit<1>(v);
  ExchangeBit<2>(v);
  ExchangeBit<3>(v);
}

LEM_INLINE __mmask32 FirstLanes(int64_t n) {
  return n >= 32 ? ~__mmask32{0} : n <= 0 ? 0 : (__mmask32{1} << n) - 1;
}
LEM_INLINE __m512i PairsOf(__m512 low, __m512 high) {  // 32 numbers in order
  return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

struct PairUnits {
  static constexpr int kStep = 2;
  // 16 units from 32 consecutive numbers, of which n exist.
  static inline __attribute__((always_inline)) __m512i Along(const void* p, bool bf16, int64_t at,
                                                             int64_t n) {
    const __mmask32 mask = FirstLanes(n);
    if (bf16) return _mm512_maskz_loadu_epi16(mask, static_cast<const uint16_t*>(p) + at);
    const float* f = static_cast<const float*>(p) + at;
    return PairsOf(_mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), f),
                   _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask >> 16), f + 16));
  }
  // 16 units of rows k and k + 1 at columns `at` .., of which n exist.
  static inline __attribute__((always_inline)) __m512i Across(const PackCall& p, int64_t k,
                                                              int64_t at, int64_t n) {
    const __mmask16 mask = static_cast<__mmask16>(FirstLanes(n));
    const __mmask16 second = k + 1 < p.k ? mask : 0;
    const int64_t low = k * p.stride + at, high = low + p.stride;
    __m512i pairs;
    if (p.bf16) {
      const uint16_t* b = static_cast<const uint16_t*>(p.source);
      pairs = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_maskz_loadu_epi16(mask, b + low)),
                                 _mm256_maskz_loadu_epi16(second, b + high), 1);
    } else {
      const float* f = static_cast<const float*>(p.source);
      pairs =
          PairsOf(_mm512_maskz_loadu_ps(mask, f + low), _mm512_maskz_loadu_ps(second, f + high));
    }
    alignas(64) int16_t interleave[32];
    for (int i = 0; i < 32; ++i) interleave[i] = static_cast<int16_t>(i / 2 + i % 2 * 16);
    return _mm512_permutexvar_epi16(_mm512_load_si512(interleave), pairs);
  }
};

struct FloatUnits {
  static constexpr int kStep = 1;
  static inline __attribute__((always_inline)) __m512i Load16(const void* p, bool bf16, int64_t at,
                                                              int64_t n) {
    const __mmask16 mask = static_cast<__mmask16>(FirstLanes(n));
    if (!bf16) return _mm512_maskz_loadu_epi32(mask, static_cast<const float*>(p) + at);
    const __m256i half = _mm256_maskz_loadu_epi16(mask, static_cast<const uint16_t*>(p) + at);
    return _mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16);
  }
  static inline __attribute__((always_inline)) __m512i Along(const void* p, bool bf16, int64_t at,
                                                             int64_t n) {
    return Load16(p, bf16, at, n);
  }
  static inline __attribute__((always_inline)) __m512i Across(const PackCall& p, int64_t k,
                                                              int64_t at, int64_t n) {
    return Load16(p.source, p.bf16, k * p.stride + at, n);
  }
};

// Columns [first, first + 16) of the packed width, of which the first `written` are stored.
template <class Units>
static void PackLanes(const PackCall& p, int64_t first, int64_t written) {
  const int64_t steps = (p.k + Units::kStep - 1) / Units::kStep, count = p.count - first;
  const __mmask16 lanes = static_cast<__mmask16>(FirstLanes(written));
  float* out = p.out + first;
  if (p.width == 1 && !p.transposed) {  // one row: nothing to transpose
    for (int64_t s = 0; s < steps; s += 16) {
      const int64_t k = s * Units::kStep;
      _mm512_mask_storeu_epi32(out + s, static_cast<__mmask16>(FirstLanes(steps - s)),
                               Units::Along(p.source, p.bf16, k, p.k - k));
    }
    return;
  }
  if (p.transposed) {
    for (int64_t s = 0; s < steps; ++s)
      _mm512_mask_storeu_epi32(out + s * p.width, lanes,
                               Units::Across(p, s * Units::kStep, first, count));
    return;
  }
  for (int64_t s = 0; s < steps; s += 16) {
    __m512i v[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {
      v[i] = _mm512_setzero_si512();
      if (i < count)
        v[i] = Units::Along(p.source, p.bf16, (first + i) * p.stride + s * Units::kStep,
                            p.k - s * Units::kStep);
    }
    Transpose16(v);
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i)
      if (s + i < steps) _mm512_mask_storeu_epi32(out + (s + i) * p.width, lanes, v[i]);
  }
}

template <class Units>
static void PackUnits(const PackCall& p) {
  for (int64_t first = 0; first < p.width; first += 16) PackLanes<Units>(p, first, p.width - first);
}

static void PackExact(const PackCall& p) { PackUnits<FloatUnits>(p); }

// Both numbers of a step lie in 8 bytes: eight rows' are gathered at once.
static void PackPairSteps(const StepsCall& c, const uint16_t* steps, int64_t n, float* out) {
  alignas(64) int64_t at[16] = {};
  for (int64_t r = 0; r < c.count; ++r)
    at[r] = static_cast<int64_t>(reinterpret_cast<uintptr_t>(c.rows[r] + c.first));
  const __m512i low = _mm512_load_si512(at), high = _mm512_load_si512(at + 8);
  const __mmask16 lanes = static_cast<__mmask16>(FirstLanes(c.count));
  const auto eight = [](__m512i address, __mmask8 mask) {
    return _mm512_castpd_ps(
        _mm512_mask_i64gather_pd(_mm512_setzero_pd(), mask, address, nullptr, 1));
  };
  for (int64_t i = 0; i < n; ++i, out += c.count) {
    if (2 * steps[i] + 1 == c.k) {  // the last number stands alone
      for (int64_t r = 0; r < c.count; ++r) {
        const uint32_t unit = Narrow(c.rows[r][c.first + c.k - 1]);
        __builtin_memcpy(out + r, &unit, 4);
      }
      continue;
    }
    const __m512i shift = _mm512_set1_epi64(8 * int64_t{steps[i]});
    const __m512i units =
        PairsOf(eight(_mm512_add_epi64(low, shift), static_cast<__mmask8>(lanes)),
                eight(_mm512_add_epi64(high, shift), static_cast<__mmask8>(lanes >> 8)));
    _mm512_mask_storeu_epi32(out, lanes, units);
  }
}

#else

LEM_INLINE float ReadNumber(const PackCall& p, int64_t i, int64_t k) {
  const int64_t at = p.transposed ? k * p.stride + i : i * p.stride + k;
  return p.bf16 ? Widen(static_cast<const uint16_t*>(p.source)[at])
                : static_cast<const float*>(p.source)[at];
}

template <bool kRound>
static void PackFloats(const PackCall& p) {
  for (int64_t k = 0; k < p.k; ++k)
    for (int64_t i = 0; i < p.width; ++i) {
      const float v = i < p.count ? ReadNumber(p, i, k) : 0;
      p.out[k * p.width + i] = kRound ? Widen(Narrow(v)) : v;
    }
}

static void PackExact(const PackCall& p) { PackFloats<false>(p); }

#endif

// --- a few of many steps

template <bool kRound>
static void PackFloatSteps(const StepsCall& c, const uint16_t* steps, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i)
    for (int64_t r = 0; r < c.count; ++r) {
      const float v = c.rows[r][c.first + steps[i]];
      *out++ = kRound ? Widen(Narrow(v)) : v;
    }
}

template <int kStep>
static int64_t FindSteps(const StepsCall& c, uint16_t* steps) {
  alignas(64) float any[kSparseColumns + kLanes] = {};  // the numbers' bits, without signs
  for (int64_t r = 0; r < c.count; ++r) {
    const float* row = c.rows[r] + c.first;
    ForLanes(c.k, [=, &any](int64_t i, int64_t lanes) {
      Store(any + i, FromBits(Bits(Load(any + i)) | Bits(Abs(At(row, i, lanes)))));
    });
  }
  int64_t found = 0;
  for (int64_t s = 0; s * kStep < c.k; ++s) {
    uint32_t bits[kStep];
    __builtin_memcpy(bits, any + s * kStep, sizeof bits);
    steps[found] = static_cast<uint16_t>(s);
    found += (bits[0] | bits[kStep - 1]) != 0;
  }
  return found;
}

// --- sums of groups, for offsets: eight units in a tree, then one after the other.

LEM_INLINE F16x UnitSum(F16x unit, bool pairs) {
  if (!pairs) return unit;
  return FromBits(Shl(Bits(unit), 16)) +
         FromBits(Bits(unit) & SetInt(static_cast<int32_t>(0xffff0000u)));
}

template <bool kPairs>
static void GroupSums(const float* a, int64_t width, int64_t steps, int64_t group_steps,
                      float* sums) {
  for (int64_t s = 0; s < steps; s += group_steps, sums += width, a += group_steps * width)
    ForLanes(width, [=](int64_t r, int64_t lanes) {
      F16x total = Set(0);
      for (int64_t first = 0; first < group_steps; first += 8) {
        F16x v[8];
#pragma GCC unroll 8
        for (int j = 0; j < 8; ++j) v[j] = UnitSum(At(a + (first + j) * width, r, lanes), kPairs);
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) v[j] = v[j] + v[j + 4];
        total = total + ((v[0] + v[2]) + (v[1] + v[3]));
      }
      Put(sums, r, lanes, total);
    });
}
