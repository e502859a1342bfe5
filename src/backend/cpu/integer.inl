// SPDX-License-Identifier: EUPL-1.2
// Products of quantised panels with rows rounded to 8-bit integers (kernels.h). Inside a group sums
// are exact; groups are added in ascending order, so that every path gives an output the same bits.

// --- rows of x

struct RoundedGroup {
  I16x low, high;  // 32 integers
  F16x low_f, high_f;
  float scale;
};

// 127 / max |x| overflows below 4e-37; numbers below 1e-30 count as zero.
LEM_INLINE RoundedGroup RoundGroup(F16x a, F16x b) {
  const float top = MaxLanes(Max(Abs(a), Abs(b)));
  const float invalid = SumLanes(a * Set(0) + b * Set(0));  // 0, or NaN
  const bool some = top > 1e-30f;
  const F16x inverse = Set(some ? 127.0f / top : 0.0f), magic = Set(12582912.0f);
  const F16x low = a * inverse + magic, high = b * inverse + magic;
  return {Bits(low) - Bits(magic), Bits(high) - Bits(magic), low - magic, high - magic,
          (some ? top / 127.0f : 0.0f) + invalid};
}

LEM_INLINE RoundedGroup RoundGroupOf(const IntegerPackCall& p, int64_t row, int64_t k) {
  const int64_t at = row * p.stride + k;
  if (p.bf16) {
    const uint16_t* x = static_cast<const uint16_t*>(p.source) + at;
    return RoundGroup(LoadBFloat16(x), LoadBFloat16(x + 16));
  }
  const float* x = static_cast<const float*>(p.source) + at;
  return RoundGroup(Load(x), Load(x + 16));
}

// 32 integers as bytes in the order of quads.
LEM_INLINE void PutQuads(const RoundedGroup& g, uint8_t* out) {
#if defined(__AVX512F__)
  const __m128i order = _mm_setr_epi8(0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15);
  const __m128i low = _mm512_cvtepi32_epi8((__m512i)g.low.part[0]);
  const __m128i high = _mm512_cvtepi32_epi8((__m512i)g.high.part[0]);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_shuffle_epi8(low, order));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 16), _mm_shuffle_epi8(high, order));
#else
  int32_t q[32];
  LEM_EACH {
    *reinterpret_cast<LooseI*>(q + e * kWidth) = g.low.part[e];
    *reinterpret_cast<LooseI*>(q + 16 + e * kWidth) = g.high.part[e];
  }
  for (int i = 0; i < 32; ++i) out[i] = static_cast<uint8_t>(q[i / 8 * 8 + kQuadOrder[i % 8]]);
#endif
}

LEM_INLINE void PutSums(const IntegerPackCall& p, const RoundedGroup& g, int64_t row, int64_t k) {
  const float low = SumLanes(g.low_f), high = SumLanes(g.high_f);  // integers, exact
  float* sums = p.sums + k / p.sum_group * p.count + row;
  int32_t* raises = p.raises + k / p.sum_group * p.count + row;
  if (p.sum_group == 32) {
    *sums = g.scale * (low + high);
    *raises = static_cast<int32_t>(-low - high);
  } else {
    sums[0] = g.scale * low;
    sums[p.count] = g.scale * high;
    raises[0] = static_cast<int32_t>(-low);
    raises[p.count] = static_cast<int32_t>(-high);
  }
}

// The quads of up to 16 rows and 64 k, 64 bytes a row.
LEM_INLINE void PutQuadRows(const uint8_t* bytes, int64_t steps, const IntegerPackCall& p,
                            int64_t first_row, int64_t rows, int32_t* out) {
#if defined(__AVX512F__)
  if (rows > 2) {
    __m512i v[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i)
      v[i] = i < rows ? _mm512_load_si512(bytes + i * 64) : _mm512_setzero_si512();
    Transpose16(v);
    const __mmask16 mask = static_cast<__mmask16>(FirstLanes(rows));
#pragma GCC unroll 16
    for (int s = 0; s < 16; ++s)
      if (s < steps) _mm512_mask_storeu_epi32(out + s * p.count + first_row, mask, v[s]);
    return;
  }
#endif
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t s = 0; s < steps; ++s)
      __builtin_memcpy(out + s * p.count + first_row + r, bytes + r * 64 + s * 4, 4);
}

static void PackIntegers(const IntegerPackCall& p) {
  alignas(64) uint8_t bytes[16 * 64];
  for (int64_t first = 0; first < p.count; first += 16) {
    const int64_t rows = p.count - first < 16 ? p.count - first : 16;
    for (int64_t k = 0; k < p.k; k += 64) {
      const int64_t width = p.k - k < 64 ? p.k - k : 64;
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t at = 0; at < width; at += 32) {
          const RoundedGroup g = RoundGroupOf(p, first + r, k + at);
          PutQuads(g, bytes + r * 64 + at);
          p.scales[(k + at) / 32 * p.count + first + r] = g.scale;
          PutSums(p, g, first + r, k + at);
        }
      PutQuadRows(bytes, width / 4, p, first, rows, p.quads + k / 4 * p.count);
    }
  }
}

// --- panels

static void ExpandIntegerScales(const QuantScales& s, float zero, float* d, float* m) {
  ExpandScales(s, d, m);
  for (int64_t i = 0; m && zero != 0 && i < s.groups * kPanel; i += kLanes)
    Store(m + i, Load(m + i) - Set(zero) * Load(d + i));
}

// k summed before a scale applies: x has one for 32, a weight perhaps one for 16.
LEM_INLINE int64_t SumGroup(int64_t group) { return group < 32 ? group : 32; }

#if defined(__AVX512VNNI__)

// What a group's sum of integers starts with.
template <bool kOffset>
LEM_INLINE __m512i StartGroup(const int32_t* raises, __m512i raised) {
  if constexpr (kOffset) return _mm512_setzero_si512();
  return _mm512_sllv_epi32(_mm512_set1_epi32(*raises), raised);
}
// total += d * scale * sum, and m * x_sum
template <bool kOffset>
LEM_INLINE F16x CloseGroup(__m512i sum, F16x d, F16x m, float scale, float x_sum, F16x total) {
  const F16x whole = {(VecF)_mm512_cvtepi32_ps(sum)};
  total = Fma(whole * d, Set(scale), total);
  if constexpr (kOffset) return Fma(Set(x_sum), m, total);
  return total;
}

template <int R, int C>
LEM_INLINE void FinishIntegers(const IntegerTile& t, int64_t row, int64_t col,
                               F16x (&total)[R][C]) {
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) {
      const int64_t lanes = t.cols - col - c * kLanes;
      if (lanes <= 0) continue;
      float* out = t.y + (row + r) * t.y_stride + col + c * kLanes;
      Put(out, 0, lanes < kLanes ? lanes : kLanes, total[r][c]);
    }
  }
}

template <bool kOffset, int R>
static void IntegerRows(const IntegerCall& call, int64_t row) {
  const IntegerTile& t = call.tile;
  const int64_t width = t.rows, sum_group = SumGroup(t.group), steps = sum_group / 4;
  const int32_t* x = t.quads + row;
  const float *scales = t.scales + row, *sums = t.sums + row, *d = call.d, *m = call.m;
  const int32_t* raises = t.raises + row;
  const __m512i raised = _mm512_set1_epi32(call.raised);
  const uint8_t* w = call.bytes;
  int64_t group = 0, left = t.group;  // of the weight, k until its next
  F16x total[R][2];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) total[r][0] = total[r][1] = Set(0);
  for (int64_t k = 0; k < t.k; k += sum_group, w += steps * 64, x += steps * width) {
    __m512i sum[R][2];
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      sum[r][0] = StartGroup<kOffset>(raises + r, raised);
      sum[r][1] = sum[r][0];
    }
    for (int64_t s = 0; s < steps; ++s) {
      const __m512i low = _mm512_loadu_si512(w + s * 64);
      const __m512i high = _mm512_loadu_si512(w + 512 + s * 64);
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) {
        const __m512i quad = _mm512_set1_epi32(x[s * width + r]);
        sum[r][0] = _mm512_dpbusd_epi32(sum[r][0], low, quad);
        sum[r][1] = _mm512_dpbusd_epi32(sum[r][1], high, quad);
      }
    }
    const F16x d0 = Load(d), d1 = Load(d + kLanes);
    const F16x m0 = kOffset ? Load(m) : d0, m1 = kOffset ? Load(m + kLanes) : d1;
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      total[r][0] = CloseGroup<kOffset>(sum[r][0], d0, m0, scales[r], sums[r], total[r][0]);
      total[r][1] = CloseGroup<kOffset>(sum[r][1], d1, m1, scales[r], sums[r], total[r][1]);
    }
    if ((k + sum_group) % 32 == 0) scales += width, w += 512;
    sums += width;
    raises += width;
    left -= sum_group;
    if (left > 0) continue;
    left = t.group;
    if (row == 0) Fetch(call.codes, group), Fetch(call.scales, group);
    ++group;
    d += kPanel;
    if (kOffset) m += kPanel;
  }
  FinishIntegers<R, 2>(t, row, 0, total);
}

constexpr int kIntegerRows = 6;

template <int R>
static void DispatchIntegers(const IntegerCall& call, int64_t rows, int64_t row) {
  if (rows == R) return call.m ? IntegerRows<true, R>(call, row) : IntegerRows<false, R>(call, row);
  if constexpr (R > 1) DispatchIntegers<R - 1>(call, rows, row);
}
static void MultiplyIntegers(const IntegerCall& call) {
  for (int64_t row = 0, rows; row < call.tile.rows; row += rows) {
    rows = call.tile.rows - row < kIntegerRows ? call.tile.rows - row : kIntegerRows;
    DispatchIntegers<kIntegerRows>(call, rows, row);
  }
}

// Quad q (of 8) of a half-block: 16 rows x 4 integers, raised.
template <int kBits, bool kDirect>
LEM_INLINE __m512i CodeQuad(const uint8_t* half, int q, __m512i table) {
  if constexpr (kBits == 8) {
    return _mm512_loadu_si512(half + 64 * q);
  } else {
    constexpr int kLow = kBits >= 4 ? 4 : 2, kHigh = kBits - kLow;
    const int pair = q / 2 * 4 + q % 2;
    const auto field = [&](int width, const uint8_t* plane) __attribute__((always_inline)) {
      const __m512i word = _mm512_loadu_si512(plane + 64 * (pair * width / 16));
      return _mm512_srli_epi32(word, FieldOfPair(width, pair) * width);
    };
    const __m512i mask = _mm512_set1_epi8((1 << kLow) - 1);
    __m512i code = _mm512_and_si512(field(kLow, half), mask);
    if constexpr (kHigh > 0) {
      const __m512i word = _mm512_loadu_si512(half + 64 * kLow + 64 * (pair * kHigh / 16));
      const int shift = FieldOfPair(kHigh, pair) * kHigh - kLow;
      const __m512i high =
          shift >= 0 ? _mm512_srli_epi32(word, shift) : _mm512_slli_epi32(word, -shift);
      const __m512i place = _mm512_set1_epi8(((1 << kHigh) - 1) << kLow);
      code = _mm512_ternarylogic_epi32(code, high, place, 0xf8);  // code | (high & place)
    }
    return kDirect ? code : _mm512_shuffle_epi8(table, code);
  }
}
LEM_INLINE __m512i RaisedTable(const QuantCodes& q) {
  return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(q.raised)));
}

// Calls f.template operator()<bits, direct>(). Only formats of 4 bits have tables.
template <class F>
LEM_INLINE void ByIntegerBits(const QuantCodes& q, F f) {
  switch (q.bits) {
    case 2:
      return f.template operator()<2, true>();
    case 3:
      return f.template operator()<3, true>();
    case 4:
      if (!q.direct) return f.template operator()<4, false>();
      return f.template operator()<4, true>();
    case 5:
      return f.template operator()<5, true>();
    case 6:
      return f.template operator()<6, true>();
    default:
      return f.template operator()<8, true>();
  }
}

static void ExpandCodeBytes(const QuantCodes& q, const uint8_t* codes, int64_t blocks,
                            uint8_t* out) {
  ByIntegerBits(q, [&]<int kBits, bool kDirect>() {
    const __m512i table = RaisedTable(q);
    for (int64_t half = 0; half < 2 * blocks; ++half, codes += 64 * kBits, out += 512) {
      PrefetchCodes<kBits>(codes);
#pragma GCC unroll 8
      for (int s = 0; s < 8; ++s)
        _mm512_storeu_si512(out + 64 * s, CodeQuad<kBits, kDirect>(codes, s, table));
    }
  });
}

// One panel against R rows. Up to two rows are as fast as the memory if the halves are read one
// after the other (PrefetchCodes); with more, both halves share what is loaded of x.
template <int kBits, bool kDirect, bool kOffset, int R>
struct IntegerCodesTile {
  static constexpr int kSide = R <= 2 ? 1 : 2;  // halves at once

  IntegerCodesTile(const IntegerCodesCall& c, int64_t first_row, __m512i raised)
      : call(c), row(first_row), table(raised) {}

  // Quads [kFirst, kLast) of kSide halves.
  template <int kFirst, int kLast>
  LEM_INLINE_MEMBER void Add(const uint8_t* codes, int h, int part) {
    __m512i sum[R][kSide];
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r)
      for (int i = 0; i < kSide; ++i)
        sum[r][i] = StartGroup<kOffset>(raises + part * width + r, raised);
#pragma GCC unroll 8
    for (int s = kFirst; s < kLast; ++s) {
      __m512i w[kSide];
      for (int i = 0; i < kSide; ++i)
        w[i] = CodeQuad<kBits, kDirect>(codes + (h + i) * 64 * kBits, s, table);
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) {
        const __m512i quad = _mm512_set1_epi32(x[s * width + r]);
        for (int i = 0; i < kSide; ++i) sum[r][i] = _mm512_dpbusd_epi32(sum[r][i], w[i], quad);
      }
    }
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r)
      for (int i = 0; i < kSide; ++i)
        total[r][h + i] = CloseGroup<kOffset>(sum[r][i], d[part][h + i], m[part][h + i], scales[r],
                                              sums[part * width + r], total[r][h + i]);
  }

  // The scales of the parts that begin a group of the weight.
  LEM_INLINE_MEMBER void NextScales(int part) {
    if (left == 0) {
      left = call.tile.group;
      walk.Next(d[part], m[part]);
      for (int h = 0; kOffset && h < 2; ++h)
        m[part][h] = m[part][h] - Set(call.rule.zero) * d[part][h];
    }
    left -= sum_group;
  }

  LEM_INLINE_MEMBER void Run() {
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) total[r][0] = total[r][1] = Set(0);
    const uint8_t* codes = call.codes;
    const int64_t parts = 32 / sum_group;
    for (int64_t k = 0; k < call.tile.k; k += 32, codes += 128 * kBits) {
      PrefetchCodes<kBits>(codes);
      PrefetchCodes<kBits>(codes + 64 * kBits);
      for (int part = 0; part < parts; ++part) NextScales(part);
#pragma GCC unroll 2
      for (int h = 0; h < 2; h += kSide) {
        if (parts == 1) {
          Add<0, 8>(codes, h, 0);
        } else {
          Add<0, 4>(codes, h, 0);
          Add<4, 8>(codes, h, 1);
        }
      }
      sums += parts * width;
      raises += parts * width;
      x += 8 * width;
      scales += width;
    }
    FinishIntegers<R, 2>(call.tile, row, 0, total);
  }

  const IntegerCodesCall& call;
  int64_t row;
  __m512i table;
  int64_t width = call.tile.rows, sum_group = SumGroup(call.tile.group);
  const int32_t* x = call.tile.quads + row;
  const float *scales = call.tile.scales + row, *sums = call.tile.sums + row;
  const int32_t* raises = call.tile.raises + row;
  __m512i raised = _mm512_set1_epi32(call.rule.zero_bits);
  ScaleWalk walk{call.scales};
  int64_t left = 0;  // k until the weight's next group
  F16x total[R][2], d[2][2], m[2][2];
};

template <int kBits, bool kDirect, bool kOffset, int R>
static void DispatchIntegerCodes(const IntegerCodesCall& call, int64_t rows, int64_t row,
                                 __m512i table) {
  if (rows == R) return IntegerCodesTile<kBits, kDirect, kOffset, R>(call, row, table).Run();
  if constexpr (R > 1) DispatchIntegerCodes<kBits, kDirect, kOffset, R - 1>(call, rows, row, table);
}

[[maybe_unused]] static void MultiplyIntegerCodes(const IntegerCodesCall& call) {
  ByIntegerBits(call.rule, [&]<int kBits, bool kDirect>() {
    for (int64_t row = 0, rows; row < call.tile.rows; row += rows) {
      rows = call.tile.rows - row < kIntegerRows ? call.tile.rows - row : kIntegerRows;
      const __m512i table = RaisedTable(call.rule);
      if (call.scales.has_offset) {
        DispatchIntegerCodes<kBits, kDirect, true, kIntegerRows>(call, rows, row, table);
      } else {
        DispatchIntegerCodes<kBits, kDirect, false, kIntegerRows>(call, rows, row, table);
      }
    }
  });
}

#else

static void ExpandCodeBytes(const QuantCodes& q, const uint8_t* codes, int64_t blocks,
                            uint8_t* out) {
  for (int64_t half = 0; half < 2 * blocks; ++half, codes += 64 * q.bits, out += 512)
    for (int i = 0; i < 32; ++i)
      for (int row = 0; row < 16; ++row) {
        uint8_t* to = out + (i / 4 * 16 + row) * 4 + i % 4;
        *to = q.bits == 8 ? codes[to - out]
                          : q.raised[ReadCode(q.bits, codes, row, i / 8 * 8 + kQuadOrder[i % 8])];
      }
}

// 16 outputs of one row.
LEM_INLINE F16x IntegerRow(const IntegerCall& call, int64_t row, int half) {
  const IntegerTile& t = call.tile;
  const int64_t width = t.rows, sum_group = SumGroup(t.group);
  F16x total = Set(0);
  for (int64_t k = 0; k < t.k; k += sum_group) {
    int32_t sum[kLanes] = {};
    for (int64_t s = k / 4; s < (k + sum_group) / 4; ++s) {
      int8_t x[4];
      __builtin_memcpy(x, t.quads + s * width + row, 4);
      const uint8_t* w = call.bytes + s / kQuadSteps * 1024 + half * 512 + s % kQuadSteps * 64;
      for (int i = 0; i < kLanes; ++i)
        sum[i] += w[4 * i] * x[0] + w[4 * i + 1] * x[1] + w[4 * i + 2] * x[2] + w[4 * i + 3] * x[3];
    }
    const int64_t part = k / sum_group * width + row;
    for (int i = 0; !call.m && i < kLanes; ++i) sum[i] += t.raises[part] * (1 << call.raised);
    float whole[kLanes];
    for (int i = 0; i < kLanes; ++i) whole[i] = static_cast<float>(sum[i]);
    const int64_t at = k / t.group * kPanel + half * kLanes;
    total = Fma(Load(whole) * Load(call.d + at), Set(t.scales[k / 32 * width + row]), total);
    if (call.m) total = Fma(Set(t.sums[part]), Load(call.m + at), total);
  }
  return total;
}

static void MultiplyIntegers(const IntegerCall& call) {
  for (int64_t row = 0; row < call.tile.rows; ++row)
    for (int half = 0; half < 2; ++half) {
      const int64_t lanes = call.tile.cols - half * kLanes;
      if (lanes <= 0) continue;
      Put(call.tile.y + row * call.tile.y_stride + half * kLanes, 0,
          lanes < kLanes ? lanes : kLanes, IntegerRow(call, row, half));
    }
}

#endif
