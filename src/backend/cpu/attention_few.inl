// SPDX-License-Identifier: EUPL-1.2
// Attention's two products for few queries (decoding) over keys and values in bfloat16: straight
// from the cache's rows, which are transposed in registers instead of being packed through memory.
// Every output is the sum that Multiply<PairUnit> makes, pairs in ascending order, to the bit.

#if defined(__AVX512BF16__)

// Sums of so many queries stay in registers over all dimensions; more share packed keys.
constexpr int kFewQueries = 8;

// 16 rows of bfloat16 numbers, `stride` apart. While they are used, the memory `ahead` numbers
// further on is fetched; 0: nothing is.
struct RowGroup {
  const uint16_t* rows;
  int64_t stride, ahead;
};
// Rows of pairs as 32-bit units, `stride` apart: queries or probabilities.
struct UnitRows {
  const float* units;
  int64_t stride;
};

LEM_INLINE void PackUnitRow(const float* from, int64_t n, float* units) {
  for (int64_t i = 0; i < n; i += 32)
    _mm512_storeu_si512(units + i / 2, PairUnits::Along(from, false, i, n - i));
}

// pairs[j] = numbers at + 2 j and at + 2 j + 1 of row r in lane r, `mask` of the 16 numbers;
// kWhole: all of them.
template <bool kWhole>
LEM_INLINE void TransposePairs(const RowGroup& g, int64_t at, __mmask16 mask, __m512i (&pairs)[8]) {
  const auto half = [&](int row) {
    const uint16_t* from = g.rows + row * g.stride + at;
    if (kWhole) return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    return _mm256_maskz_loadu_epi16(mask, from);
  };
  const auto two = [&](int row) {  // rows `row` and row + 4
    return _mm512_mask_broadcast_i64x4(_mm512_castsi256_si512(half(row)), 0xf0, half(row + 4));
  };
  __m512i low[4], high[4];  // the first and second eight numbers of rows r, r + 4, r + 8, r + 12
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    const __m512i a = two(r), b = two(r + 8);
    low[r] = _mm512_shuffle_i64x2(a, b, 0x88);
    high[r] = _mm512_shuffle_i64x2(a, b, 0xdd);
  }
  const auto unpack = [&](const __m512i(&v)[4], __m512i* out) {
    const __m512i a = _mm512_unpacklo_epi32(v[0], v[1]), b = _mm512_unpackhi_epi32(v[0], v[1]);
    const __m512i c = _mm512_unpacklo_epi32(v[2], v[3]), d = _mm512_unpackhi_epi32(v[2], v[3]);
    out[0] = _mm512_unpacklo_epi64(a, c);
    out[1] = _mm512_unpackhi_epi64(a, c);
    out[2] = _mm512_unpacklo_epi64(b, d);
    out[3] = _mm512_unpackhi_epi64(b, d);
  };
  unpack(low, pairs);
  unpack(high, pairs + 4);
}

template <bool kWhole, int N, int G>
LEM_INLINE void AddScores(const RowGroup* groups, UnitRows q, int64_t at, __mmask16 mask,
                          __m512 (&sum)[G][N]) {
  __m512i pairs[G][8];
#pragma GCC unroll 2
  for (int g = 0; g < G; ++g) {
    if (groups[g].ahead) {  // a line holds 32 numbers: half of the rows each time
      const uint16_t* row = groups[g].rows + at % 32 / 2 * groups[g].stride + at + groups[g].ahead;
      for (int r = 0; r < 8; ++r) __builtin_prefetch(row + r * groups[g].stride);
    }
    TransposePairs<kWhole>(groups[g], at, mask, pairs[g]);
  }
#pragma GCC unroll 8
  for (int j = 0; j < 8; ++j)
#pragma GCC unroll 8
    for (int i = 0; i < N; ++i) {
      const __m512 query = _mm512_set1_ps(q.units[i * q.stride + at / 2 + j]);
#pragma GCC unroll 2
      for (int g = 0; g < G; ++g)
        sum[g][i] = _mm512_dpbf16_ps(sum[g][i], (__m512bh)query, (__m512bh)(pairs[g][j]));
    }
}

// Scores of n queries with G groups of 16 keys: out[i * kKeyBlock + 16 g + r].
template <int N, int G>
static void ScoreGroups(const RowGroup* groups, UnitRows q, int64_t head_dim, float* out) {
  __m512 sum[G][N];
#pragma GCC unroll 2
  for (int g = 0; g < G; ++g)
#pragma GCC unroll 8
    for (int i = 0; i < N; ++i) sum[g][i] = _mm512_setzero_ps();
  int64_t at = 0;
  for (; at + 16 <= head_dim; at += 16) AddScores<true>(groups, q, at, 0, sum);
  if (at < head_dim)
    AddScores<false>(groups, q, at, static_cast<__mmask16>(FirstLanes(head_dim - at)), sum);
#pragma GCC unroll 2
  for (int g = 0; g < G; ++g)
#pragma GCC unroll 8
    for (int i = 0; i < N; ++i) _mm512_storeu_ps(out + i * kKeyBlock + g * 16, sum[g][i]);
}

// Dimensions [at, at + 32 V) of n weighted sums of `groups` groups of 16 values; `last` of the
// final 32 exist. out: (n, dim).
template <int N, int V>
static void WeighGroups(const RowGroup* groups, int64_t count, UnitRows p, int64_t at, int64_t last,
                        int64_t dim, float* out) {
  const __mmask32 mask = FirstLanes(last);
  __m512 sum[N][2 * V];
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i)
#pragma GCC unroll 4
    for (int c = 0; c < 2 * V; ++c) sum[i][c] = _mm512_setzero_ps();
  for (int64_t g = 0; g < count; ++g) {
    const uint16_t* row = groups[g].rows + at;
    const int64_t stride = groups[g].stride, ahead = groups[g].ahead;
    for (int64_t pair = g * 8; pair < g * 8 + 8; ++pair, row += 2 * stride) {
      __m512i both[2 * V];
#pragma GCC unroll 2
      for (int c = 0; c < V; ++c) {
        const __mmask32 lanes = c == V - 1 ? mask : ~__mmask32{0};
        const __m512i a = _mm512_maskz_loadu_epi16(lanes, row + c * 32);
        const __m512i b = _mm512_maskz_loadu_epi16(lanes, row + stride + c * 32);
        if (ahead) {
          __builtin_prefetch(row + c * 32 + ahead);
          __builtin_prefetch(row + stride + c * 32 + ahead);
        }
        both[2 * c] = _mm512_unpacklo_epi16(a, b);  // dimensions 0-3, 8-11, 16-19, 24-27
        both[2 * c + 1] = _mm512_unpackhi_epi16(a, b);
      }
#pragma GCC unroll 8
      for (int i = 0; i < N; ++i) {
        const __m512 weight = _mm512_set1_ps(p.units[i * p.stride + pair]);
#pragma GCC unroll 4
        for (int c = 0; c < 2 * V; ++c)
          sum[i][c] = _mm512_dpbf16_ps(sum[i][c], (__m512bh)weight, (__m512bh)both[c]);
      }
    }
  }
  const __m512i low = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const __m512i high = _mm512_or_si512(low, _mm512_set1_epi32(8));
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i)
#pragma GCC unroll 2
    for (int c = 0; c < V; ++c) {
      const __m512 even = sum[i][2 * c], odd = sum[i][2 * c + 1];
      float* to = out + i * dim + at + c * 32;
      _mm512_storeu_ps(to, _mm512_permutex2var_ps(even, low, odd));
      if (c < V - 1 || last > 16)
        _mm512_storeu_ps(to + 16, _mm512_permutex2var_ps(even, high, odd));
    }
}

template <int N>
static void ScoreFew(const RowGroup* groups, int64_t count, UnitRows q, int64_t head_dim,
                     float* out) {
  // Two groups hide the products' latency.
  int64_t g = 0;
  for (; g + 2 <= count; g += 2) ScoreGroups<N, 2>(groups + g, q, head_dim, out + g * 16);
  if (g < count) ScoreGroups<N, 1>(groups + g, q, head_dim, out + g * 16);
}
template <int N>
static void WeighFew(const RowGroup* groups, int64_t count, UnitRows p, int64_t head_dim,
                     float* out) {
  constexpr int kVectors = N <= 6 ? 2 : 1;  // 4 N sums, 4 pairs and a weight fill the registers
  const int64_t dim = PaddedDim(head_dim);
  int64_t at = 0;
  for (; head_dim - at > 32 * (kVectors - 1); at += 32 * kVectors) {
    const int64_t last = head_dim - at - 32 * (kVectors - 1);
    WeighGroups<N, kVectors>(groups, count, p, at, last < 32 ? last : 32, dim, out);
  }
  if (at < head_dim) WeighGroups<N, 1>(groups, count, p, at, head_dim - at, dim, out);
}

struct FewProducts {
  void (*score)(const RowGroup* groups, int64_t count, UnitRows q, int64_t head_dim, float* out);
  void (*weigh)(const RowGroup* groups, int64_t count, UnitRows p, int64_t head_dim, float* out);
};
static constexpr FewProducts kFewProducts[kFewQueries + 1] = {
    {nullptr, nullptr},         {ScoreFew<1>, WeighFew<1>}, {ScoreFew<2>, WeighFew<2>},
    {ScoreFew<3>, WeighFew<3>}, {ScoreFew<4>, WeighFew<4>}, {ScoreFew<5>, WeighFew<5>},
    {ScoreFew<6>, WeighFew<6>}, {ScoreFew<7>, WeighFew<7>}, {ScoreFew<8>, WeighFew<8>}};

#endif
