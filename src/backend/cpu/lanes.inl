// SPDX-License-Identifier: EUPL-1.2
// Sixteen float lanes on any instruction set, and the elementary functions on them.
//
// Rules of the *.inl files: one thread, raw pointers, nothing from std (an inline function from a
// header, compiled here with -mavx512f, might be the copy the linker keeps for the whole program).
// They are compiled once per instruction set, each time inside its own namespace.
//
// Everything here except Fma gives the same bits on every set: only +, -, *, / and comparisons on
// floats, in the order written.

#define LEM_INLINE static inline __attribute__((always_inline))
#define LEM_INLINE_MEMBER inline __attribute__((always_inline))

constexpr int kLanes = 16;
#if defined(__AVX512F__)
constexpr int kWidth = 16;
#elif defined(__AVX2__)
constexpr int kWidth = 8;
#else
constexpr int kWidth = 4;
#endif
constexpr int kParts = kLanes / kWidth;

typedef float VecF __attribute__((vector_size(kWidth * 4)));
typedef int32_t VecI __attribute__((vector_size(kWidth * 4)));
typedef float LooseF __attribute__((vector_size(kWidth * 4), aligned(4), may_alias));
typedef int32_t LooseI __attribute__((vector_size(kWidth * 4), aligned(4), may_alias));

struct F16x {
  VecF part[kParts];
};
struct I16x {
  VecI part[kParts];
};

#define LEM_EACH for (int e = 0; e < kParts; ++e)

LEM_INLINE F16x Load(const float* p) {
  F16x r;
  LEM_EACH r.part[e] = *reinterpret_cast<const LooseF*>(p + e * kWidth);
  return r;
}
LEM_INLINE void Store(float* p, F16x x) {
  LEM_EACH* reinterpret_cast<LooseF*>(p + e * kWidth) = x.part[e];
}
LEM_INLINE I16x LoadInt(const void* p) {
  I16x r;
  LEM_EACH r.part[e] =
      *reinterpret_cast<const LooseI*>(static_cast<const char*>(p) + e * kWidth * 4);
  return r;
}
// Not VecF{} + x, which compiles to an addition before the broadcast and turns -0 into 0.
LEM_INLINE F16x Set(float x) {
#if defined(__AVX512F__)
  return {(VecF)_mm512_set1_ps(x)};
#elif defined(__AVX2__)
  const VecF v = (VecF)_mm256_set1_ps(x);
  return {v, v};
#else
  F16x r;
  LEM_EACH r.part[e] = VecF{x, x, x, x};
  return r;
#endif
}
LEM_INLINE I16x SetInt(int32_t x) {
  I16x r;
  LEM_EACH r.part[e] = VecI{} + x;
  return r;
}
// The first n lanes (0 <= n < 16); the others are `fill`.
LEM_INLINE F16x LoadPart(const float* p, int64_t n, float fill = 0) {
#if defined(__AVX512F__)
  const __mmask16 mask = static_cast<__mmask16>((1u << n) - 1);
  return {_mm512_mask_loadu_ps(_mm512_set1_ps(fill), mask, p)};
#else
  float buffer[kLanes];
  for (int j = 0; j < kLanes; ++j) buffer[j] = j < n ? p[j] : fill;
  return Load(buffer);
#endif
}
LEM_INLINE void StorePart(float* p, F16x x, int64_t n) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), x.part[0]);
#else
  float buffer[kLanes];
  Store(buffer, x);
  for (int j = 0; j < n; ++j) p[j] = buffer[j];
#endif
}

#define LEM_OPERATOR(type, op)                   \
  LEM_INLINE type operator op(type a, type b) {  \
    type r;                                      \
    LEM_EACH r.part[e] = a.part[e] op b.part[e]; \
    return r;                                    \
  }
LEM_OPERATOR(F16x, +)
LEM_OPERATOR(F16x, -)
LEM_OPERATOR(F16x, *)
LEM_OPERATOR(F16x, /)
LEM_OPERATOR(I16x, +)
LEM_OPERATOR(I16x, -)
LEM_OPERATOR(I16x, &)
LEM_OPERATOR(I16x, |)
#undef LEM_OPERATOR

LEM_INLINE I16x Shl(I16x a, int n) {
  LEM_EACH a.part[e] = a.part[e] << n;
  return a;
}
LEM_INLINE I16x Sar(I16x a, int n) {
  LEM_EACH a.part[e] = a.part[e] >> n;
  return a;
}
LEM_INLINE I16x Bits(F16x a) {
  I16x r;
  LEM_EACH r.part[e] = reinterpret_cast<VecI>(a.part[e]);
  return r;
}
LEM_INLINE F16x FromBits(I16x a) {
  F16x r;
  LEM_EACH r.part[e] = reinterpret_cast<VecF>(a.part[e]);
  return r;
}
// a > b ? c : d, lane by lane.
LEM_INLINE F16x IfGreater(F16x a, F16x b, F16x c, F16x d) {
  F16x r;
  LEM_EACH r.part[e] = a.part[e] > b.part[e] ? c.part[e] : d.part[e];
  return r;
}
LEM_INLINE F16x Max(F16x a, F16x b) { return IfGreater(a, b, a, b); }
LEM_INLINE F16x Abs(F16x a) { return FromBits(Bits(a) & SetInt(0x7fffffff)); }

// a * b + c, rounded once where the machine can. Products only (docs/numerics.md).
LEM_INLINE F16x Fma(F16x a, F16x b, F16x c) {
#if defined(__AVX512F__)
  return {_mm512_fmadd_ps(a.part[0], b.part[0], c.part[0])};
#elif defined(__AVX2__)
  LEM_EACH c.part[e] = _mm256_fmadd_ps(a.part[e], b.part[e], c.part[e]);
  return c;
#else
  return a * b + c;
#endif
}

// Sums and maxima over lanes, in a fixed tree: lane j with j + 8, then + 4, + 2, + 1.
struct Plus {
  template <class V>
  static inline __attribute__((always_inline)) V Of(V a, V b) {
    return a + b;
  }
};
struct Greater {
  template <class V>
  static inline __attribute__((always_inline)) V Of(V a, V b) {
    return b > a ? b : a;
  }
};
template <class Join>
LEM_INLINE float JoinLanes(F16x x) {
#if defined(__AVX2__)
#if defined(__AVX512F__)
  const __m256 low8 = _mm512_castps512_ps256(x.part[0]);
  const __m256 high8 = _mm512_extractf32x8_ps(x.part[0], 1);
#else
  const __m256 low8 = x.part[0], high8 = x.part[1];
#endif
  const __m256 eight = Join::Of(low8, high8);
  const __m128 four = Join::Of(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = Join::Of(four, _mm_movehl_ps(four, four));
  return Join::Of(two[0], two[1]);
#else
  float lane[kLanes];
  Store(lane, x);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int j = 0; j < half; ++j) lane[j] = Join::Of(lane[j], lane[j + half]);
  return lane[0];
#endif
}
LEM_INLINE float SumLanes(F16x x) { return JoinLanes<Plus>(x); }
LEM_INLINE float MaxLanes(F16x x) { return JoinLanes<Greater>(x); }

// Calls body(i, lanes) for i = 0, 16, ..., lanes = 16 but for the last. Term-wise code is written
// once with At and Put.
template <class Body>
LEM_INLINE void ForLanes(int64_t n, Body body) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) body(i, int64_t{kLanes});
  if (i < n) body(i, n - i);
}
LEM_INLINE F16x At(const float* p, int64_t i, int64_t lanes) {
  return lanes == kLanes ? Load(p + i) : LoadPart(p + i, lanes);
}
LEM_INLINE void Put(float* p, int64_t i, int64_t lanes, F16x x) {
  if (lanes == kLanes) {
    Store(p + i, x);
  } else {
    StorePart(p + i, x, lanes);
  }
}

// --- bfloat16: round to nearest even, NaN stays NaN (the same rule as tensor/dtype.h)

LEM_INLINE I16x RoundToBFloat16(F16x x) {  // the upper 16 bits hold the result, the lower are zero
  const I16x b = Bits(x);
  const I16x rounded = b + SetInt(0x7fff) + (Sar(b, 16) & SetInt(1));
  const I16x quiet = b | SetInt(0x400000);
  I16x r;
  LEM_EACH {
    r.part[e] = x.part[e] == x.part[e] ? rounded.part[e] : quiet.part[e];
    r.part[e] &= static_cast<int32_t>(0xffff0000u);
  }
  return r;
}
LEM_INLINE F16x Rounded(F16x x) { return FromBits(RoundToBFloat16(x)); }
LEM_INLINE void StoreBFloat16(uint16_t* p, F16x x, int64_t lanes = kLanes) {
  int32_t buffer[kLanes];
  const I16x b = RoundToBFloat16(x);
  LEM_EACH* reinterpret_cast<LooseI*>(buffer + e * kWidth) = b.part[e];
#if defined(__AVX512F__)
  if (lanes == kLanes) {
    const __m256i half =
        _mm512_cvtepi32_epi16(_mm512_srli_epi32(reinterpret_cast<__m512i>(b.part[0]), 16));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), half);
    return;
  }
#endif
  for (int j = 0; j < lanes; ++j)
    p[j] = static_cast<uint16_t>(static_cast<uint32_t>(buffer[j]) >> 16);
}
LEM_INLINE F16x LoadBFloat16(const uint16_t* p, int64_t lanes = kLanes) {
#if defined(__AVX512F__)
  if (lanes == kLanes) {
    const __m512i wide =
        _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    return {reinterpret_cast<VecF>(_mm512_slli_epi32(wide, 16))};
  }
#endif
  uint32_t buffer[kLanes];
  for (int j = 0; j < kLanes; ++j) buffer[j] = j < lanes ? uint32_t{p[j]} << 16 : 0;
  return FromBits(LoadInt(buffer));
}

// --- elementary functions, each within 2 ulp (tests/parity/kernels_functions_test.cc)

// x 2^n, n = shifted - magic in [-150, 128]; in two factors so that both ends are reached.
LEM_INLINE F16x TimesPowerOfTwo(F16x x, F16x shifted, F16x magic) {
#if defined(__AVX512F__)
  return {_mm512_scalef_ps(x.part[0], (shifted - magic).part[0])};  // rounds once, as below
#endif
  const I16x n = Bits(shifted) - Bits(magic);
  const I16x half = Sar(n, 1);
  const F16x a = FromBits(Shl(half + SetInt(127), 23));
  const F16x b = FromBits(Shl(n - half + SetInt(127), 23));
  return x * a * b;
}

// exp(x): x = n ln 2 + r, |r| <= ln 2 / 2, then a polynomial of degree 7. exp(-inf) = 0 and
// exp(0) = 1 exactly; NaN stays NaN.
LEM_INLINE F16x Exp(F16x x) {
  x = IfGreater(x, Set(89), Set(89), x);
  x = IfGreater(Set(-104), x, Set(-104), x);
  const F16x magic = Set(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  const F16x shifted = x * Set(1.44269504f) + magic;
  const F16x n = shifted - magic;
  const F16x r = x - n * Set(0.693359375f) - n * Set(-2.12194440e-4f);
  F16x p = Set(1.9875691500e-4f);
  p = p * r + Set(1.3981999507e-3f);
  p = p * r + Set(8.3334519073e-3f);
  p = p * r + Set(4.1665795894e-2f);
  p = p * r + Set(1.6666665459e-1f);
  p = p * r + Set(5.0000001201e-1f);
  p = p * (r * r) + r + Set(1);
  return TimesPowerOfTwo(p, shifted, magic);
}

// tanh(x): an odd polynomial near zero, 1 - 2 / (exp(2 |x|) + 1) beyond.
LEM_INLINE F16x Tanh(F16x x) {
  const F16x size = Abs(x), z = x * x;
  F16x p = Set(-5.70498872745e-3f);
  p = p * z + Set(2.06390887954e-2f);
  p = p * z + Set(-5.37397155531e-2f);
  p = p * z + Set(1.33314422036e-1f);
  p = p * z + Set(-3.33332819422e-1f);
  p = p * z * x + x;
  const F16x big = Set(1) - Set(2) / (Exp(size + size) + Set(1));
  const F16x signed_big =
      FromBits(Bits(big) | (Bits(x) & SetInt(static_cast<int32_t>(0x80000000u))));
  return IfGreater(size, Set(0.625f), signed_big, p);
}

// log(x) of a positive finite x, one number: m in [sqrt(1/2), sqrt(2)), log m = 2
// atanh((m-1)/(m+1)).
LEM_INLINE float Log(float value) {
  if (!(value > 0)) return value == 0 ? -__builtin_inff() : __builtin_nanf("");
  if (value > 3.4028235e38f) return value;
  double m = value;
  int64_t bits;
  __builtin_memcpy(&bits, &m, 8);
  int64_t exponent = (bits >> 52) - 1023;
  bits = (bits & 0xfffffffffffffll) | 0x3ff0000000000000ll;
  __builtin_memcpy(&m, &bits, 8);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    ++exponent;
  }
  const double s = (m - 1) / (m + 1), z = s * s;
  double p = 1.0 / 15;
  for (int k = 13; k > 0; k -= 2) p = p * z + 1.0 / k;
  return static_cast<float>(2 * s * p + static_cast<double>(exponent) * 0.6931471805599453);
}
