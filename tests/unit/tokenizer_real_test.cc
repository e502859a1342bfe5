// SPDX-License-Identifier: EUPL-1.2
// The two default models' own vocabularies: published ids, ids equal to those of other programs,
// the files written from them. Skipped where the models are not there.
#include <gtest/gtest.h>

#include <map>

#include "formats/mapped_file.h"
#include "tests/support/real_models.h"
#include "tests/support/scratch_folder.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace lem {
namespace {

using Ids = std::vector<int32_t>;

struct RealModel {
  MappedFile file;
  Gguf gguf;
  Tokenizer tokenizer;
};

// Loaded once for all tests; null when the file is nowhere.
const RealModel* Real(const char* name) {
  static std::map<std::string, std::unique_ptr<RealModel>> models;
  auto [at, added] = models.try_emplace(name);
  const auto path = testing::FindRealModel(name);
  if (added && !path.empty()) {
    MappedFile file(path);
    Gguf gguf = Gguf::Parse(file.bytes(), path.string());
    Tokenizer tokenizer = Tokenizer::FromGguf(gguf);
    at->second = std::make_unique<RealModel>(
        RealModel{std::move(file), std::move(gguf), std::move(tokenizer)});
  }
  return at->second.get();
}

#define REAL_MODEL(variable, name)        \
  const RealModel* variable = Real(name); \
  if (variable == nullptr)                \
  GTEST_SKIP() << name << " is not there; set LEM_TEST_MODELS to its folder"

Json Golden() { return Json::ParseFile(LEM_SOURCE_DIR "/tests/fixtures/tokenizer_golden.json"); }

Ids IdsOf(const Json& list) {
  Ids ids;
  for (const Json& id : list.array()) ids.push_back(static_cast<int32_t>(id.integer()));
  return ids;
}

void ExpectGolden(const Tokenizer& tokenizer, const char* column) {
  const Json golden = Golden();
  const Json& texts = *golden.Find("texts");
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::string& text = texts.array()[i].string();
    EXPECT_EQ(tokenizer.Encode(text, false), IdsOf(golden.Find(column)->array()[i]))
        << Json(text).Dump();
  }
}

Ids Repeat(int32_t id, int count, int32_t last) {
  Ids ids(static_cast<size_t>(count), id);
  ids.push_back(last);
  return ids;
}

// Column "Gemma 3" of two independent implementations' table.
TEST(GemmaTokenizer, GivesThePublishedIds) {
  REAL_MODEL(model, testing::kGemma3File);
  const std::vector<std::pair<std::string, Ids>> table = {
      {"Hello, world!", {9259, 236764, 1902, 236888}},
      {"Hello world! 123", {9259, 1902, 236888, 236743, 236770, 236778, 236800}},
      {"  multiple   spaces", {138, 43819, 139, 35220}},
      {"tabs\t\tand\r\nCRLF\n\n\nend", {39218, 255969, 624, 251, 107, 6459, 43102, 109, 643}},
      {"<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n",
       {105, 2364, 107, 10979, 106, 107, 105, 4368, 107}},
      {"<table><tr><td>a</td></tr></table>", {168, 173, 175, 236746, 183, 181, 176}},
      {std::string(50, 'a'), Repeat(128820, 6, 9236)},
      {std::string(33, ' ') + "x", {167, 138, 236781}},
      {std::string(40, '\n'), {137, 115}},
      {"\xE2\x96\x81\xE2\x96\x81literal", {138, 82951}},
      {"\x01\x02\x7f\xE2\x80\x8B\xF3\xA0\x80\x81",
       {249732, 241247, 251541, 237141, 481, 398, 366, 367}},
  };
  for (const auto& [text, ids] : table)
    EXPECT_EQ(model->tokenizer.Encode(text, false), ids) << text;
}

TEST(GemmaTokenizer, EqualsTheGoldenFile) {
  REAL_MODEL(model, testing::kGemma3File);
  ExpectGolden(model->tokenizer, "gemma3");
}

TEST(GemmaTokenizer, KnowsItsSpecialIds) {
  REAL_MODEL(model, testing::kGemma3File);
  const Tokenizer& t = model->tokenizer;
  EXPECT_EQ(t.vocab_size(), 262144);
  EXPECT_EQ(t.bos(), 2);
  EXPECT_EQ(t.eos(), 1);
  EXPECT_EQ(t.pad(), 0);
  EXPECT_EQ(t.end_ids(), (Ids{1, 106}));
  EXPECT_TRUE(t.adds_bos());
  EXPECT_EQ(t.Encode("Hi", true), (Ids{2, 10979}));
  EXPECT_EQ(t.Encode("<bos>", false, false).size(), 3u);  // plain text
}

TEST(GemmaTokenizer, EncodesItsChat) {
  REAL_MODEL(model, testing::kGemma3File);
  const auto chat = ChatTemplate::Parse(ChatTemplate::BuiltIn("gemma"), "gemma");
  const Json messages = Json::Parse(R"([{"role":"system","content":"You are terse."},
      {"role":"user","content":" Hi there \n"},{"role":"assistant","content":"Hello!"},
      {"role":"user","content":"Bye"}])",
                                    "m");
  ChatTemplate::Options options;
  options.add_generation_prompt = true;
  options.bos_token = model->tokenizer.bos_text();
  EXPECT_EQ(model->tokenizer.Encode(chat.Render(messages, options), false),
            (Ids{2,   105,  2364, 107,   3048, 659, 17514, 236761, 108, 10979,
                 993, 106,  107,  105,   4368, 107, 9259,  236888, 106, 107,
                 105, 2364, 107,  98874, 106,  107, 105,   4368,   107}));
}

TEST(SmolLm2Tokenizer, GivesThePublishedIds) {
  REAL_MODEL(model, testing::kSmolLm2File);
  const std::vector<std::pair<std::string, Ids>> table = {
      {"Hello, we can use", {19556, 28, 392, 416, 722}},
      {"The capital of France is", {504, 3575, 282, 4649, 314}},
      {"Hello world! 123", {19556, 905, 17, 216, 33, 34, 35}},
      {"Caf\xC3\xA9 d\xC3\xA9j\xC3\xA0 vu.", {51, 1939, 2756, 32564, 90, 16739, 386, 101, 30}},
      {"  multiple   spaces", {216, 2701, 256, 5600}},
      {"\n", {198}},
  };
  for (const auto& [text, ids] : table)
    EXPECT_EQ(model->tokenizer.Encode(text, false), ids) << text;
}

TEST(SmolLm2Tokenizer, EqualsTheGoldenFile) {
  REAL_MODEL(model, testing::kSmolLm2File);
  ExpectGolden(model->tokenizer, "smollm2");
}

TEST(SmolLm2Tokenizer, EncodesItsChatWithTheDefaultSystemPrompt) {
  REAL_MODEL(model, testing::kSmolLm2File);
  const Tokenizer& t = model->tokenizer;
  ASSERT_TRUE(t.chat_template());
  const Json messages = Json::Parse(R"([{"role":"user","content":"Hi"}])", "m");
  ChatTemplate::Options options;
  options.add_generation_prompt = true;
  const std::string text =
      ChatTemplate::Parse(*t.chat_template(), "file").Render(messages, options);
  EXPECT_EQ(
      text,
      ChatTemplate::Parse(ChatTemplate::BuiltIn("smollm2"), "smollm2").Render(messages, options));
  const Ids ids = t.Encode(text, false);
  const Ids prompt = {2683, 359,   253, 5356, 5646, 11173, 3365,  3511,
                      308,  34519, 28,  7018, 411,  407,   19712, 8182};
  EXPECT_EQ(ids[0], 1);
  EXPECT_EQ(Ids(ids.begin() + 3, ids.begin() + 3 + static_cast<ptrdiff_t>(prompt.size())), prompt);
  EXPECT_FALSE(t.adds_bos());
  EXPECT_EQ(t.end_ids(), (Ids{0, 2}));
}

// Every golden text that has no dropped bytes comes back.
TEST(RealTokenizers, DecodeWhatTheyEncode) {
  for (const char* name : {testing::kGemma3File, testing::kSmolLm2File}) {
    REAL_MODEL(model, name);
    const Json golden = Golden();
    for (const Json& text : golden.Find("texts")->array()) {
      const bool lossy = text.string().find("\xE2\x96\x81") != std::string::npos ||
                         text.string().find('\x04') != std::string::npos;
      if (lossy) continue;
      EXPECT_EQ(model->tokenizer.Decode(model->tokenizer.Encode(text.string(), false)),
                text.string());
    }
  }
}

void ExpectSameEncodings(const Tokenizer& a, const Tokenizer& b) {
  const Json golden = Golden();
  for (const Json& text : golden.Find("texts")->array()) {
    EXPECT_EQ(a.Encode(text.string(), true), b.Encode(text.string(), true)) << text.Dump();
  }
}

TEST(RealTokenizers, AreTheSameThroughTokenizerJson) {
  for (const char* name : {testing::kGemma3File, testing::kSmolLm2File}) {
    REAL_MODEL(model, name);
    const Json json = model->tokenizer.ToTokenizerJson();
    if (name == testing::kGemma3File) {
      EXPECT_EQ(json.Find("model")->Find("merges")->size(), 514906u);
    }
    const Tokenizer again =
        Tokenizer::FromJson(json, model->tokenizer.ToTokenizerConfig(), "again");
    ExpectSameEncodings(again, model->tokenizer);
    EXPECT_EQ(again.adds_bos(), model->tokenizer.adds_bos());
    EXPECT_EQ(again.chat_template(), model->tokenizer.chat_template());
    // And from the merges back to scores.
    const testing::ScratchFolder folder;
    WriteGguf(folder / "again.gguf", again.ToGguf(), {});
    ExpectSameEncodings(Tokenizer::Load(folder / "again.gguf"), model->tokenizer);
  }
}

TEST(RealTokenizers, WriteTheMetadataTheyWereReadFrom) {
  for (const char* name : {testing::kGemma3File, testing::kSmolLm2File}) {
    REAL_MODEL(model, name);
    std::map<std::string, GgufValue> written;
    for (auto& [key, value] : model->tokenizer.ToGguf()) written.emplace(key, std::move(value));
    for (const auto& [key, value] : model->gguf.values()) {
      if (!key.starts_with("tokenizer.") || key == "tokenizer.ggml.add_sep_token") continue;
      if (key == "tokenizer.ggml.add_eos_token" && !written.contains(key)) continue;
      ASSERT_TRUE(written.contains(key)) << key;
      EXPECT_EQ(written.at(key).type, value.type) << key;
      EXPECT_TRUE(written.at(key).value == value.value) << key;
    }
  }
}

}  // namespace
}  // namespace lem
