// SPDX-License-Identifier: EUPL-1.2
#include "tensor/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tensor/shape.h"
#include "tests/support/error_text.h"

namespace lem {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Float16, KnownValues) {
  EXPECT_EQ(Float16ToFloat(0x3c00), 1.0f);
  EXPECT_EQ(Float16ToFloat(0xc000), -2.0f);
  EXPECT_EQ(Float16ToFloat(0x7bff), 65504.0f);
  EXPECT_EQ(Float16ToFloat(0x0001), 0x1p-24f);
  EXPECT_EQ(Float16ToFloat(0x0400), 0x1p-14f);
  EXPECT_EQ(Float16ToFloat(0xfc00), -kInfinity);
  EXPECT_TRUE(std::signbit(Float16ToFloat(0x8000)));
  EXPECT_TRUE(std::isnan(Float16ToFloat(0x7e01)));
}

TEST(Float16, EveryValueSurvivesTheWayThere) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = Float16ToFloat(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(Float16ToFloat(FloatToFloat16(value)))) << bits;
    } else {
      ASSERT_EQ(FloatToFloat16(value), half) << bits;
    }
  }
}

TEST(Float16, RoundsHalfWayToEven) {
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {  // every neighbouring pair, subnormals included
    const float low = Float16ToFloat(static_cast<uint16_t>(bits));
    const float high = Float16ToFloat(static_cast<uint16_t>(bits + 1));
    const float middle = low + (high - low) / 2;  // exact: one bit more than a half has
    ASSERT_EQ(FloatToFloat16(middle), bits + (bits & 1)) << bits;
    ASSERT_EQ(FloatToFloat16(std::nextafter(middle, 0.0f)), bits) << bits;
    ASSERT_EQ(FloatToFloat16(std::nextafter(middle, kInfinity)), bits + 1) << bits;
  }
  EXPECT_EQ(FloatToFloat16(65519.99f), 0x7bff);
  EXPECT_EQ(FloatToFloat16(65520.0f), 0x7c00);
  EXPECT_EQ(FloatToFloat16(-1e30f), 0xfc00);
}

TEST(BFloat16, RoundsHalfWayToEven) {
  EXPECT_EQ(FloatToBFloat16(1.0f), 0x3f80);
  EXPECT_EQ(FloatToBFloat16(std::bit_cast<float>(0x3f808000u)), 0x3f80);
  EXPECT_EQ(FloatToBFloat16(std::bit_cast<float>(0x3f818000u)), 0x3f82);
  EXPECT_EQ(FloatToBFloat16(std::bit_cast<float>(0x3f808001u)), 0x3f81);
  EXPECT_EQ(FloatToBFloat16(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_TRUE(std::isnan(BFloat16ToFloat(FloatToBFloat16(std::bit_cast<float>(0x7f800001u)))));
  EXPECT_EQ(BFloat16ToFloat(FloatToBFloat16(std::sqrt(640.0f))), 25.25f);  // Gemma 3 270M's scale
}

TEST(Dtype, ReadsAndWritesUnalignedBytes) {
  const std::vector<float> values = {0, -1.5f, 3.25f, 1024};
  for (const Dtype dtype : {Dtype::kF32, Dtype::kF16, Dtype::kBF16}) {
    std::vector<std::byte> bytes(1 + values.size() * SizeOf(dtype));
    FromFloat(values, dtype, bytes.data() + 1);
    std::vector<float> read(values.size());
    ToFloat(dtype, bytes.data() + 1, read);
    EXPECT_EQ(read, values) << NameOf(dtype);
  }
  const double wide = 0.1;
  float narrow = 0;
  ToFloat(Dtype::kF64, reinterpret_cast<const std::byte*>(&wide), {&narrow, 1});
  EXPECT_EQ(narrow, 0.1f);
}

TEST(Dtype, RefusesWhatIsNoFloat) {
  const std::byte bytes[8] = {};
  float value = 0;
  EXPECT_EQ(testing::ErrorText([&] {
              ToFloat(Dtype::kI32, bytes, {&value, 1});
            }),
            "a tensor of type I32: expected floating numbers (F32, F16, BF16 or F64)");
}

TEST(Shape, CountsWithoutOverflow) {
  const auto count = [](std::vector<int64_t> shape) { return CountElements(shape); };
  EXPECT_EQ(count({}), 1);
  EXPECT_EQ(count({2, 3}), 6);
  EXPECT_EQ(count({0, 5}), 0);
  EXPECT_EQ(count({-1, 5}), std::nullopt);
  EXPECT_EQ(count({INT64_MAX, 1}), INT64_MAX);
  EXPECT_EQ(count({INT64_MAX, 2}), std::nullopt);
  EXPECT_EQ(count({int64_t{1} << 32, int64_t{1} << 32}), std::nullopt);
  EXPECT_EQ(count({0, int64_t{1} << 32, int64_t{1} << 32}), std::nullopt);
}

}  // namespace
}  // namespace lem
