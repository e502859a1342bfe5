// SPDX-License-Identifier: EUPL-1.2
// Attention over blocks of 64 keys that are aligned to positions, so that a row's arithmetic does
// not depend on the rows, chunks or sequences computed beside it. Every block gives a maximum m, a
// sum l and an output o relative to its own maximum; blocks are merged in ascending order.

static const float kLaneIndex[kLanes] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

// out[d * width + i] = row i, element d.
static void PackRow(const void* row, bool bf16, int64_t dim, int64_t width, float* out) {
  if (bf16) {
    const uint16_t* from = static_cast<const uint16_t*>(row);
    for (int64_t d = 0; d < dim; ++d) out[d * width] = Widen(from[d]);
  } else {
    const float* from = static_cast<const float*>(row);
    for (int64_t d = 0; d < dim; ++d) out[d * width] = from[d];
  }
}

LEM_INLINE const void* RowAt(const void* base, bool bf16, int64_t stride, int64_t row) {
  return static_cast<const char*>(base) + row * stride * (bf16 ? 2 : 4);
}

// p.count rows into as many lanes of a (k, p.width) panel; its other lanes stay.
static void PackRun(const PackCall& p) {
#if defined(__AVX512F__)
  for (int64_t i = 0; i < p.count; i += 16) {
    PackCall part = p;
    part.source = RowAt(p.source, p.bf16, p.stride, i);
    part.count = p.count - i < 16 ? p.count - i : 16;
    part.out = p.out + i;
    PackLanes<FloatUnits>(part, 0, part.count);
  }
#else
  for (int64_t i = 0; i < p.count; ++i)
    PackRow(RowAt(p.source, p.bf16, p.stride, i), p.bf16, p.k, p.width, p.out + i);
#endif
}

static void CopyRow(const void* row, bool bf16, int64_t dim, int64_t padded, float* out) {
  if (bf16) {
    FromBFloat16Row(static_cast<const uint16_t*>(row), dim, out);
  } else {
    ForLanes(dim, [=](int64_t i, int64_t lanes) {
      Put(out, i, lanes, At(static_cast<const float*>(row), i, lanes));
    });
  }
  for (int64_t d = dim; d < padded; ++d) out[d] = 0;
}

LEM_INLINE void Fill(float* p, int64_t n, float value) {
  for (int64_t i = 0; i < n; ++i) p[i] = value;
}

// Keys transposed into two panels (dim, 32) and values as rows, for positions [block, block + 64).
// Positions outside [begin, end) become zeros; they are masked later. Runs of rows that lie one
// after the other in their ring are transposed together.
static void LoadKeys(const AttentionTask& t, int64_t block, float* kt, float* vt) {
  const int64_t dim = PaddedDim(t.head_dim);
  for (int64_t j = 0; j < kKeyBlock;) {
    const int64_t p = block + j;
    float *k_out = kt + j / 32 * 32 * dim + j % 32, *v_out = vt + j * dim;
    if (p < t.begin || p >= t.end) {
      for (int64_t d = 0; d < t.head_dim; ++d) k_out[d * 32] = 0;
      Fill(v_out, dim, 0);
      ++j;
      continue;
    }
    const KeyRing& ring = t.rings[p >= t.split];
    const int64_t row = (p - ring.first) % ring.capacity;
    int64_t run = 32 - j % 32;  // within one panel, one ring, before its end
    if (run > t.end - p) run = t.end - p;
    if (run > ring.capacity - row) run = ring.capacity - row;
    if (p < t.split && run > t.split - p) run = t.split - p;
    PackRun({RowAt(ring.k, ring.k_bf16, ring.k_stride, row), ring.k_bf16, false, ring.k_stride, run,
             32, t.head_dim, k_out});
    for (int64_t i = 0; i < run; ++i)
      CopyRow(RowAt(ring.v, ring.v_bf16, ring.v_stride, row + i), ring.v_bf16, t.head_dim, dim,
              v_out + i * dim);
    j += run;
  }
}

// s (n, 64) = a b for two panels of 32 columns.
LEM_INLINE void Scores(const float* a, int64_t n, const float* panels, int64_t head_dim,
                       int64_t dim, float* s) {
  for (int half = 0; half < 2; ++half)
    Multiply<FloatUnit>({a, n, panels + half * 32 * dim, 32, head_dim, n, 32, s + half * 32,
                         kKeyBlock, 1.0f, false});
}

// Scaled, capped and masked scores of one row; keys [low, high] of the block are visible.
LEM_INLINE F16x Visible(F16x z, int64_t j, int64_t low, int64_t high) {
  const F16x index = Load(kLaneIndex) + Set(static_cast<float>(j));
  const F16x minus = Set(-__builtin_inff());
  z = IfGreater(Set(static_cast<float>(low)), index, minus, z);
  return IfGreater(index, Set(static_cast<float>(high)), minus, z);
}
LEM_INLINE F16x Capped(F16x z, float scale, float cap) {
  z = z * Set(scale);
  return cap > 0 ? Set(cap) * Tanh(z / Set(cap)) : z;
}

struct BlockRange {
  int64_t low, high;  // visible keys of the block, relative to it; empty when low > high
};
LEM_INLINE BlockRange RangeOf(int64_t position, int64_t window, int64_t block) {
  const int64_t first = window > 0 && position >= window ? position - window + 1 : 0;
  const int64_t low = first > block ? first - block : 0;
  const int64_t high = position - block < kKeyBlock - 1 ? position - block : kKeyBlock - 1;
  return {low, high};
}

// s becomes exp(z - m), zero where keys are masked; returns m and the sum. Of 16 keys that are all
// masked nothing is read: they would add exact zeros.
static MaxAndSum SoftmaxBlock(const AttentionTask& t, BlockRange range, float* s) {
  F16x top = Set(-__builtin_inff()), sum = Set(0);
  if (range.low > range.high) {
    Fill(s, kKeyBlock, 0);
    return {0, 0};
  }
  const int64_t first = range.low / 16 * 16, last = range.high / 16 * 16 + 16;
  for (int64_t j = first; j < last; j += 16) {
    const F16x z = Visible(Capped(Load(s + j), t.scale, t.softcap), j, range.low, range.high);
    top = Max(z, top);
    Store(s + j, z);
  }
  const float max = MaxLanes(top);
  for (int64_t j = first; j < last; j += 16) {
    const F16x p = Exp(Load(s + j) - Set(max));
    sum = sum + p;
    Store(s + j, p);
  }
  Fill(s, first, 0);
  Fill(s + last, kKeyBlock - last, 0);
  return {max, SumLanes(sum)};
}

// The parts of a task's scratch.
struct AttentionSpace {
  AttentionSpace(const AttentionTask& t, int64_t dim)
      : qa(t.scratch),
        kt(qa + t.n * dim),
        vt(kt + kKeyBlock * dim),
        s(vt + kKeyBlock * dim),
        pt(s + t.n * kKeyBlock),
        record(pt + t.n * kKeyBlock),
        o(record + AttentionRecord(t.n, t.head_dim)),
        m(o + t.n * dim),
        l(m + t.n) {}
  float *qa, *kt, *vt, *s, *pt, *record, *o, *m, *l;
};

#if defined(__AVX512BF16__)
// --- with a cache in bfloat16: queries and probabilities are rounded too, and both products run on
// pairs.

LEM_INLINE bool UsesPairs(const AttentionTask& t) {
  const auto rounded = [](const KeyRing& ring) { return ring.k_bf16 && ring.v_bf16; };
  return rounded(t.rings[1]) && (t.split == 0 || rounded(t.rings[0]));
}

static void PackQueryPairs(const AttentionTask& t, const AttentionSpace& w) {
  const int64_t dim = PaddedDim(t.head_dim);
  float* rows = w.o;  // not used yet
  for (int64_t i = 0; i < t.n; ++i) CopyRow(t.q[i], false, t.head_dim, dim, rows + i * dim);
  PackUnits<PairUnits>({rows, false, false, dim, t.n, t.n, t.head_dim, w.qa});
}
static void PackFewQueries(const AttentionTask& t, const AttentionSpace& w) {
  const int64_t dim = PaddedDim(t.head_dim);
  for (int64_t i = 0; i < t.n; ++i) PackUnitRow(t.q[i], t.head_dim, w.qa + i * dim);
}

// `count` rows of keys or values from position `first` on, where they lie if they lie one after the
// other, else in `copy`, zeros where there are none.
struct RowBlock {
  const void* rows;
  int64_t stride;
};
static RowBlock RowsFrom(const AttentionTask& t, int64_t first, int64_t count, bool keys,
                         uint16_t* copy) {
  for (int64_t j = 0; j < count;) {
    const int64_t p = first + j;
    uint16_t* to = copy + j * t.head_dim;
    if (p < t.begin || p >= t.end) {
      __builtin_memset(to, 0, t.head_dim * 2);
      ++j;
      continue;
    }
    const KeyRing& ring = t.rings[p >= t.split];
    const int64_t stride = keys ? ring.k_stride : ring.v_stride;
    const int64_t row = (p - ring.first) % ring.capacity;
    int64_t run = count - j;  // within one ring, before its end
    if (run > t.end - p) run = t.end - p;
    if (run > ring.capacity - row) run = ring.capacity - row;
    if (p < t.split && run > t.split - p) run = t.split - p;
    const void* from = RowAt(keys ? ring.k : ring.v, true, stride, row);
    if (run == count) return {from, stride};
    for (int64_t i = 0; i < run; ++i)
      __builtin_memcpy(to + i * t.head_dim, RowAt(from, true, stride, i), t.head_dim * 2);
    j += run;
  }
  return {copy, t.head_dim};
}

// s (n, 64) = q k^T; values into vt as pairs of keys [32][dim].
static void ScorePairs(const AttentionTask& t, const AttentionSpace& w, int64_t block) {
  const int64_t dim = PaddedDim(t.head_dim), half = kKeyBlock / 2;
  // Pairs fill half of kt and of vt.
  const RowBlock k =
      RowsFrom(t, block, kKeyBlock, true, reinterpret_cast<uint16_t*>(w.kt + half * dim));
  const RowBlock v =
      RowsFrom(t, block, kKeyBlock, false, reinterpret_cast<uint16_t*>(w.vt + half * dim));
  for (int64_t side = 0; side < 2; ++side) {
    float* panel = w.kt + side * 16 * dim;
    PackUnits<PairUnits>({RowAt(k.rows, true, k.stride, side * 32), true, false, k.stride, 32, 32,
                          t.head_dim, panel});
    Multiply<PairUnit>({w.qa, t.n, panel, 32, (t.head_dim + 1) / 2, t.n, 32, w.s + side * 32,
                        kKeyBlock, 1.0f, false});
  }
  PackUnits<PairUnits>({v.rows, true, true, v.stride, t.head_dim, dim, kKeyBlock, w.vt});
}

static void WeighPairs(const AttentionTask& t, const AttentionSpace& w, float* record) {
  const int64_t dim = PaddedDim(t.head_dim), n = t.n;
  PackUnits<PairUnits>({w.s, false, false, kKeyBlock, n, n, kKeyBlock, w.pt});
  Multiply<PairUnit>({w.pt, n, w.vt, dim, kKeyBlock / 2, n, dim, record, dim, 1.0f, false});
}

// The groups of 16 keys of a block, [first, last), that the task sees at all. The others have a
// probability of exactly zero and zeros as values, so leaving them out gives the same bits.
struct GroupRange {
  int64_t first, last;
};
LEM_INLINE GroupRange GroupsOf(const AttentionTask& t, int64_t block) {
  const int64_t first = t.begin - block, last = t.end - block;
  return {first > 0 ? first / 16 : 0, last < kKeyBlock ? (last + 15) / 16 : kKeyBlock / 16};
}
static void FindGroups(const AttentionTask& t, GroupRange range, int64_t block, bool keys,
                       float* space, RowGroup* groups) {
  for (int64_t g = range.first; g < range.last; ++g) {
    const int64_t p = block + g * 16;
    uint16_t* copy = reinterpret_cast<uint16_t*>(space) + g * 16 * t.head_dim;
    const RowBlock rows = RowsFrom(t, p, 16, keys, copy);
    // The processor fetches whole rows ahead by itself, but not one head's part of each.
    const bool gaps = rows.rows != copy && rows.stride > t.head_dim;
    const int64_t ahead = gaps && p + kKeyBlock < t.end ? kKeyBlock * rows.stride : 0;
    groups[g] = {static_cast<const uint16_t*>(rows.rows), rows.stride, ahead};
  }
}
static void ScoreFewPairs(const AttentionTask& t, const AttentionSpace& w, int64_t block) {
  const GroupRange range = GroupsOf(t, block);
  RowGroup groups[kKeyBlock / 16];
  FindGroups(t, range, block, true, w.kt, groups);
  kFewProducts[t.n].score(groups + range.first, range.last - range.first,
                          {w.qa, PaddedDim(t.head_dim)}, t.head_dim, w.s + range.first * 16);
}
static void WeighFewPairs(const AttentionTask& t, const AttentionSpace& w, int64_t block,
                          float* record) {
  const GroupRange range = GroupsOf(t, block);
  RowGroup groups[kKeyBlock / 16];
  FindGroups(t, range, block, false, w.vt, groups);
  const int64_t units = kKeyBlock / 2;
  for (int64_t i = 0; i < t.n; ++i) PackUnitRow(w.s + i * kKeyBlock, kKeyBlock, w.pt + i * units);
  kFewProducts[t.n].weigh(groups + range.first, range.last - range.first,
                          {w.pt + range.first * 8, units}, t.head_dim, record);
}

// The same for float32 rows that lie in order from position 0 on.
static void ScoreRounded(const AttentionTask& t, const AttentionSpace& w, int64_t block) {
  const KeyRing& ring = t.rings[1];
  const int64_t dim = PaddedDim(t.head_dim), keys = t.end - block;
  for (int64_t side = 0; side * 32 < kKeyBlock && side * 32 < keys; ++side) {
    const int64_t first = side * 32, count = keys - first < 32 ? keys - first : 32;
    float* panel = w.kt + side * 16 * dim;
    PackUnits<PairUnits>({RowAt(ring.k, false, ring.k_stride, block + first), false, false,
                          ring.k_stride, count, 32, t.head_dim, panel});
    Multiply<PairUnit>(
        {w.qa, t.n, panel, 32, (t.head_dim + 1) / 2, t.n, 32, w.s + first, kKeyBlock, 1.0f, false});
  }
}
static void WeighRounded(const AttentionTask& t, const AttentionSpace& w, int64_t block,
                         float* record) {
  const KeyRing& ring = t.rings[1];
  const int64_t dim = PaddedDim(t.head_dim), n = t.n;
  const int64_t keys = t.end - block < kKeyBlock ? t.end - block : kKeyBlock;
  PackUnits<PairUnits>({RowAt(ring.v, false, ring.v_stride, block), false, true, ring.v_stride,
                        t.head_dim, dim, keys, w.vt});
  PackUnits<PairUnits>({w.s, false, false, kKeyBlock, n, n, keys, w.pt});
  Multiply<PairUnit>({w.pt, n, w.vt, dim, (keys + 1) / 2, n, dim, record, dim, 1.0f, false});
}
#endif

static void PackQueries(const AttentionTask& t, const AttentionSpace& w) {
#if defined(__AVX512BF16__)
  if (t.rounded) return PackQueryPairs(t, w);
  if (UsesPairs(t)) return t.n <= kFewQueries ? PackFewQueries(t, w) : PackQueryPairs(t, w);
#endif
  for (int64_t i = 0; i < t.n; ++i) PackRow(t.q[i], false, t.head_dim, t.n, w.qa + i);
}

// Scores into probabilities; maxima (n) and sums (n).
static void SoftmaxRows(const AttentionTask& t, const AttentionSpace& w, int64_t block, float* m,
                        float* l) {
  for (int64_t i = 0; i < t.n; ++i) {
    const BlockRange range = RangeOf(t.position[i], t.window, block);
    const MaxAndSum sum = SoftmaxBlock(t, range, w.s + i * kKeyBlock);
    m[i] = sum.max;
    l[i] = sum.sum;
  }
}

// One block's o (n, dim), maxima (n) and sums (n); sum 0: the row sees none of its keys.
static void ComputeBlock(const AttentionTask& t, const AttentionSpace& w, int64_t block,
                         float* record) {
  const int64_t dim = PaddedDim(t.head_dim), n = t.n;
  float* const m = record + n * dim;
#if defined(__AVX512BF16__)
  if (t.rounded) {
    ScoreRounded(t, w, block);
    SoftmaxRows(t, w, block, m, m + n);
    return WeighRounded(t, w, block, record);
  }
  if (UsesPairs(t)) {
    if (t.n <= kFewQueries) {
      ScoreFewPairs(t, w, block);
      SoftmaxRows(t, w, block, m, m + n);
      return WeighFewPairs(t, w, block, record);
    }
    ScorePairs(t, w, block);
    SoftmaxRows(t, w, block, m, m + n);
    return WeighPairs(t, w, record);
  }
#endif
  LoadKeys(t, block, w.kt, w.vt);
  Scores(w.qa, n, w.kt, t.head_dim, dim, w.s);
  SoftmaxRows(t, w, block, m, m + n);
  PackExact({w.s, false, false, kKeyBlock, n, n, kKeyBlock, w.pt});
  Multiply<FloatUnit>({w.pt, n, w.vt, dim, kKeyBlock, n, dim, record, dim, 1.0f, false});
}

static void StartRows(const AttentionTask& t, const AttentionSpace& w) {
  Fill(w.o, t.n * PaddedDim(t.head_dim), 0);
  Fill(w.m, t.n, -__builtin_inff());
  Fill(w.l, t.n, 0);
}

// (m, l, o) of every row <- merged with a block's (m, l, o)
static void MergeRecord(const AttentionTask& t, const AttentionSpace& w, const float* record) {
  const int64_t dim = PaddedDim(t.head_dim), n = t.n;
  const float *m = record + n * dim, *l = m + n;
  ForLanes(n, [&](int64_t first, int64_t lanes) {
    const F16x before = At(w.m, first, lanes), block = At(m, first, lanes);
    const F16x top = Max(block, before);
    float tops[kLanes], olds[kLanes], news[kLanes];
    Store(tops, top);
    Store(olds, Exp(before - top));
    Store(news, Exp(block - top));
    for (int64_t j = 0; j < lanes; ++j) {
      const int64_t i = first + j;
      if (l[i] == 0) continue;
      w.m[i] = tops[j];
      w.l[i] = w.l[i] * olds[j] + l[i] * news[j];
      const F16x old = Set(olds[j]), fresh = Set(news[j]);
      const float* from = record + i * dim;
      float* o = w.o + i * dim;
      for (int64_t d = 0; d < dim; d += kLanes)
        Store(o + d, Load(o + d) * old + Load(from + d) * fresh);
    }
  });
}

static void FinishRows(const AttentionTask& t, const AttentionSpace& w) {
  const int64_t dim = PaddedDim(t.head_dim);
  for (int64_t i = 0; i < t.n; ++i) {
    const float* from = w.o + i * dim;
    const F16x sum = Set(w.l[i]);
    float* to = t.o[i];
    ForLanes(t.head_dim,
             [=](int64_t d, int64_t lanes) { Put(to, d, lanes, Load(from + d) / sum); });
    if (t.lse) *t.lse[i] = w.m[i] + Log(w.l[i]);
  }
}

static void AttentionRows(const AttentionTask& t) {
  const AttentionSpace w(t, PaddedDim(t.head_dim));
  PackQueries(t, w);
  StartRows(t, w);
  for (int64_t block = t.begin / kKeyBlock * kKeyBlock; block < t.end; block += kKeyBlock) {
    ComputeBlock(t, w, block, w.record);
    MergeRecord(t, w, w.record);
  }
  FinishRows(t, w);
}

// The same in two parts, so that threads can share one task's key blocks.
static void AttentionBlocks(const AttentionTask& t, int64_t first, int64_t last, float* records) {
  const AttentionSpace w(t, PaddedDim(t.head_dim));
  PackQueries(t, w);
  for (int64_t b = first; b < last; ++b)
    ComputeBlock(t, w, (t.begin / kKeyBlock + b) * kKeyBlock,
                 records + b * AttentionRecord(t.n, t.head_dim));
}
static void AttentionMerge(const AttentionTask& t, int64_t blocks, const float* records) {
  const AttentionSpace w(t, PaddedDim(t.head_dim));
  StartRows(t, w);
  for (int64_t b = 0; b < blocks; ++b)
    MergeRecord(t, w, records + b * AttentionRecord(t.n, t.head_dim));
  FinishRows(t, w);
}
