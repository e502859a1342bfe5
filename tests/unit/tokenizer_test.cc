// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <fstream>

#include "formats/mapped_file.h"
#include "tests/support/error_text.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tiny_tokenizer.h"

namespace lem {
namespace {

using Ids = std::vector<int32_t>;
using testing::ErrorText;
using testing::MakeTokenizer;
using testing::TinyByteLevel;
using testing::TinyMarked;

std::string LoadError(const Json& json, std::string_view config = "{}") {
  return ErrorText([&] { MakeTokenizer(json, config); });
}

Tokenizer ThroughGguf(const Tokenizer& tokenizer) {
  const testing::ScratchFolder folder;
  WriteGguf(folder / "t.gguf", tokenizer.ToGguf(), {});
  return Tokenizer::Load(folder / "t.gguf");
}

TEST(Tokenizer, EncodesAndDecodesByteLevel) {
  const Tokenizer t = MakeTokenizer(TinyByteLevel());
  EXPECT_EQ(t.Encode("abc ab12 a", true), (Ids{6, 7, 5, 9, 10, 8}));
  EXPECT_EQ(t.Decode(Ids{6, 7, 5, 9, 10, 8}), "abc ab12 a");
  EXPECT_EQ(t.Encode("", true), Ids{});
  EXPECT_EQ(t.vocab_size(), 11);
  EXPECT_EQ(t.Piece(8),
            "\xC4\xA0"
            "a");
}

TEST(Tokenizer, AddsWhatThePostProcessorSays) {
  const Tokenizer t = MakeTokenizer(TinyMarked());
  EXPECT_EQ(t.Encode("ab a", true), (Ids{0, 4, 6}));
  EXPECT_EQ(t.Encode("ab a", false), (Ids{4, 6}));
  EXPECT_TRUE(t.adds_bos());
  EXPECT_EQ(t.bos(), 0);
  EXPECT_EQ(t.bos_text(), "<s>");
  EXPECT_EQ(t.eos_text(), "");
}

TEST(Tokenizer, SpellsOutBytesAndReplacesBrokenOnes) {
  const Tokenizer t = MakeTokenizer(TinyMarked());
  const Ids ids = t.Encode("\xC3\xA9", false);
  EXPECT_EQ(ids, (Ids{7 + 0xC3, 7 + 0xA9}));
  EXPECT_EQ(t.Decode(ids), "\xC3\xA9");
  EXPECT_EQ(t.Decode(Ids{2, 7 + 0xC3, 3}),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(t.Decode(Ids{7 + 0xE2, 7 + 0x82}), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(Tokenizer, ParsesSpecialsOnlyOnRequest) {
  const Tokenizer t = MakeTokenizer(TinyMarked());
  EXPECT_EQ(t.Encode("<s>a", false, true), (Ids{0, 2}));
  const Ids plain = t.Encode("<s>a", false, false);
  EXPECT_EQ(plain, (Ids{7 + '<', 7 + 's', 7 + '>', 2}));
  EXPECT_EQ(t.Decode(plain), "<s>a");
  EXPECT_EQ(t.Decode(Ids{0, 2}, true), "a");
  EXPECT_TRUE(t.IsSpecial(0));
  EXPECT_FALSE(t.IsSpecial(2));
}

TEST(Tokenizer, FindsAddedTokensByTheirFlags) {
  Json json = TinyByteLevel();
  const auto add = [&](int id, const char* content, const char* flag) {
    Json token = Json::Parse(R"({"special":false,"normalized":false})", "t");
    token.Set("id", id);
    token.Set("content", content);
    token.Set(flag, true);
    json.Find("added_tokens")->Append(std::move(token));
  };
  add(11, "<l>", "lstrip");
  add(12, "<r>", "rstrip");
  add(13, "bb", "single_word");
  const Tokenizer t = MakeTokenizer(json);
  EXPECT_EQ(t.Encode("a \n <l>a", false), (Ids{2, 11, 2}));
  EXPECT_EQ(t.Encode("<r> \n a", false), (Ids{12, 2}));
  EXPECT_EQ(t.Encode("bb", false), (Ids{13}));
  EXPECT_EQ(t.Encode("1bb", false), (Ids{9, 3, 3}));
  EXPECT_EQ(t.Encode("bb!", false), (Ids{13}));
  EXPECT_EQ(t.Encode("<l<l>", false), (Ids{11}));  // "<l" has no pieces here
  EXPECT_EQ(t.FindToken("bb"), 13);
  EXPECT_EQ(t.FindToken("nonesuch"), std::nullopt);
}

TEST(Tokenizer, RefusesTextThatIsNoUtf8) {
  const Tokenizer t = MakeTokenizer(TinyByteLevel());
  EXPECT_EQ(ErrorText([&] { t.Encode("ab\xFF", false); }),
            "text to encode: expected UTF-8, found byte 255 at offset 2; try converting the text "
            "to UTF-8");
}

TEST(Tokenizer, RefusesIdsThatItDoesNotHave) {
  const Tokenizer t = MakeTokenizer(TinyByteLevel());
  EXPECT_EQ(
      ErrorText([&] { t.Decode(Ids{99}); }),
      "tiny: expected token ids below 11, found 99; try the tokenizer of the model that made it");
  EXPECT_NE(ErrorText([&] { t.Piece(-1); }).find("found -1"), std::string::npos);
}

TEST(TokenizerJson, RefusesWhatItDoesNotSupportByName) {
  const auto with = [](const char* section, const char* value) {
    Json json = TinyByteLevel();
    json.Set(section, Json::Parse(value, "t"));
    return LoadError(json);
  };
  EXPECT_EQ(
      with("model", R"({"type":"Unigram"})"),
      "tiny: expected a tokenizer model of a supported type (BPE), found \"Unigram\"; try another "
      "tokenizer file of the same model");
  EXPECT_NE(with("post_processor", R"({"type":"BertProcessing"})").find("\"BertProcessing\""),
            std::string::npos);
  EXPECT_NE(with("decoder", R"({"type":"WordPiece"})").find("\"WordPiece\""), std::string::npos);
  EXPECT_NE(with("normalizer", R"({"type":"BertNormalizer"})").find("\"BertNormalizer\""),
            std::string::npos);
}

TEST(TokenizerJson, RefusesDamagedVocabularies) {
  const auto with = [](const char* key, const char* value) {
    Json json = TinyByteLevel();
    json.Find("model")->Set(key, Json::Parse(value, "t"));
    return LoadError(json);
  };
  EXPECT_NE(with("vocab", R"({"a":1,"b":1})")
                .find("expected one piece per id, found \"a\" and \"b\" with id 1"),
            std::string::npos);
  EXPECT_NE(with("vocab", R"({"a":4194304})").find("expected token ids below 4194304"),
            std::string::npos);
  EXPECT_NE(with("vocab", R"({"a":-1})").find("found -1 for \"a\""), std::string::npos);
  EXPECT_NE(with("vocab", "{}").find("expected a vocabulary, found none"), std::string::npos);
  EXPECT_NE(with("merges", R"([["a","x"]])").find("found \"a\" and \"x\" as merge 0"),
            std::string::npos);
  EXPECT_NE(with("merges", R"(["a"])").find("expected each merge as"), std::string::npos);
  EXPECT_NE(with("unk_token", R"("<nope>")").find("expected unk_token to be in the vocabulary"),
            std::string::npos);
  EXPECT_NE(with("dropout", "0.1").find("expected a tokenizer without dropout"), std::string::npos);
  EXPECT_NE(with("end_of_word_suffix", R"("</w>")").find("end_of_word_suffix"), std::string::npos);
}

TEST(TokenizerJson, ReadsTheConfigBesideIt) {
  const Tokenizer t = MakeTokenizer(TinyByteLevel(), R"({
      "bos_token": {"content": "<s>"}, "eos_token": "</s>", "pad_token": null,
      "chat_template": [{"name": "rag", "template": "R"}, {"name": "default", "template": "D"}],
      "added_tokens_decoder": {"11": {"content": "<new>", "special": true}}})");
  EXPECT_EQ(t.bos(), 0);
  EXPECT_EQ(t.eos(), 1);
  EXPECT_EQ(t.end_ids(), Ids{1});
  EXPECT_EQ(t.pad(), std::nullopt);
  EXPECT_EQ(t.chat_template(), "D");
  EXPECT_EQ(t.Encode("a<new>", true), (Ids{2, 11}));
  EXPECT_FALSE(t.adds_bos());
  EXPECT_NE(LoadError(TinyByteLevel(), R"({"eos_token": "<nope>"})")
                .find("expected eos_token to be a token of the vocabulary, found \"<nope>\""),
            std::string::npos);
}

TEST(TokenizerJson, FollowsTheFlagsOfClassesThatDo) {
  const char* kFlags =
      R"({"tokenizer_class": "LlamaTokenizerFast", "bos_token": "<s>", "eos_token": "</s>",
                           "add_bos_token": true, "add_eos_token": true})";
  EXPECT_EQ(MakeTokenizer(TinyByteLevel(), kFlags).Encode("a", true), (Ids{0, 2, 1}));
  EXPECT_EQ(
      MakeTokenizer(TinyByteLevel(), R"({"tokenizer_class": "GPT2Tokenizer", "bos_token": "<s>",
                           "add_bos_token": true})")
          .Encode("a", true),
      Ids{2});
}

TEST(TokenizerWriters, GiveTheSameTokenizerBack) {
  for (const Json& json : {TinyByteLevel(), TinyMarked()}) {
    const Tokenizer t = MakeTokenizer(json);
    const Tokenizer again =
        Tokenizer::FromJson(t.ToTokenizerJson(), t.ToTokenizerConfig(), "again");
    const Tokenizer gguf = ThroughGguf(t);
    for (const char* text : {"abc ab12 a",
                             "a  b<s>\xC3\xA9</s> \xE2\x96\x81"
                             "a",
                             "", " "}) {
      EXPECT_EQ(again.Encode(text, true), t.Encode(text, true)) << text;
      EXPECT_EQ(gguf.Encode(text, true), t.Encode(text, true)) << text;
      EXPECT_EQ(gguf.Decode(t.Encode(text, true)), t.Decode(t.Encode(text, true))) << text;
    }
    EXPECT_EQ(again.Hash(), t.Hash());
  }
}

TEST(TokenizerWriters, RefuseWhatGgufCannotSay) {
  Json json = TinyByteLevel();
  json.Set("pre_tokenizer",
           Json::Parse(R"({"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},
      {"type":"ByteLevel","add_prefix_space":false}]})",
                       "t"));
  EXPECT_NE(ErrorText([&] {
              MakeTokenizer(json).ToGguf();
            }).find("expected a pre-tokenizer that GGUF has a name for"),
            std::string::npos);
  // No score can put one piece's two merges around another's.
  json = TinyMarked();
  Json* model = json.Find("model");
  for (const char* piece : {"c", "bc", "abc"})
    model->Find("vocab")->Set(piece, static_cast<int>(model->Find("vocab")->size()));
  model->Set("merges", Json::Parse(R"(["a b","b c","ab c","\u2581 a","a bc"])", "t"));
  EXPECT_NE(ErrorText([&] {
              MakeTokenizer(json).ToGguf();
            }).find("expected merges that scores of pieces can express"),
            std::string::npos);
}

TEST(TokenizerHash, DependsOnEveryPart) {
  const std::string hash = MakeTokenizer(TinyByteLevel()).Hash();
  EXPECT_EQ(hash.size(), 64u);
  Json json = TinyByteLevel();
  json.Find("model")->Find("merges")->array().pop_back();
  EXPECT_NE(MakeTokenizer(json).Hash(), hash);
  json = TinyByteLevel();
  json.Find("model")->Find("vocab")->Set("x", 11);
  EXPECT_NE(MakeTokenizer(json).Hash(), hash);
  json = TinyByteLevel();
  json.Find("pre_tokenizer")->Set("use_regex", false);
  EXPECT_NE(MakeTokenizer(json).Hash(), hash);
}

TEST(TokenizerFolder, ReadsTheFilesOfAModel) {
  const testing::ScratchFolder folder;
  EXPECT_NE(ErrorText([&] { Tokenizer::Load(folder.path()); })
                .find(": expected tokenizer.json, tokenizer.model, or vocab.json with merges.txt, "
                      "found none"),
            std::string::npos);
  folder.Write("tokenizer.json", TinyByteLevel().Dump());
  folder.Write("tokenizer_config.json", R"({"chat_template":"old"})");
  folder.Write("special_tokens_map.json", R"({"eos_token":{"content":"</s>"}})");
  folder.Write("generation_config.json", R"({"eos_token_id":[1,5]})");
  folder.Write("config.json", R"({"text_config":{"eos_token_id":6}})");
  EXPECT_EQ(Tokenizer::Load(folder.path()).end_ids(), (Ids{1, 5, 6}));
  EXPECT_EQ(Tokenizer::Load(folder.path()).chat_template(), "old");
  folder.Write("chat_template.json", R"({"chat_template":"newer"})");
  EXPECT_EQ(Tokenizer::Load(folder.path()).chat_template(), "newer");
  folder.Write("chat_template.jinja", "newest");
  EXPECT_EQ(Tokenizer::Load(folder.path()).chat_template(), "newest");
}

TEST(TokenizerFolder, ReadsVocabularyAndMerges) {
  const testing::ScratchFolder folder;
  folder.Write("vocab.json", TinyByteLevel().Find("model")->Find("vocab")->Dump());
  folder.Write("merges.txt", "#version: 0.2\na b\r\nab c\n\xC4\xA0 a\n");
  folder.Write("added_tokens.json", R"({"<x>": 11})");
  const Tokenizer t = Tokenizer::Load(folder.path());
  EXPECT_EQ(t.Encode("abc a<x>", true), (Ids{6, 8, 11}));
  folder.Write("merges.txt", "a b\nab\n");
  EXPECT_NE(ErrorText([&] {
              Tokenizer::Load(folder.path());
            }).find("expected two pieces with a space between them on line 2, found \"ab\""),
            std::string::npos);
  folder.Write("tokenizer_config.json", R"({"tokenizer_class":"BloomTokenizer"})");
  EXPECT_NE(ErrorText([&] { Tokenizer::Load(folder.path()); }).find("BloomTokenizer"),
            std::string::npos);
}

TEST(GgufTokenizer, RefusesDamagedMetadata) {
  const Tokenizer t = MakeTokenizer(TinyByteLevel());
  const auto error = [&](const char* key, GgufValue value) {
    auto values = t.ToGguf();
    std::erase_if(values, [&](const auto& pair) { return pair.first == key; });
    values.emplace_back(key, std::move(value));
    const testing::ScratchFolder folder;
    WriteGguf(folder / "t.gguf", values, {});
    return ErrorText([&] { Tokenizer::Load(folder / "t.gguf"); });
  };
  EXPECT_NE(error("tokenizer.ggml.model", GgufValue::String("bert")).find("found \"bert\""),
            std::string::npos);
  EXPECT_NE(error("tokenizer.ggml.pre", GgufValue::String("nope")).find("found \"nope\""),
            std::string::npos);
  EXPECT_NE(error("tokenizer.ggml.bos_token_id", GgufValue::U32(77))
                .find("expected tokenizer.ggml.bos_token_id below 11, found 77"),
            std::string::npos);
  EXPECT_NE(
      error("tokenizer.ggml.token_type", GgufValue::I32Array({1, 2})).find("expected as many"),
      std::string::npos);
  EXPECT_NE(
      error("tokenizer.ggml.merges", GgufValue::Strings({"a x"})).find("found \"a x\" as merge 0"),
      std::string::npos);
  EXPECT_NE(error("tokenizer.ggml.merges", GgufValue::Strings({"a"}))
                .find("expected merges of two tokens"),
            std::string::npos);
  EXPECT_NE(
      error("tokenizer.ggml.tokens", GgufValue::Strings({})).find("expected tokenizer.ggml.tokens"),
      std::string::npos);
}

}  // namespace
}  // namespace lem
