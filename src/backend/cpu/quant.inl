// SPDX-License-Identifier: EUPL-1.2
// Quantised panels. A panel is 32 rows, cut into blocks of 32 k; a block holds two halves of 16
// rows, and a half holds bit planes. In a 4-, 2- or 1-bit plane each row owns 32-bit words; a
// word's lower (upper) 16 bits hold the even (odd) k of its range, pair p = (2 p, 2 p + 1) in field
// FieldOfPair(width, p) of both: one shift brings the pair of every row to where a table look-up
// turns it into a pair of bfloat16 numbers, and another shift brings pairs p and p + 2 into four
// bytes, the quad of integer.inl.
//
//   2 bits: [2]   3: [2][1]   4: [4]   5: [4][1]   6: [4][2]   8: bytes [k pair][row][k parity]

// --- scales

LEM_INLINE F16x LoadHalf(const uint8_t* p) {
#if defined(__AVX512F__)
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
#elif defined(__AVX2__)
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
          _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16)))};
#else
  // Exponent and mantissa moved up, then scaled by 2^112: exact, subnormals included.
  uint16_t half[16];
  uint32_t wide[16], special[16];
  __builtin_memcpy(half, p, 32);
  for (int j = 0; j < 16; ++j) {
    wide[j] = static_cast<uint32_t>(half[j] & 0x8000) << 16 |
              static_cast<uint32_t>(half[j] & 0x7fff) << 13;
    special[j] = (half[j] & 0x7c00) == 0x7c00 ? 0x7f800000u : 0;
  }
  return FromBits(Bits(FromBits(LoadInt(wide)) * Set(0x1p112f)) | LoadInt(special));
#endif
}

LEM_INLINE F16x LoadBytes(const uint8_t* p) {  // 16 signed bytes
#if defined(__AVX512F__)
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes))};
#else
  float f[16];
  for (int j = 0; j < 16; ++j) f[j] = static_cast<float>(static_cast<int8_t>(p[j]));
  return Load(f);
#endif
}

LEM_INLINE F16x LoadPowers(const uint8_t* p) {  // 2^(e - 128)
  uint32_t bits[16];
  for (int j = 0; j < 16; ++j)
    bits[j] = p[j] < 2 ? 0x00200000u << p[j] : static_cast<uint32_t>(p[j] - 1) << 23;
  return FromBits(LoadInt(bits));
}

template <class Read>
LEM_INLINE void ExpandOneLevel(const QuantScales& s, int64_t bytes, Read read, float* d, float* m) {
  const int64_t stride = kPanel * bytes;
  const uint8_t* p = s.data;
  for (int64_t g = 0; g < s.groups; ++g, d += kPanel, p += stride * (1 + s.has_offset))
    for (int64_t r = 0; r < kPanel; r += kLanes) {
      Store(d + r, read(p + r * bytes));
      if (m) Store(m + g * kPanel + r, read(p + stride + r * bytes));
    }
}

static void ExpandTwoLevels(const QuantScales& s, float* d, float* m) {
  const int64_t kinds = 1 + s.has_offset;
  const uint8_t* p = s.data;
  for (int64_t g = 0; g < s.groups; g += s.per_super) {
    const uint8_t* small = p + kPanel * 2 * kinds;
    for (int64_t r = 0; r < kPanel; r += kLanes) {
      const F16x super = LoadHalf(p + 2 * r);
      const F16x minus = s.has_offset ? Set(0) - LoadHalf(p + 2 * (kPanel + r)) : Set(0);
      for (int64_t j = 0; j < s.per_super; ++j) {
        const uint8_t* at = small + j * kPanel * kinds + r;
        Store(d + (g + j) * kPanel + r, super * LoadBytes(at));
        if (m) Store(m + (g + j) * kPanel + r, minus * LoadBytes(at + kPanel));
      }
    }
    p = small + s.per_super * kPanel * kinds;
  }
}

static void ExpandScales(const QuantScales& s, float* d, float* m) {
  using Kind = QuantScales::Kind;
  switch (s.kind) {
    case Kind::kF16:
      return ExpandOneLevel(s, 2, LoadHalf, d, m);
    case Kind::kBF16:
      return ExpandOneLevel(
          s, 2, [](const uint8_t* p) { return LoadBFloat16(reinterpret_cast<const uint16_t*>(p)); },
          d, m);
    case Kind::kF32:
      return ExpandOneLevel(
          s, 4, [](const uint8_t* p) { return Load(reinterpret_cast<const float*>(p)); }, d, m);
    case Kind::kPowerOfTwo:
      return ExpandOneLevel(s, 1, LoadPowers, d, m);
    case Kind::kTwoLevel:
      return ExpandTwoLevels(s, d, m);
  }
}

// d * value + m, each step rounded as the file's type says.
LEM_INLINE float HalfRounded(float x) {
#if defined(__F16C__)
  return _cvtsh_ss(_cvtss_sh(x, 0));
#else
  // Adding and taking away 2^13 times the number's power of two (at least the least subnormal's)
  // rounds to 11 bits.
  uint32_t bits;
  __builtin_memcpy(&bits, &x, 4);
  uint32_t exponent = bits & 0x7f800000u;
  if (exponent == 0x7f800000u) return x;
  if (exponent >= 143u << 23) return x < 0 ? -__builtin_inff() : __builtin_inff();
  if (exponent < 113u << 23) exponent = 113u << 23;
  const uint32_t magic_bits = exponent + (13u << 23);
  float magic;
  __builtin_memcpy(&magic, &magic_bits, 4);
  const float size = x < 0 ? -x : x;
  const float rounded = size + magic * 1.5f - magic * 1.5f;
  const float bounded = rounded >= 65520.0f ? __builtin_inff() : rounded;
  return x < 0 ? -bounded : bounded;
#endif
}

// A call of its own: rare, slow, and too large to stand in every unrolled loop.
static __attribute__((noinline)) void DequantizeInHalf(const float* d, const float* m,
                                                       float* value) {
  for (int i = 0; i < kLanes; ++i) value[i] = HalfRounded(HalfRounded(d[i] * value[i]) + m[i]);
}

LEM_INLINE F16x DequantizeLanes(QuantRounding rounding, F16x d, F16x value, F16x m) {
  if (rounding == QuantRounding::kNone) return d * value + m;
  if (rounding == QuantRounding::kBF16) return Rounded(Rounded(d * value) + m);
  float scale[kLanes], offset[kLanes], lane[kLanes];
  Store(scale, d);
  Store(offset, m);
  Store(lane, value);
  DequantizeInHalf(scale, offset, lane);
  return Load(lane);
}

#if defined(__AVX512BF16__)

// Table look-ups. Indices use 5 bits (6 for two registers); tables repeat where codes are shorter,
// so that the bits above a code need no mask.
struct CodeTable {
  __m512i low, high;
};
LEM_INLINE CodeTable TableOf(const QuantCodes& q) {
  alignas(64) uint16_t t[64];
  const int size = q.bits >= 6 ? 64 : 1 << q.bits;
  for (int i = 0; i < 64; ++i) t[i] = q.values16[i & (size - 1)];
  return {_mm512_load_si512(t), _mm512_load_si512(t + 32)};
}

// Pair p (of 16) of a half-block: 16 rows x (k = 2 p, 2 p + 1) as bfloat16.
template <int kBits, bool kSigned>
LEM_INLINE __m512i CodePair(const uint8_t* half, int p, const CodeTable& table) {
  if constexpr (kBits == 8) {
    const __m128i* at = reinterpret_cast<const __m128i*>(half + 32 * p);
    const __m128i a = _mm_loadu_si128(at), b = _mm_loadu_si128(at + 1);
    const __m512i wide_a = kSigned ? _mm512_cvtepi8_epi32(a) : _mm512_cvtepu8_epi32(a);
    const __m512i wide_b = kSigned ? _mm512_cvtepi8_epi32(b) : _mm512_cvtepu8_epi32(b);
    return PairsOf(_mm512_cvtepi32_ps(wide_a), _mm512_cvtepi32_ps(wide_b));
  } else {
    constexpr int kLow = kBits >= 4 ? 4 : 2, kHigh = kBits - kLow, kPerWord = 16 / kLow;
    __m512i index = _mm512_loadu_si512(half + 64 * (p / kPerWord));
    index = _mm512_srli_epi16(index, FieldOfPair(kLow, p) * kLow);
    if constexpr (kHigh > 0) {
      constexpr int kHighPerWord = 16 / kHigh;
      __m512i high = _mm512_loadu_si512(half + 64 * kLow + 64 * (p / kHighPerWord));
      const int shift = FieldOfPair(kHigh, p) * kHigh - kLow;
      high = shift >= 0 ? _mm512_srli_epi16(high, shift) : _mm512_slli_epi16(high, -shift);
      // (mask & index) | (~mask & high)
      index = _mm512_ternarylogic_epi32(_mm512_set1_epi16((1 << kLow) - 1), index, high, 0xca);
    }
    if constexpr (kBits == 6) return _mm512_permutex2var_epi16(table.low, index, table.high);
    return _mm512_permutexvar_epi16(index, table.low);
  }
}

// One half-block, ahead of its use, into the second cache. Memory is read in the order in which it
// lies: 28 GB/s on one Zen 4 core, 16 when the halves of a block take turns.
template <int kBits>
LEM_INLINE void PrefetchCodes(const uint8_t* half) {
  constexpr int kAhead = 3072;
#pragma GCC unroll 8
  for (int line = 0; line < kBits; ++line)
    _mm_prefetch(reinterpret_cast<const char*>(half + kAhead + line * 64), _MM_HINT_T1);
}

template <int kBits, bool kSigned>
static void ExpandPairs(const QuantCodes& q, const uint8_t* codes, int64_t blocks, float* out) {
  const CodeTable table = TableOf(q);
  for (int64_t b = 0; b < blocks; ++b, out += 16 * kPanel)
    for (int half = 0; half < 2; ++half, codes += 64 * kBits) {
      PrefetchCodes<kBits>(codes);
#pragma GCC unroll 16
      for (int p = 0; p < 16; ++p)
        _mm512_storeu_si512(out + p * kPanel + half * 16,
                            CodePair<kBits, kSigned>(codes, p, table));
    }
}

LEM_INLINE __m512 EvenOf(__m512i pair) { return _mm512_castsi512_ps(_mm512_slli_epi32(pair, 16)); }
LEM_INLINE __m512 OddOf(__m512i pair) {
  return _mm512_castsi512_ps(
      _mm512_and_si512(pair, _mm512_set1_epi32(static_cast<int>(0xffff0000u))));
}

template <int kBits, bool kSigned>
static void ExpandFloats(const QuantCodes& q, const uint8_t* codes, int64_t blocks, float* out) {
  const CodeTable table = TableOf(q);
  for (int64_t b = 0; b < blocks; ++b, out += 32 * kPanel)
    for (int half = 0; half < 2; ++half, codes += 64 * kBits)
#pragma GCC unroll 16
      for (int p = 0; p < 16; ++p) {
        const __m512i pair = CodePair<kBits, kSigned>(codes, p, table);
        _mm512_storeu_ps(out + 2 * p * kPanel + half * 16, EvenOf(pair));
        _mm512_storeu_ps(out + (2 * p + 1) * kPanel + half * 16, OddOf(pair));
      }
}

// Calls f.template operator()<bits, signed>().
template <class F>
LEM_INLINE void ByBits(const QuantCodes& q, F f) {
  switch (q.bits) {
    case 2:
      return f.template operator()<2, false>();
    case 3:
      return f.template operator()<3, false>();
    case 4:
      return f.template operator()<4, false>();
    case 5:
      return f.template operator()<5, false>();
    case 6:
      return f.template operator()<6, false>();
    default:
      if (q.values[255] < 0) return f.template operator()<8, true>();
      return f.template operator()<8, false>();
  }
}

static void ExpandCodesPairs(const QuantCodes& q, const uint8_t* codes, int64_t blocks,
                             float* out) {
  ByBits(q, [&]<int kBits, bool kSigned>() { ExpandPairs<kBits, kSigned>(q, codes, blocks, out); });
}
static void ExpandCodesFloat(const QuantCodes& q, const uint8_t* codes, int64_t blocks,
                             float* out) {
  ByBits(q,
         [&]<int kBits, bool kSigned>() { ExpandFloats<kBits, kSigned>(q, codes, blocks, out); });
}

// --- dequantised operands: the 16 pairs of one half-block, each number d * code + m in the file's
// rounding, then in bfloat16. d, m: this half's scales of the block's first group.

template <int kBits, bool kSigned>
LEM_INLINE void ValuePairs(QuantRounding rounding, const uint8_t* half, const CodeTable& table,
                           const float* d, const float* m, int64_t groups, __m512i (&v)[16]) {
  alignas(64) int16_t order[32];
  for (int i = 0; i < 32; ++i) order[i] = static_cast<int16_t>(i / 2 + i % 2 * 16);
  const __m512i interleave = _mm512_load_si512(order);
#pragma GCC unroll 16
  for (int p = 0; p < 16; ++p) {
    const int64_t at = 2 * p * groups / 32 * kPanel;
    const F16x scale = Load(d + at), offset = m ? Load(m + at) : Set(0);
    const __m512i pair = CodePair<kBits, kSigned>(half, p, table);
    const F16x even = DequantizeLanes(rounding, scale, {(VecF)EvenOf(pair)}, offset);
    const F16x odd = DequantizeLanes(rounding, scale, {(VecF)OddOf(pair)}, offset);
    const __m512i both = PairsOf((__m512)even.part[0], (__m512)odd.part[0]);
    v[p] = _mm512_permutexvar_epi16(interleave, both);
  }
}

static void ExpandValuePairs(const QuantCodes& q, QuantRounding rounding, const uint8_t* codes,
                             const float* d, const float* m, int64_t groups, float* out) {
  ByBits(q, [&]<int kBits, bool kSigned>() {
    const CodeTable table = TableOf(q);
    for (int64_t first = 0; first < kPanel; first += kLanes, codes += 64 * kBits) {
      __m512i v[16];
      ValuePairs<kBits, kSigned>(rounding, codes, table, d + first, m ? m + first : nullptr, groups,
                                 v);
#pragma GCC unroll 16
      for (int p = 0; p < 16; ++p) _mm512_storeu_si512(out + p * kPanel + first, v[p]);
    }
  });
}

// The same numbers as pairs of rows: transposed, a register holds one row's 32 k in order.
static void ExpandGradientPairs(const QuantCodes& q, QuantRounding rounding, const uint8_t* codes,
                                const float* d, const float* m, int64_t groups, float* out) {
  alignas(64) int16_t order[64];
  for (int i = 0; i < 64; ++i) order[i] = static_cast<int16_t>(i / 2 + i % 2 * 32);
  const __m512i low = _mm512_load_si512(order), high = _mm512_load_si512(order + 32);
  ByBits(q, [&]<int kBits, bool kSigned>() {
    const CodeTable table = TableOf(q);
    for (int64_t first = 0; first < kPanel; first += kLanes, codes += 64 * kBits) {
      __m512i v[16];
      ValuePairs<kBits, kSigned>(rounding, codes, table, d + first, m ? m + first : nullptr, groups,
                                 v);
      Transpose16(v);
#pragma GCC unroll 8
      for (int r = 0; r < 16; r += 2, out += kPanel) {
        _mm512_storeu_si512(out, _mm512_permutex2var_epi16(v[r], low, v[r + 1]));
        _mm512_storeu_si512(out + kLanes, _mm512_permutex2var_epi16(v[r], high, v[r + 1]));
      }
    }
  });
}

#else

// Code of (row, k) in one half-block.
LEM_INLINE uint32_t PlaneField(const uint8_t* plane, int width, int row, int k) {
  const int per_word = 32 / width, word = k / per_word, within = k % per_word;
  uint32_t bits;
  __builtin_memcpy(&bits, plane + (word * 16 + row) * 4, 4);
  return bits >> (within % 2 * 16 + FieldOfPair(width, within / 2) * width) & ((1u << width) - 1);
}

LEM_INLINE uint32_t ReadCode(int bits, const uint8_t* half, int row, int k) {
  const int low = bits >= 4 ? 4 : 2;
  if (bits == 8) return half[(k / 2 * 16 + row) * 2 + k % 2];
  const uint32_t code = PlaneField(half, low, row, k);
  return bits > low ? code | PlaneField(half + 64 * low, bits - low, row, k) << low : code;
}

static void ExpandCodesFloat(const QuantCodes& q, const uint8_t* codes, int64_t blocks,
                             float* out) {
  for (int64_t b = 0; b < blocks; ++b, out += 32 * kPanel)
    for (int half = 0; half < 2; ++half, codes += 64 * q.bits)
      for (int k = 0; k < 32; ++k)
        for (int row = 0; row < 16; ++row)
          out[k * kPanel + half * 16 + row] = q.values[ReadCode(q.bits, codes, row, k)];
}

#endif

// Exact values of one block, (32 k, 32 rows).
static void DequantizeBlock(const QuantCodes& q, QuantRounding rounding, const uint8_t* codes,
                            const float* d, const float* m, int64_t groups, float* block) {
  ExpandCodesFloat(q, codes, 1, block);
  for (int64_t k = 0; k < 32; ++k)
    for (int64_t r = 0; r < kPanel; r += kLanes) {
      const int64_t at = k * groups / 32 * kPanel + r;
      const F16x offset = m ? Load(m + at) : Set(0);
      Store(block + k * kPanel + r,
            DequantizeLanes(rounding, Load(d + at), Load(block + k * kPanel + r), offset));
    }
}

#if defined(__AVX512BF16__)
static void ExpandGradientFloats(const QuantCodes& q, QuantRounding rounding, const uint8_t* codes,
                                 const float* d, const float* m, int64_t groups, float* out) {
  alignas(64) float block[32 * kPanel];
  DequantizeBlock(q, rounding, codes, d, m, groups, block);
  PackUnits<FloatUnits>({block, false, false, kPanel, kPanel, kPanel, kPanel, out});
}
#else
static void ExpandRoundedValues(const QuantCodes& q, QuantRounding rounding, const uint8_t* codes,
                                const float* d, const float* m, int64_t groups, float* out) {
  DequantizeBlock(q, rounding, codes, d, m, groups, out);
  for (int64_t i = 0; i < 32 * kPanel; i += kLanes) Store(out + i, Rounded(Load(out + i)));
}

template <bool kRound>
static void ExpandGradient(const QuantCodes& q, QuantRounding rounding, const uint8_t* codes,
                           const float* d, const float* m, int64_t groups, float* out) {
  float block[32 * kPanel];
  DequantizeBlock(q, rounding, codes, d, m, groups, block);
  PackFloats<kRound>({block, false, false, kPanel, kPanel, kPanel, kPanel, out});
}
#endif
