// SPDX-License-Identifier: EUPL-1.2
#include <gtest/gtest.h>

#include <cstring>

#include "tests/support/error_text.h"
#include "tokenizer/tokenizer.h"

namespace lem {
namespace {

using Ids = std::vector<int32_t>;
using testing::ErrorText;

std::string Varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(0x80 | (value & 0x7F));
  return out += static_cast<char>(value);
}
std::string Number(int field, uint64_t value) {
  return Varint(static_cast<uint64_t>(field) << 3) + Varint(value);
}
std::string Message(int field, const std::string& bytes) {
  return Varint(static_cast<uint64_t>(field) << 3 | 2) + Varint(bytes.size()) + bytes;
}

std::string Piece(const std::string& text, float score, int type = 1) {
  std::string bits(4, '\0');
  std::memcpy(bits.data(), &score, 4);
  return Message(
      1, Message(1, text) + Varint(2 << 3 | 5) + bits + Number(3, static_cast<uint64_t>(type)));
}

// 0 <unk>, 1 <s>, 2 </s>, 3 <tag> (user-defined), then learned pieces.
struct Proto {
  std::string pieces = Piece("<unk>", 0, 2) + Piece("<s>", 0, 3) + Piece("</s>", 0, 3) +
                       Piece("<tag>", 0, 4) + Piece("\xE2\x96\x81", -9) + Piece("a", -9) +
                       Piece("b", -9) + Piece("ab", -1) +
                       Piece(
                           "\xE2\x96\x81"
                           "a",
                           -2);
  std::string trainer = Number(3, 2) + Number(99, 7);  // BPE, and a field of the future
  std::string normalizer = Message(1, "identity") + Number(4, 0);

  std::string Bytes() const { return pieces + Message(2, trainer) + Message(3, normalizer); }
};

Tokenizer Load(const std::string& bytes, const char* config = "{}") {
  return Tokenizer::FromSentencePiece(std::as_bytes(std::span(bytes)), Json::Parse(config, "c"),
                                      "tokenizer.model");
}
std::string LoadError(const std::string& bytes) {
  return ErrorText([&] { Load(bytes); });
}

TEST(SentencePiece, EncodesByScoreWithASpaceInFront) {
  const Tokenizer t = Load(Proto().Bytes());
  EXPECT_EQ(t.Encode("ab ab", true), (Ids{1, 4, 7, 4, 7}));
  EXPECT_EQ(t.Encode("a", false), Ids{8});
  EXPECT_EQ(t.Encode("xy", false), (Ids{4, 0}));  // unknown neighbours share one token
  EXPECT_EQ(t.Decode(Ids{4, 7, 4, 7}), "ab ab");
  EXPECT_EQ(t.Encode("a<tag>a", false), (Ids{8, 3, 5}));
  EXPECT_EQ(t.eos(), 2);
  EXPECT_EQ(t.end_ids(), Ids{2});
}

TEST(SentencePiece, ReadsTheNormalizersFlags) {
  Proto proto;
  proto.normalizer = Number(3, 0) + Number(4, 0);
  EXPECT_EQ(Load(proto.Bytes()).Encode("ab  a", false), (Ids{7, 4, 8}));
  proto.normalizer = Number(3, 0) + Number(4, 1);
  EXPECT_EQ(Load(proto.Bytes()).Encode("  ab   a ", false), (Ids{7, 8}));
}

TEST(SentencePiece, TakesFurtherTokensFromTheConfig) {
  const Tokenizer t = Load(
      Proto().Bytes(),
      R"({"added_tokens_decoder":{"9":{"content":"<new>","special":true}},"eos_token":"<new>"})");
  EXPECT_EQ(t.vocab_size(), 10);
  EXPECT_EQ(t.Encode("a<new>", false), (Ids{8, 9}));
  EXPECT_EQ(t.eos(), 9);
}

TEST(SentencePiece, RefusesEveryTruncationWithASentence) {
  const std::string bytes = Proto().Bytes();
  for (size_t size = 0; size < bytes.size(); ++size) {
    const std::string error = LoadError(bytes.substr(0, size));
    // A cut between two fields leaves a shorter model; it lacks the type or is without pieces.
    EXPECT_TRUE(error == "no error" || error.starts_with("tokenizer.model: expected ")) << error;
  }
  EXPECT_NE(LoadError(bytes.substr(0, 5)).find("a length that passes the end"), std::string::npos);
  EXPECT_NE(LoadError("").find("found none"), std::string::npos);
}

TEST(SentencePiece, RefusesWhatItDoesNotSupportByName) {
  Proto proto;
  proto.trainer = Number(3, 1);
  EXPECT_EQ(LoadError(proto.Bytes()),
            "tokenizer.model: expected a SentencePiece model of type bpe, found unigram; try a "
            "tokenizer.json of "
            "the same model");
  proto.trainer = Number(3, 2) + Number(24, 1);
  EXPECT_NE(LoadError(proto.Bytes()).find("treat_whitespace_as_suffix"), std::string::npos);
  proto = Proto();
  proto.normalizer = Message(1, "nmt_nfkc") + Message(2, "map");
  EXPECT_NE(LoadError(proto.Bytes()).find("found \"nmt_nfkc\""), std::string::npos);
  proto = Proto();
  proto.pieces += Piece("a", -3);
  EXPECT_NE(LoadError(proto.Bytes()).find("expected every piece once, found \"a\" twice"),
            std::string::npos);
  proto = Proto();
  proto.pieces += Piece("\xFF", -3);
  EXPECT_NE(LoadError(proto.Bytes()).find("expected pieces of UTF-8 text"), std::string::npos);
  proto = Proto();
  proto.pieces += Piece("z", -3, 9);
  EXPECT_NE(LoadError(proto.Bytes()).find("expected piece types 1 to 6, found 9"),
            std::string::npos);
  proto = Proto();
  proto.trainer += Number(41, 400);
  EXPECT_NE(LoadError(proto.Bytes()).find("expected bos_id below 9, found 400"), std::string::npos);
}

}  // namespace
}  // namespace lem
