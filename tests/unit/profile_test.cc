// SPDX-License-Identifier: EUPL-1.2
// A profile counts what was asked for and changes nothing of it.
#include "backend/profile.h"

#include <gtest/gtest.h>

#include "tests/support/kernel_sets.h"
#include "tests/support/stored_matrices.h"

namespace lem {
namespace {

using testing::TestMat;

TEST(Profile, CountsOperationsAndBytesOfProducts) {
  testing::OwnedMatrix m = testing::PlainMatrix(Dtype::kBF16, 40, 24);
  m.Bind();
  Profile profile;
  const auto counting = MakeProfiledBackend(CpuBackend(), profile);
  EXPECT_TRUE(profile.Parts().empty());
  const auto weight = counting->Prepare(m.matrix, {.input_gradients = true});
  const TestMat x(7, 24, 1), dy(7, 40, 2);
  TestMat y(7, 40), same(7, 40), dx(7, 24), same_dx(7, 24);
  counting->MatMul(x, *weight, y);
  counting->AddMatMulInputGrad(dy, *weight, dx);
  counting->AddMatMulInputGrad(dy, *weight, dx);
  CpuBackend().MatMul(x, *weight, same);
  for (int i = 0; i < 2; ++i) CpuBackend().AddMatMulInputGrad(dy, *weight, same_dx);
  EXPECT_EQ(y.Values(), same.Values());
  EXPECT_EQ(dx.Values(), same_dx.Values());

  const std::vector<ProfilePart> parts = profile.Parts();
  ASSERT_EQ(parts.size(), 2u);
  const ProfilePart& forward = parts[parts[0].name == "frozen weights, forward" ? 0 : 1];
  const ProfilePart& backward = parts[&forward == &parts[0] ? 1 : 0];
  EXPECT_EQ(forward.name, "frozen weights, forward");
  EXPECT_EQ(forward.calls, 1);
  EXPECT_EQ(forward.operations, 2.0 * 7 * 24 * 40);
  EXPECT_EQ(forward.bytes, 4.0 * (7 * 24 + 7 * 40) + static_cast<double>(weight->bytes()));
  EXPECT_EQ(backward.calls, 2);
  EXPECT_EQ(backward.operations, 2 * 2.0 * 7 * 24 * 40);
  EXPECT_GE(parts[0].seconds, parts[1].seconds);
  EXPECT_GT(parts[1].seconds, 0);
}

// Position p sees min(p + 1, window) keys; two products forward, five backward.
TEST(Profile, CountsVisiblePairsOfAttention) {
  Profile profile;
  const auto counting = MakeProfiledBackend(CpuBackend(), profile);
  const AttentionShape shape = {.heads = 2, .kv_heads = 1, .head_dim = 8, .window = 3};
  const Segment segments[] = {{0, 5}, {5, 6}};
  const TestMat q(6, 16, 1), k(6, 8, 2), v(6, 8, 3);
  TestMat o(6, 16), lse(6, 2), dq(6, 16), dk(6, 8), dv(6, 8);
  counting->Attention(shape, segments, q, k, v, o, lse);
  const double pairs = 1 + 2 + 3 + 3 + 3 + 1;
  EXPECT_EQ(profile.Parts().at(0).operations, 2 * 2 * pairs * 2 * 8);
  counting->AddAttentionBackward(shape, segments, q, k, v, o, lse, o, dq, dk, dv);
  for (const ProfilePart& p : profile.Parts())
    if (p.name == "attention, gradients") {
      EXPECT_EQ(p.operations, 5 * 2 * pairs * 2 * 8);
    }
}

}  // namespace
}  // namespace lem
