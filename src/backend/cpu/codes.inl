// SPDX-License-Identifier: EUPL-1.2
// Few rows against quantised panels straight from their codes, without an expanded panel between.

#if defined(__AVX512BF16__)

// Walks the scales of a panel group by group: d and m of its two halves, the same numbers as
// ExpandScales.
class ScaleWalk {
 public:
  explicit ScaleWalk(const QuantScales& s) : s_(s), at_(s.data) {}

  LEM_INLINE_MEMBER void Next(F16x (&d)[2], F16x (&m)[2]) {
    using Kind = QuantScales::Kind;
    __builtin_prefetch(at_ + 512, 0, 2);
    switch (s_.kind) {
      case Kind::kF16:
        return One<2>(LoadHalf, d, m);
      case Kind::kBF16:
        return One<2>(
            [](const uint8_t* p) { return LoadBFloat16(reinterpret_cast<const uint16_t*>(p)); }, d,
            m);
      case Kind::kF32:
        return One<4>([](const uint8_t* p) { return Load(reinterpret_cast<const float*>(p)); }, d,
                      m);
      case Kind::kPowerOfTwo:
        return One<1>(LoadPowers, d, m);
      case Kind::kTwoLevel:
        return Two(d, m);
    }
  }

 private:
  template <int kBytes, class Read>
  LEM_INLINE_MEMBER void One(Read read, F16x (&d)[2], F16x (&m)[2]) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      d[h] = read(at_ + h * kLanes * kBytes);
      if (s_.has_offset) m[h] = read(at_ + (kPanel + h * kLanes) * kBytes);
    }
    at_ += kPanel * kBytes * (1 + s_.has_offset);
  }

  LEM_INLINE_MEMBER void Two(F16x (&d)[2], F16x (&m)[2]) {
    const int64_t kinds = 1 + s_.has_offset;
    const uint8_t* small = at_ + kPanel * 2 * kinds + within_ * kPanel * kinds;
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      d[h] = LoadHalf(at_ + 2 * h * kLanes) * LoadBytes(small + h * kLanes);
      if (!s_.has_offset) continue;
      const F16x minus = Set(0) - LoadHalf(at_ + 2 * (kPanel + h * kLanes));
      m[h] = minus * LoadBytes(small + kPanel + h * kLanes);
    }
    if (++within_ < s_.per_super) return;
    within_ = 0;
    at_ += kPanel * kinds * (2 + s_.per_super);
  }

  const QuantScales& s_;
  int64_t within_ = 0;
  const uint8_t* at_;
};

// One panel against R rows, codes expanded in registers. The order of every sum is GroupedTile's.
template <int kBits, bool kSigned, int R>
struct CodesTile {
  CodesTile(const CodesCall& c, const CodeTable& t) : call(c), table(t), scales(c.scales) {
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r)
      for (int h = 0; h < 2; ++h) total[r][h] = sum[r][h] = Set(0);
  }

  // Pairs [p, p + 8) of one half.
  LEM_INLINE_MEMBER void Half(const float* a, const uint8_t* codes, int h, int first) {
#pragma GCC unroll 8
    for (int p = first; p < first + 8; ++p) {
      const F16x b = {(VecF)CodePair<kBits, kSigned>(codes + h * 64 * kBits, p, table)};
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r)
        sum[r][h] = PairUnit::Mul(Set(a[p * call.tile.a_step + r]), b, sum[r][h]);
    }
  }

  // Adds half h's sums of one group.
  LEM_INLINE_MEMBER void Close(const float* sums, F16x d, F16x m, int h) {
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      total[r][h] = Fma(sum[r][h], d, total[r][h]);
      if (call.scales.has_offset) total[r][h] = Fma(Set(sums[r]), m, total[r][h]);
      sum[r][h] = Set(0);
    }
  }

  // Up to two rows: as fast as the memory if the halves are read one after the other.
  LEM_INLINE_MEMBER void Stream(const float* a, const uint8_t* codes, const bool (&closes)[2],
                                const float* sums) {
    F16x d[2][2], m[2][2];
    for (int part = 0; part < 2; ++part)
      if (closes[part]) scales.Next(d[part], m[part]);
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h)
#pragma GCC unroll 2
      for (int part = 0; part < 2; ++part) {
        Half(a, codes, h, 8 * part);
        if (closes[part])
          Close(sums + (part && closes[0] ? call.tile.a_step : 0), d[part][h], m[part][h], h);
      }
  }

  // More rows keep both halves' sums in registers.
  LEM_INLINE_MEMBER void Together(const float* a, const uint8_t* codes, const bool (&closes)[2],
                                  const float* sums) {
#pragma GCC unroll 2
    for (int part = 0; part < 2; ++part) {
      Half(a, codes, 0, 8 * part);
      Half(a, codes, 1, 8 * part);
      if (!closes[part]) continue;
      F16x d[2], m[2];
      scales.Next(d, m);
      for (int h = 0; h < 2; ++h)
        Close(sums + (part && closes[0] ? call.tile.a_step : 0), d[h], m[h], h);
    }
  }

  LEM_INLINE_MEMBER void Run() {
    const TileCall& t = call.tile;
    const float *a = t.a, *sums = call.sums;
    const uint8_t* codes = call.codes;
    int64_t left = call.group_steps;
    for (int64_t s = 0; s < t.steps; s += 16, a += 16 * t.a_step, codes += 128 * kBits) {
      PrefetchCodes<kBits>(codes);
      PrefetchCodes<kBits>(codes + 64 * kBits);
      bool closes[2];
      for (bool& close : closes) {
        left -= 8;
        close = left == 0;
        if (close) left = call.group_steps;
      }
      if constexpr (R <= 2) {
        Stream(a, codes, closes, sums);
      } else {
        Together(a, codes, closes, sums);
      }
      sums += (closes[0] + closes[1]) * t.a_step;
    }
    Finish<R, 2>(t, t.y, t.cols, total);
  }

  const CodesCall& call;
  const CodeTable& table;
  ScaleWalk scales;
  F16x total[R][2], sum[R][2];
};

template <int kBits, bool kSigned, int R>
static void DispatchCodes(const CodesCall& call, const CodeTable& table) {
  if (call.tile.rows == R) return CodesTile<kBits, kSigned, R>(call, table).Run();
  if constexpr (R > 1) DispatchCodes<kBits, kSigned, R - 1>(call, table);
}

[[maybe_unused]] static void MultiplyCodes(const CodesCall& call) {
  ByBits(call.rule, [&]<int kBits, bool kSigned>() {
    DispatchCodes<kBits, kSigned, kFewRows>(call, TableOf(call.rule));
  });
}

#endif
