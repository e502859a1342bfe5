// SPDX-License-Identifier: EUPL-1.2
// The table of this instruction set; LEM_SET is its namespace.

static void ExpRow(const float* x, int64_t n, float* y) {
  ForLanes(n, [=](int64_t i, int64_t lanes) { Put(y, i, lanes, Exp(At(x, i, lanes))); });
}
static void TanhRow(const float* x, int64_t n, float* y) {
  ForLanes(n, [=](int64_t i, int64_t lanes) { Put(y, i, lanes, Tanh(At(x, i, lanes))); });
}
static float LogOf(float x) { return Log(x); }

// Address-checked code for so many unrolled tiles takes a compiler six minutes and more: there,
// panels are expanded instead, to the same bits. The parity tests hold the tiles' memory with
// guards.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEM_NO_CODE_TILES
#endif
#endif
#if defined(__AVX512BF16__)
#if defined(LEM_NO_CODE_TILES)
static constexpr auto kMultiplyCodes = static_cast<void (*)(const CodesCall&)>(nullptr);
static constexpr auto kMultiplyIntegerCodes =
    static_cast<void (*)(const IntegerCodesCall&)>(nullptr);
#else
static constexpr auto kMultiplyCodes = MultiplyCodes;
static constexpr auto kMultiplyIntegerCodes = MultiplyIntegerCodes;
#endif
static constexpr Products kFloat = {1,
                                    PackUnits<FloatUnits>,
                                    Multiply<FloatUnit>,
                                    FindSteps<1>,
                                    PackFloatSteps<false>,
                                    MultiplySteps<FloatUnit>,
                                    MultiplyGrouped<FloatUnit>,
                                    GroupSums<false>,
                                    ExpandCodesFloat,
                                    ExpandScales,
                                    nullptr,
                                    DequantizeBlock,
                                    ExpandGradientFloats};
static constexpr Products kBFloat = {2,
                                     PackUnits<PairUnits>,
                                     Multiply<PairUnit>,
                                     FindSteps<2>,
                                     PackPairSteps,
                                     MultiplySteps<PairUnit>,
                                     MultiplyGrouped<PairUnit>,
                                     GroupSums<true>,
                                     ExpandCodesPairs,
                                     ExpandScales,
                                     kMultiplyCodes,
                                     ExpandValuePairs,
                                     ExpandGradientPairs};
#else
static constexpr void (*kMultiplyIntegerCodes)(const IntegerCodesCall&) = nullptr;
static constexpr Products kFloat = {1,
                                    PackFloats<false>,
                                    Multiply<FloatUnit>,
                                    FindSteps<1>,
                                    PackFloatSteps<false>,
                                    MultiplySteps<FloatUnit>,
                                    MultiplyGrouped<FloatUnit>,
                                    GroupSums<false>,
                                    ExpandCodesFloat,
                                    ExpandScales,
                                    nullptr,
                                    DequantizeBlock,
                                    ExpandGradient<false>};
static constexpr Products kBFloat = {1,
                                     PackFloats<true>,
                                     Multiply<FloatUnit>,
                                     FindSteps<1>,
                                     PackFloatSteps<true>,
                                     MultiplySteps<FloatUnit>,
                                     MultiplyGrouped<FloatUnit>,
                                     GroupSums<false>,
                                     ExpandCodesFloat,
                                     ExpandScales,
                                     nullptr,
                                     ExpandRoundedValues,
                                     ExpandGradient<true>};
#endif

static constexpr IntegerProducts kIntegers = {PackIntegers, ExpandCodeBytes, ExpandIntegerScales,
                                              MultiplyIntegers, kMultiplyIntegerCodes};

static constexpr Kernels MakeTable(const char* name) {
  return {name,
          ToBFloat16Row,
          FromBFloat16Row,
          AddRow,
          AddScaledRow,
          RmsNormRow,
          RmsNormRowToBFloat16,
          AddRmsNormRow,
          AddRmsNormRowBackward,
          AddRmsNormRowGainGrad,
          RopeRow,
          {GatedRow<Silu>, GatedRow<GeluTanh>},
          {GatedRowToBFloat16<Silu>, GatedRowToBFloat16<GeluTanh>},
          {AddGatedRowBackward<Silu>, AddGatedRowBackward<GeluTanh>},
          SoftcapRow,
          CrossEntropyRow,
          CrossEntropyGradientRow,
          ExpRow,
          TanhRow,
          LogOf,
          {kBFloat, kFloat},
          kIntegers,
          AttentionRows,
          AttentionBlocks,
          AttentionMerge,
          AttentionBackwardRows};
}
