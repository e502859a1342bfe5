// SPDX-License-Identifier: EUPL-1.2
#include <gtest/gtest.h>

#include <random>

#include "tests/support/tiny_tokenizer.h"
#include "tokenizer/decoder.h"
#include "tokenizer/unicode.h"

namespace lem {
namespace {

using testing::MakeTokenizer;
using testing::TinyMarked;

TEST(StreamDecoder, HoldsBytesBackUntilTheyAreACharacter) {
  const Tokenizer t = MakeTokenizer(TinyMarked());
  StreamDecoder stream(t);
  EXPECT_EQ(stream.Push(7 + 0xE4), "");
  EXPECT_EQ(stream.Push(7 + 0xBD), "");
  EXPECT_EQ(stream.Push(7 + 0xA0), "\xE4\xBD\xA0");
  EXPECT_EQ(stream.Push(7 + 0xC3), "");
  EXPECT_EQ(stream.Push(2),
            "\xEF\xBF\xBD"
            "a");
  EXPECT_EQ(stream.Push(7 + 0xF0), "");
  EXPECT_EQ(stream.Finish(), "\xEF\xBF\xBD");
}

TEST(StreamDecoder, DropsSpecialsAndTheSpaceInFront) {
  Json json = TinyMarked();
  json.Find("decoder")
      ->Find("decoders")
      ->Append(Json::Parse(R"({"type":"Strip","content":" ","start":1,"stop":0})", "t"));
  const Tokenizer t = MakeTokenizer(json);
  StreamDecoder stream(t, true);
  EXPECT_EQ(stream.Push(0), "");
  EXPECT_EQ(stream.Push(6), "a");   // U+2581 a, at the start
  EXPECT_EQ(stream.Push(6), " a");  // later
  EXPECT_EQ(t.Decode(std::vector<int32_t>{0, 6, 6}, true), "a a");
  EXPECT_EQ(t.Decode(std::vector<int32_t>{0, 6, 6}, false), "<s> a a");
}

// Whatever is cut where, the text is that of all bytes together, and every part of it is UTF-8.
TEST(StreamDecoder, WritesTheTextOfAllBytes) {
  std::mt19937 random(5);
  const Tokenizer t = MakeTokenizer(TinyMarked());
  const std::vector<std::string> pieces = {"<s>", "<unk>", "a", "b", "ab", " ", " a"};
  const std::string bytes_of_interest = "\xE4\xBD\xA0\xF0\x9F\x98\x80\xC3\xA9\xED\xA0\xFF";
  for (int round = 0; round < 2000; ++round) {
    StreamDecoder stream(t, false);
    std::string bytes, text;
    for (size_t i = random() % 12; i > 0; --i) {
      const size_t choice = random() % (pieces.size() + 3 * bytes_of_interest.size());
      int32_t id = static_cast<int32_t>(choice);
      if (choice < pieces.size()) {
        bytes += pieces[choice];
      } else {
        const char byte = bytes_of_interest[choice % bytes_of_interest.size()];
        bytes += byte;
        id = 7 + static_cast<uint8_t>(byte);
      }
      const std::string part = stream.Push(id);
      EXPECT_EQ(ValidUtf8Prefix(part), part.size());
      text += part;
    }
    text += stream.Finish();
    ASSERT_EQ(text, TextOfBytes(bytes, true, nullptr));
  }
}

}  // namespace
}  // namespace lem
