// SPDX-License-Identifier: EUPL-1.2
// The gradient of attention: P = exp(z - lse) again; D = rowsum(do * o); dS = P (dP - D), through
// the cap. Blocks of 48 queries against blocks of 64 keys; the five products of a block round their
// operands to bfloat16 where the task allows it.

// How the five products of a block round their operands: not at all, or to bfloat16, in pairs.
struct ExactOperands {
  using Unit = FloatUnit;
  static constexpr int64_t kStep = 1;
  static void Pack(const PackCall& p) { PackExact(p); }
};
#if defined(__AVX512BF16__)
struct PairOperands {
  using Unit = PairUnit;
  static constexpr int64_t kStep = 2;
  static void Pack(const PackCall& p) { PackUnits<PairUnits>(p); }
};
#endif

struct BackwardTile {
  float *qa, *da, *qt, *dt;  // queries and d_o: packed over dim, (., n), and over rows, (., dim)
  float *s, *ds;             // (n, 64) P, (n, 64) dS
  float *pt, *dst, *dsa;     // packed over rows, (., 64): P and dS; dS packed over keys, (., n)
  const float *kt, *vtt, *krows;  // keys and values packed over dim in panels, keys over rows
  float *dk, *dv;                 // (64, dim)
};

// P into s, dS into ds, for query rows [row, row + n) of one head; ds holds dP on entry.
static void BackwardScores(const AttentionBackwardTask& t, const BackwardTile& w, const float* lse,
                           const float* big_d, int64_t row, int64_t n, int64_t block) {
  for (int64_t i = 0; i < n; ++i) {
    const BlockRange range = RangeOf(row + i, t.window, block);
    float *s = w.s + i * kKeyBlock, *ds = w.ds + i * kKeyBlock;
    const F16x shift = Set(lse[(row + i) * t.lse_stride]), d = Set(big_d[row + i]);
    for (int c = 0; c < 4; ++c) {
      const F16x z = Capped(Load(s + c * 16), t.scale, t.softcap);
      const F16x p = Exp(Visible(z, c * 16, range.low, range.high) - shift);
      F16x grad = p * (Load(ds + c * 16) - d) * Set(t.scale);
      if (t.softcap > 0) {
        const F16x u = z / Set(t.softcap);
        grad = grad * (Set(1) - u * u);
      }
      Store(s + c * 16, p);
      Store(ds + c * 16, grad);
    }
  }
}

// y (rows, cols) += a b, both packed.
template <class Operands>
LEM_INLINE void AddPacked(const float* a, int64_t rows, const float* b, int64_t width, int64_t k,
                          int64_t cols, float* y, int64_t stride) {
  const int64_t steps = (k + Operands::kStep - 1) / Operands::kStep;
  Multiply<typename Operands::Unit>({a, rows, b, width, steps, rows, cols, y, stride, 1.0f, true});
}

template <class Operands>
static void BackwardBlock(const AttentionBackwardTask& t, const BackwardTile& w, int64_t h,
                          const float* big_d, int64_t row, int64_t n, int64_t block) {
  const int64_t dim = PaddedDim(t.head_dim), hd = t.head_dim;
  const float *q = t.q + row * t.q_stride + h * hd, *d_o = t.d_o + row * t.d_o_stride + h * hd;
  Operands::Pack({q, false, false, t.q_stride, n, n, hd, w.qa});
  Operands::Pack({d_o, false, false, t.d_o_stride, n, n, hd, w.da});
  Operands::Pack({q, false, true, t.q_stride, hd, dim, n, w.qt});
  Operands::Pack({d_o, false, true, t.d_o_stride, hd, dim, n, w.dt});
  Fill(w.s, n * kKeyBlock, 0);
  Fill(w.ds, n * kKeyBlock, 0);
  for (int64_t half = 0; half < kKeyBlock; half += 32) {
    const int64_t panel = half * dim / Operands::kStep;
    AddPacked<Operands>(w.qa, n, w.kt + panel, 32, hd, 32, w.s + half, kKeyBlock);
    AddPacked<Operands>(w.da, n, w.vtt + panel, 32, hd, 32, w.ds + half, kKeyBlock);
  }
  BackwardScores(t, w, t.lse + h, big_d + h * t.tokens, row, n, block);
  Operands::Pack({w.s, false, true, kKeyBlock, kKeyBlock, kKeyBlock, n, w.pt});
  Operands::Pack({w.ds, false, true, kKeyBlock, kKeyBlock, kKeyBlock, n, w.dst});
  Operands::Pack({w.ds, false, false, kKeyBlock, n, n, kKeyBlock, w.dsa});
  float* dq = t.dq + row * t.dq_stride + h * hd;
  AddPacked<Operands>(w.pt, kKeyBlock, w.dt, dim, n, dim, w.dv, dim);
  AddPacked<Operands>(w.dst, kKeyBlock, w.qt, dim, n, dim, w.dk, dim);
  AddPacked<Operands>(w.dsa, n, w.krows, dim, kKeyBlock, hd, dq, t.dq_stride);
}

// Keys [block, block + keys) and their values, packed.
template <class Operands>
static void LoadBackwardKeys(const AttentionBackwardTask& t, int64_t block, int64_t keys, float* kt,
                             float* vtt, float* krows) {
  const int64_t dim = PaddedDim(t.head_dim), hd = t.head_dim;
  Fill(kt, 3 * kKeyBlock * dim, 0);
  const float *k = t.k + block * t.k_stride, *v = t.v + block * t.v_stride;
  for (int64_t j = 0; j < keys; j += 32) {
    const int64_t count = keys - j < 32 ? keys - j : 32, panel = j * dim / Operands::kStep;
    Operands::Pack({k + j * t.k_stride, false, false, t.k_stride, count, 32, hd, kt + panel});
    Operands::Pack({v + j * t.v_stride, false, false, t.v_stride, count, 32, hd, vtt + panel});
  }
  Operands::Pack({k, false, true, t.k_stride, hd, dim, keys, krows});
}

template <class Operands>
static void AttentionBackwardWith(const AttentionBackwardTask& t) {
  const int64_t dim = PaddedDim(t.head_dim), hd = t.head_dim;
  float* big_d = t.scratch;
  float *kt = big_d + t.heads * t.tokens, *vtt = kt + kKeyBlock * dim,
        *krows = vtt + kKeyBlock * dim;
  float *dk = krows + kKeyBlock * dim, *dv = dk + kKeyBlock * dim, *qa = dv + kKeyBlock * dim;
  float *da = qa + kQueryBlock * dim, *qt = da + kQueryBlock * dim, *dt = qt + kQueryBlock * dim;
  constexpr int64_t kScores = kQueryBlock * kKeyBlock;
  float *s = dt + kQueryBlock * dim, *ds = s + kScores, *pt = ds + kScores;
  const BackwardTile w{qa, da,  qt,    dt, s, ds, pt, pt + kScores, pt + 2 * kScores,
                       kt, vtt, krows, dk, dv};
  for (int64_t h = 0; h < t.heads; ++h)
    for (int64_t i = 0; i < t.tokens; ++i) {
      const float *a = t.o + i * t.o_stride + h * hd, *b = t.d_o + i * t.d_o_stride + h * hd;
      big_d[h * t.tokens + i] =
          Sum(hd, [=](int64_t j, int64_t lanes) { return At(a, j, lanes) * At(b, j, lanes); });
    }
  for (int64_t block = 0; block < t.tokens; block += kKeyBlock) {
    const int64_t keys = t.tokens - block < kKeyBlock ? t.tokens - block : kKeyBlock;
    LoadBackwardKeys<Operands>(t, block, keys, kt, vtt, krows);
    Fill(dk, 2 * kKeyBlock * dim, 0);
    const int64_t last = t.window > 0 && block + kKeyBlock - 1 + t.window < t.tokens
                             ? block + kKeyBlock - 1 + t.window
                             : t.tokens;
    for (int64_t h = 0; h < t.heads; ++h)
      for (int64_t row = block / kQueryBlock * kQueryBlock; row < last; row += kQueryBlock)
        BackwardBlock<Operands>(t, w, h, big_d, row,
                                t.tokens - row < kQueryBlock ? t.tokens - row : kQueryBlock, block);
    for (int64_t j = 0; j < keys; ++j) {
      AddRow(dk + j * dim, hd, t.dk + (block + j) * t.dk_stride);
      AddRow(dv + j * dim, hd, t.dv + (block + j) * t.dv_stride);
    }
  }
}

static void AttentionBackwardRows(const AttentionBackwardTask& t) {
#if defined(__AVX512BF16__)
  if (t.rounded) return AttentionBackwardWith<PairOperands>(t);
#endif
  AttentionBackwardWith<ExactOperands>(t);
}
