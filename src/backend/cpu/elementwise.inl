// SPDX-License-Identifier: EUPL-1.2
// Row kernels: norms, rotation, gates, the loss. Plain multiplications and additions in 16 fixed
// lanes, so every instruction set gives the same bits.

static void ToBFloat16Row(const float* x, int64_t n, uint16_t* y) {
  ForLanes(n, [=](int64_t i, int64_t lanes) { StoreBFloat16(y + i, At(x, i, lanes), lanes); });
}

static void FromBFloat16Row(const uint16_t* x, int64_t n, float* y) {
  ForLanes(n, [=](int64_t i, int64_t lanes) { Put(y, i, lanes, LoadBFloat16(x + i, lanes)); });
}

// y += x
static void AddRow(const float* x, int64_t n, float* y) {
  ForLanes(n,
           [=](int64_t i, int64_t lanes) { Put(y, i, lanes, At(y, i, lanes) + At(x, i, lanes)); });
}

// y += x * s, column by column
static void AddScaledRow(const float* x, const float* s, int64_t n, float* y) {
  ForLanes(n, [=](int64_t i, int64_t lanes) {
    Put(y, i, lanes, At(y, i, lanes) + At(x, i, lanes) * At(s, i, lanes));
  });
}

// term(i, lanes) summed in 16 lanes, then over lanes.
template <class Term>
LEM_INLINE float Sum(int64_t n, Term term) {
  F16x sum = Set(0);
  ForLanes(n, [&](int64_t i, int64_t lanes) { sum = sum + term(i, lanes); });
  return SumLanes(sum);
}

// 1 / sqrt(mean(x^2) + eps)
LEM_INLINE float InverseRms(const float* x, int64_t n, float eps) {
  const float sum = Sum(n, [=](int64_t i, int64_t lanes) {
    const F16x v = At(x, i, lanes);
    return v * v;
  });
  return 1.0f / __builtin_sqrtf(sum / static_cast<float>(n) + eps);
}

// y = x * r * gain; returns r
static float RmsNormRow(const float* x, const float* gain, int64_t n, float eps, float* y) {
  const float r = InverseRms(x, n, eps);
  ForLanes(n, [=](int64_t i, int64_t lanes) {
    Put(y, i, lanes, At(x, i, lanes) * Set(r) * At(gain, i, lanes));
  });
  return r;
}

static float RmsNormRowToBFloat16(const float* x, const float* gain, int64_t n, float eps,
                                  uint16_t* y) {
  const float r = InverseRms(x, n, eps);
  ForLanes(n, [=](int64_t i, int64_t lanes) {
    StoreBFloat16(y + i, At(x, i, lanes) * Set(r) * At(gain, i, lanes), lanes);
  });
  return r;
}

static float AddRmsNormRow(const float* x, const float* gain, int64_t n, float eps, float* y) {
  const float r = InverseRms(x, n, eps);
  ForLanes(n, [=](int64_t i, int64_t lanes) {
    Put(y, i, lanes, At(y, i, lanes) + At(x, i, lanes) * Set(r) * At(gain, i, lanes));
  });
  return r;
}

// With u = gain * dy:  dx += r * (u - x * r^2 * mean(u * x)).
static void AddRmsNormRowBackward(const float* dy, const float* x, const float* gain, float r,
                                  int64_t n, float* dx) {
  const float ux = Sum(n, [=](int64_t i, int64_t lanes) {
    return At(gain, i, lanes) * At(dy, i, lanes) * At(x, i, lanes);
  });
  const float pull = r * r * (ux / static_cast<float>(n));
  ForLanes(n, [=](int64_t i, int64_t lanes) {
    const F16x u = At(gain, i, lanes) * At(dy, i, lanes);
    Put(dx, i, lanes, At(dx, i, lanes) + Set(r) * (u - At(x, i, lanes) * Set(pull)));
  });
}

// dgain += dy * x * r for one row
static void AddRmsNormRowGainGrad(const float* dy, const float* x, float r, int64_t n,
                                  float* dgain) {
  ForLanes(n, [=](int64_t i, int64_t lanes) {
    Put(dgain, i, lanes, At(dgain, i, lanes) + At(dy, i, lanes) * At(x, i, lanes) * Set(r));
  });
}

// (a, b) -> (a cos - b sin, b cos + a sin), b lies `half` after a. direction -1 rotates back.
static void RopeRow(const float* cos, const float* sin, int heads, int64_t half, float direction,
                    float* x) {
  for (int h = 0; h < heads; ++h, x += 2 * half) {
    float *first = x, *second = x + half;
    ForLanes(half, [=](int64_t i, int64_t lanes) {
      const F16x a = At(first, i, lanes), b = At(second, i, lanes);
      const F16x c = At(cos, i, lanes), s = At(sin, i, lanes) * Set(direction);
      Put(first, i, lanes, a * c - b * s);
      Put(second, i, lanes, b * c + a * s);
    });
  }
}

// --- gates

struct Silu {
  static inline __attribute__((always_inline)) F16x Sigmoid(F16x a) {
    return Set(1) / (Set(1) + Exp(Set(0) - a));
  }
  static inline __attribute__((always_inline)) F16x Value(F16x a) {
    return a / (Set(1) + Exp(Set(0) - a));
  }
  // sigma(a) (1 + a (1 - sigma(a)))
  static inline __attribute__((always_inline)) F16x Slope(F16x a, F16x* value) {
    const F16x s = Sigmoid(a);
    *value = a * s;
    return s * (Set(1) + a * (Set(1) - s));
  }
};

// (1 + tanh(u)) / 2 = sigma(2 u): one exponential, and no cancellation for negative u.
struct GeluTanh {
  static inline __attribute__((always_inline)) F16x Sigma(F16x a) {
    const F16x u = Set(0.7978845608028654f) * (a + Set(0.044715f) * (a * a * a));
    return Set(1) / (Set(1) + Exp(Set(0) - (u + u)));
  }
  static inline __attribute__((always_inline)) F16x Value(F16x a) { return a * Sigma(a); }
  // s + a s (1 - s) 2 u', u' = k (1 + 0.134145 a^2)
  static inline __attribute__((always_inline)) F16x Slope(F16x a, F16x* value) {
    const F16x s = Sigma(a);
    *value = a * s;
    const F16x twice = Set(2 * 0.7978845608028654f) * (Set(1) + Set(0.134145f) * (a * a));
    return s + a * s * (Set(1) - s) * twice;
  }
};

template <class Act>
static void GatedRow(const float* gate, const float* up, int64_t n, float* z) {
  ForLanes(n, [=](int64_t i, int64_t lanes) {
    Put(z, i, lanes, Act::Value(At(gate, i, lanes)) * At(up, i, lanes));
  });
}

template <class Act>
static void GatedRowToBFloat16(const float* gate, const float* up, int64_t n, uint16_t* z) {
  ForLanes(n, [=](int64_t i, int64_t lanes) {
    StoreBFloat16(z + i, Act::Value(At(gate, i, lanes)) * At(up, i, lanes), lanes);
  });
}

// dgate += dz * up * act'(gate), dup += dz * act(gate)
template <class Act>
static void AddGatedRowBackward(const float* gate, const float* up, const float* dz, int64_t n,
                                float* dgate, float* dup) {
  ForLanes(n, [=](int64_t i, int64_t lanes) {
    F16x value;
    const F16x d = At(dz, i, lanes), slope = Act::Slope(At(gate, i, lanes), &value);
    Put(dgate, i, lanes, At(dgate, i, lanes) + d * At(up, i, lanes) * slope);
    Put(dup, i, lanes, At(dup, i, lanes) + d * value);
  });
}

// --- the loss

static void SoftcapRow(float c, int64_t n, float* z) {
  ForLanes(n, [=](int64_t i, int64_t lanes) {
    Put(z, i, lanes, Set(c) * Tanh(At(z, i, lanes) / Set(c)));
  });
}

// max(z) and sum(exp(z - max(z))). A NaN anywhere makes the sum NaN.
struct MaxAndSum {
  float max, sum;
};
LEM_INLINE MaxAndSum SoftmaxSum(const float* z, int64_t n) {
  const float lowest = -__builtin_inff();
  F16x top = Set(lowest);
  ForLanes(n, [&](int64_t i, int64_t lanes) {
    top = Max(lanes == kLanes ? Load(z + i) : LoadPart(z + i, lanes, lowest), top);
  });
  const float max = MaxLanes(top);
  F16x sum = Set(0);
  ForLanes(n, [&](int64_t i, int64_t lanes) {
    sum = sum + Exp((lanes == kLanes ? Load(z + i) : LoadPart(z + i, lanes, lowest)) - Set(max));
  });
  return {max, SumLanes(sum)};
}

static float CrossEntropyRow(const float* z, int64_t n, int64_t target) {
  const MaxAndSum s = SoftmaxSum(z, n);
  return Log(s.sum) + (s.max - z[target]);
}

// z becomes exp(z - max(z)); also the sums of its terms below each of kTails powers of 1/4.
constexpr int kTails = 8;
constexpr float kFirstTail = 1.0f / 4096, kNextTail = 1.0f / 4;  // 2^-12 .. 2^-26
LEM_INLINE MaxAndSum SoftmaxTerms(float* z, int64_t n, float (&below)[kTails]) {
  const float lowest = -__builtin_inff();
  F16x top = Set(lowest);
  ForLanes(n, [&](int64_t i, int64_t lanes) {
    top = Max(lanes == kLanes ? Load(z + i) : LoadPart(z + i, lanes, lowest), top);
  });
  const float max = MaxLanes(top);
  F16x sum = Set(0), tails[kTails];
#pragma GCC unroll 8
  for (int t = 0; t < kTails; ++t) tails[t] = Set(0);
  ForLanes(n, [&](int64_t i, int64_t lanes) {
    const F16x e = Exp((lanes == kLanes ? Load(z + i) : LoadPart(z + i, lanes, lowest)) - Set(max));
    Put(z, i, lanes, e);
    sum = sum + e;
    float limit = kFirstTail;
#pragma GCC unroll 8
    for (int t = 0; t < kTails; ++t, limit *= kNextTail)
      tails[t] = tails[t] + IfGreater(Set(limit), e, e, Set(0));
  });
  for (int t = 0; t < kTails; ++t) below[t] = SumLanes(tails[t]);
  return {max, SumLanes(sum)};
}

// The largest of the limits below which at most `negligible` of the sum lies.
LEM_INLINE float TailLimit(float negligible, float sum, const float (&below)[kTails]) {
  float limit = kFirstTail;
  for (int t = 0; t < kTails; ++t, limit *= kNextTail)
    if (below[t] <= negligible * sum) return limit;
  return 0;
}

// z becomes weight * (softmax(z) - onehot(target)), times 1 - (z / c)^2 when c > 0.
static float CrossEntropyGradientRow(const LogitGradientCall& call, float* z) {
  float below[kTails];
  const float at_target = z[call.target];
  if (call.softcap > 0) {  // needs z beside exp(z)
    const MaxAndSum s = SoftmaxSum(z, call.n);
    const float scale = call.weight / s.sum, inverse = 1 / call.softcap, u = at_target * inverse;
    ForLanes(call.n, [=](int64_t i, int64_t lanes) {
      const F16x v = At(z, i, lanes), share = v * Set(inverse);
      Put(z, i, lanes, Exp(v - Set(s.max)) * Set(scale) * (Set(1) - share * share));
    });
    z[call.target] -= call.weight * (1 - u * u);
    return Log(s.sum) + (s.max - at_target);
  }
  const MaxAndSum s = SoftmaxTerms(z, call.n, below);
  const float limit = call.negligible > 0 ? TailLimit(call.negligible, s.sum, below) : 0;
  const float scale = call.weight / s.sum;
  ForLanes(call.n, [=](int64_t i, int64_t lanes) {
    const F16x e = At(z, i, lanes);
    Put(z, i, lanes, IfGreater(Set(limit), e, Set(0), e * Set(scale)));
  });
  z[call.target] -= call.weight;
  return Log(s.sum) + (s.max - at_target);
}
