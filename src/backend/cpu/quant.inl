// SPDX-License-Identifier: EUPL-1.2
// Quantised panels. A panel is 32 rows, cut into blocks of 32 k; a block holds two halves of 16
// rows, and a half holds bit planes. In a 4-, 2- or 1-bit plane each row owns 32-bit words, and
// field j of a word's lower (upper) 16 bits is the code at k = 2 j (2 j + 1) of the word's range:
// a shift and a mask give pairs (k, k + 1) ready for a pair product.
//
//   2 bits: [2]   3: [2][1]   4: [4]   5: [4][1]   6: [4][2]   8: bytes [k pair][row][k parity]

// Code of (row, k) in one half-block.
LEM_INLINE uint32_t PlaneField(const uint8_t* plane, int width, int row, int k) {
  const int per_word = 32 / width, word = k / per_word, within = k % per_word;
  uint32_t bits;
  __builtin_memcpy(&bits, plane + (word * 16 + row) * 4, 4);
  return bits >> (within % 2 * 16 + within / 2 * width) & ((1u << width) - 1);
}

LEM_INLINE uint32_t ReadCode(int bits, const uint8_t* half, int row, int k) {
  const uint8_t* second = half + 64 * (bits >= 4 ? 4 : 2);
  switch (bits) {
    case 2:
      return PlaneField(half, 2, row, k);
    case 3:
      return PlaneField(half, 2, row, k) | PlaneField(second, 1, row, k) << 2;
    case 4:
      return PlaneField(half, 4, row, k);
    case 5:
      return PlaneField(half, 4, row, k) | PlaneField(second, 1, row, k) << 4;
    case 6:
      return PlaneField(half, 4, row, k) | PlaneField(second, 2, row, k) << 4;
    default:
      return half[(k / 2 * 16 + row) * 2 + k % 2];
  }
}

static void ExpandCodesFloat(const QuantCodes& q, const uint8_t* codes, int64_t blocks,
                             float* out) {
  for (int64_t b = 0; b < blocks; ++b, out += 32 * kPanel)
    for (int half = 0; half < 2; ++half, codes += 64 * q.bits)
      for (int k = 0; k < 32; ++k)
        for (int row = 0; row < 16; ++row)
          out[k * kPanel + half * 16 + row] = q.values[ReadCode(q.bits, codes, row, k)];
}

#if defined(__AVX512BF16__)
static void ExpandCodesPairs(const QuantCodes& q, const uint8_t* codes, int64_t blocks,
                             float* out) {
  uint16_t* to = reinterpret_cast<uint16_t*>(out);
  for (int64_t b = 0; b < blocks; ++b, to += 32 * kPanel)
    for (int half = 0; half < 2; ++half, codes += 64 * q.bits)
      for (int k = 0; k < 32; ++k)
        for (int row = 0; row < 16; ++row)
          to[(k / 2 * kPanel + half * 16 + row) * 2 + k % 2] =
              q.values16[ReadCode(q.bits, codes, row, k)];
}
#endif
