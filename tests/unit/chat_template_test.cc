// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/chat_template.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"

namespace lem {
namespace {

using testing::ErrorText;

std::string Render(std::string_view source, const char* messages, bool prompt = true,
                   const char* extra = "{}") {
  ChatTemplate::Options options;
  options.add_generation_prompt = prompt;
  options.bos_token = "<s>";
  options.eos_token = "</s>";
  options.extra = Json::Parse(extra, "extra");
  const std::string_view built_in = ChatTemplate::BuiltIn(source);
  return ChatTemplate::Parse(built_in.empty() ? source : built_in, "t")
      .Render(Json::Parse(messages, "m"), options);
}

constexpr char kTurns[] =
    R"([{"role":"system","content":" Be kind. "},{"role":"user","content":" Hi\n"},
    {"role":"assistant","content":" Yo "},{"role":"user","content":"Bye"}])";

TEST(BuiltInTemplates, WriteEachFamilysFormat) {
  EXPECT_EQ(Render("gemma", kTurns),
            "<s><start_of_turn>user\n Be kind. "
            "\n\nHi<end_of_turn>\n<start_of_turn>model\nYo<end_of_turn>\n"
            "<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\n");
  EXPECT_EQ(Render("chatml", kTurns),
            "<|im_start|>system\n Be kind. <|im_end|>\n<|im_start|>user\n Hi\n<|im_end|>\n"
            "<|im_start|>assistant\n Yo "
            "<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(Render("llama2", kTurns),
            "<s>[INST] <<SYS>>\n Be kind. \n<</SYS>>\n\n Hi [/INST] Yo </s><s>[INST] Bye [/INST]");
  EXPECT_EQ(
      Render("llama3", kTurns),
      "<s><|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|><|start_header_id|>user"
      "<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nYo<|eot_"
      "id|>"
      "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|end_"
      "header_id|>\n\n");
  EXPECT_EQ(Render("mistral", kTurns),
            "<s>[INST]  Be kind. \n\n Hi\n [/INST]  Yo </s>[INST] Bye [/INST]");
  EXPECT_EQ(Render("plain", kTurns),
            "System: Be kind.\n\nUser: Hi\n\nAssistant: Yo\n\nUser: Bye\n\nAssistant:");
}

TEST(BuiltInTemplates, AddTheSystemPromptThatTheFamilyHas) {
  constexpr char kUser[] = R"([{"role":"user","content":"Hi"}])";
  EXPECT_EQ(Render("smollm2", kUser, false),
            "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging "
            "Face<|im_end|>\n"
            "<|im_start|>user\nHi<|im_end|>\n");
  EXPECT_EQ(Render("qwen", kUser, false),
            "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful "
            "assistant.<|im_end|>\n"
            "<|im_start|>user\nHi<|im_end|>\n");
}

TEST(BuiltInTemplates, AreAllListedAndRenderOneTurn) {
  const auto names = ChatTemplate::BuiltInNames();
  EXPECT_EQ(names.size(), 8u);
  for (const auto& name : names) {
    EXPECT_NE(Render(name, R"([{"role":"user","content":"Hi"}])").find("Hi"), std::string::npos)
        << name;
  }
  EXPECT_TRUE(ChatTemplate::BuiltIn("nonesuch").empty());
}

TEST(GemmaTemplate, JoinsPartsAndRefusesOtherOrders) {
  EXPECT_EQ(
      Render("gemma", R"([{"role":"user","content":[{"type":"text","text":" a "},{"type":"image"},
                              {"type":"text","text":"b"}]}])",
             false),
      "<s><start_of_turn>user\na<start_of_image>b<end_of_turn>\n");
  const std::string error =
      ErrorText([] { Render("gemma", R"([{"role":"assistant","content":"x"}])"); });
  EXPECT_NE(error.find("t: line "), std::string::npos);
  EXPECT_NE(error.find("the template refuses these messages: Conversation roles must alternate"),
            std::string::npos);
}

TEST(ChatTemplate, IsGivenFurtherVariables) {
  constexpr char kSource[] =
      "{% if enable_thinking is defined and enable_thinking is false %}off{% else %}on{% endif %}";
  EXPECT_EQ(Render(kSource, "[]", true, R"({"enable_thinking":false})"), "off");
  EXPECT_EQ(Render(kSource, "[]"), "on");
  EXPECT_EQ(
      Render("{{ tools[0] | tojson }}", "[]", true, R"({"tools":[{"n":"\u00e9<>","x":[1,2.0]}]})"),
      "{\"n\": \"\xC3\xA9<>\", \"x\": [1, 2.0]}");
}

TEST(ChatTemplate, KnowsADateOnlyWhereOneIsGiven) {
  constexpr char kSource[] =
      "{% if strftime_now is defined %}{{ strftime_now('%d %b %Y') }}{% else %}none{% endif %}";
  EXPECT_EQ(Render(kSource, "[]"), "none");
  EXPECT_EQ(Render(kSource, "[]", true, R"({"strftime_now":"2026-01-31"})"), "31 Jan 2026");
  EXPECT_NE(ErrorText([&] {
              Render(kSource, "[]", true, R"({"strftime_now":"today"})");
            }).find("found \"today\""),
            std::string::npos);
}

TEST(ChatTemplate, NamesWhatAMessageLacks) {
  EXPECT_NE(ErrorText([] { Render("chatml", R"([{"role":"user"}])"); })
                .find("expected two values that \"+\" works on, found a string and \"content\" of "
                      "a dictionary (undefined)"),
            std::string::npos);
  EXPECT_NE(ErrorText([] { Render("chatml", "{}"); }), "no error");
}

}  // namespace
}  // namespace lem
