// SPDX-License-Identifier: EUPL-1.2
#include <gtest/gtest.h>

#include <random>

#include "tests/support/tiny_tokenizer.h"

namespace lem {
namespace {

using testing::MakeTokenizer;
using testing::TinyByteLevel;
using testing::TinyMarked;

TEST(StreamDecoder, HoldsBytesBackUntilTheyAreACharacter) {
  const Tokenizer t = MakeTokenizer(TinyMarked());
  StreamDecoder stream(t);
  EXPECT_EQ(stream.Push(7 + 0xE4), "");
  EXPECT_EQ(stream.Push(7 + 0xBD), "");
  EXPECT_EQ(stream.Push(7 + 0xA0), "\xE4\xBD\xA0");
  EXPECT_EQ(stream.Push(7 + 0xC3), "");
  EXPECT_EQ(stream.Push(2), "\xEF\xBF\xBD" "a");
  EXPECT_EQ(stream.Push(7 + 0xF0), "");
  EXPECT_EQ(stream.Finish(), "\xEF\xBF\xBD");
}

TEST(StreamDecoder, DropsSpecialsAndTheSpaceInFront) {
  Json json = TinyMarked();
  json.Find("decoder")->Find("decoders")->Append(
      Json::Parse(R"({"type":"Strip","content":" ","start":1,"stop":0})", "t"));
  const Tokenizer t = MakeTokenizer(json);
  StreamDecoder stream(t, true);
  EXPECT_EQ(stream.Push(0), "");
  EXPECT_EQ(stream.Push(6), "a");   // U+2581 a, at the start
  EXPECT_EQ(stream.Push(6), " a");  // later
  EXPECT_EQ(t.Decode(std::vector<int32_t>{0, 6, 6}, true), "a a");
  EXPECT_EQ(t.Decode(std::vector<int32_t>{0, 6, 6}, false), "<s> a a");
}

TEST(StreamDecoder, WritesWhatDecodeWrites) {
  std::mt19937 random(5);
  for (const Json& json : {TinyByteLevel(), TinyMarked()}) {
    const Tokenizer t = MakeTokenizer(json);
    for (int round = 0; round < 2000; ++round) {
      std::vector<int32_t> ids;
      for (size_t i = random() % 12; i > 0; --i) {
        ids.push_back(static_cast<int32_t>(random() % static_cast<uint32_t>(t.vocab_size())));
      }
      StreamDecoder stream(t, false);
      std::string text;
      for (const int32_t id : ids) text += stream.Push(id);
      text += stream.Finish();
      ASSERT_EQ(text, t.Decode(ids));
    }
  }
}

}  // namespace
}  // namespace lem
