// SPDX-License-Identifier: EUPL-1.2
#include "base/hash.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/scratch_folder.h"

namespace lem {
namespace {

// FIPS 180-4 examples.
constexpr char kEmpty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr char kAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(Sha256, MatchesTheStandardsExamples) {
  EXPECT_EQ(Sha256Hex(""), kEmpty);
  EXPECT_EQ(Sha256Hex("abc"), kAbc);
  EXPECT_EQ(Sha256Hex(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, IsTheSameInParts) {
  Sha256 hash;
  hash.Update("a");
  hash.Update("");
  hash.Update("bc");
  EXPECT_EQ(hash.Hex(), kAbc);
}

TEST(Sha256, ReadsFiles) {
  const testing::ScratchFolder folder;
  EXPECT_EQ(Sha256File(folder.Write("abc", "abc")), kAbc);
  EXPECT_EQ(Sha256File(folder.Write("empty", "")), kEmpty);
  EXPECT_EQ(Sha256File(folder.Write("long", std::string(3000000, 'a'))),  // more than one buffer
            "2a152c894398719c0570f83fac34ac03a0f6e8e474b995c2403aa5434f7b9dd4");
  EXPECT_EQ(testing::ErrorText([&] { Sha256File(folder / "none"); }),
            (folder / "none").string() + ": cannot open this file to hash it");
  EXPECT_NE(testing::ErrorText([&] { Sha256File(folder.path()); }), "no error");
}

}  // namespace
}  // namespace lem
