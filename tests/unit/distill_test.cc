// SPDX-License-Identifier: EUPL-1.2
// Distilling against an endpoint that fails in every way: nothing is lost, nothing comes twice, the
// same answers give the same file however often the run was broken off, and no file holds the key.
#include "pipelines/distill/distill.h"

#include <gtest/gtest.h>

#include <map>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "tests/support/error_text.h"
#include "tests/support/fault_server.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/silent_progress.h"

namespace lem {
namespace {

using testing::FaultServer;
using testing::ServerReply;
using testing::ServerRequest;

constexpr char kKey[] = "sk-distill-secret-77";

std::vector<DistillPrompt> Prompts(int count) {
  std::vector<DistillPrompt> prompts;
  for (int i = 0; i < count; ++i) {
    prompts.push_back({"Q" + std::to_string(i), "Question number " + std::to_string(i) + "?", {}});
  }
  return prompts;
}

// A whole answer of distinct words that follows from the question and the seed.
std::string AnswerTo(const std::string& request_body) {
  const std::string hash = Sha256Hex(request_body).substr(0, 8);
  std::string text = "Take";
  for (int i = 0; i < 30; ++i) text += " w" + hash + std::to_string(i);
  return text + ".";
}

std::string OpenAi(const std::string& text) {
  return "{\"choices\":[{\"message\":{\"content\":" + Json(text).Dump() +
         "},\"finish_reason\":\"stop\"}]}";
}

ServerReply Honest(int, const ServerRequest& request) {
  return {.body = OpenAi(AnswerTo(request.body))};
}

ServerReply Faulty(int number, const ServerRequest& request) {
  if (number % 9 == 1) return {.status = 429, .body = "{}"};
  if (number % 9 == 2) return {.status = 500, .body = "oops"};
  if (number % 9 == 4) return {.body = OpenAi("cut"), .way = ServerReply::Way::kHalf};
  if (number % 9 == 5) return {.body = "{\"choices\":[{"};
  if (number % 9 == 7) return {.way = ServerReply::Way::kReset};
  return Honest(number, request);
}

class Distilling {
 public:
  explicit Distilling(const std::string& url) : endpoint_(MakeEndpoint({}, url, "tiny")) {
    endpoint_.key = kKey;
    client.retry.first_wait = 0.005;
    client.retry.longest_wait = 0.02;
    client.retry.server_error = client.retry.transport = client.retry.malformed = 30;
    options.output = scratch / "out/train.jsonl";
  }

  DistillResult Run(const std::vector<DistillPrompt>& prompts) {
    const auto teacher = MakeEndpointTeacher(endpoint_, client, progress);
    return Distill(prompts, LoadKernel({}), options, *teacher, progress);
  }
  std::string Output() const { return ReadTextFile(options.output); }
  std::filesystem::path receipts() const { return options.output.string() + ".receipts.jsonl"; }
  std::vector<JsonLine> ReceiptRows() const { return ReadJsonLines(receipts()); }

  testing::ScratchFolder scratch;
  testing::SilentProgress progress;
  ClientOptions client;
  DistillOptions options;

 private:
  ChatEndpoint endpoint_;
};

TEST(Distill, OnlyPromptAndAnswerAreStoredInTheOrderOfPrompts) {
  const FaultServer server(Honest);
  Distilling run(server.url());
  const auto prompts = Prompts(12);
  const DistillResult result = run.Run(prompts);
  EXPECT_EQ(result.accepted, 12);
  const auto rows = ReadJsonLines(run.options.output);
  ASSERT_EQ(rows.size(), 12);
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].value.Find("id")->string(), prompts[i].id);
    EXPECT_EQ(rows[i].value.size(), 2);
    const Json& messages = *rows[i].value.Find("messages");
    ASSERT_EQ(messages.size(), 2);
    EXPECT_EQ(messages.array()[0].Find("content")->string(), prompts[i].text);
  }
  EXPECT_EQ(run.Output().find("LEK-1"), std::string::npos);
  EXPECT_NE(server.requests()[0].body.find("LEK-1"), std::string::npos);
}

TEST(Distill, WithFaultsTheFileIsTheSameAsWithout) {
  std::string honest_text;
  for (const bool faulty : {false, true}) {
    const FaultServer server(faulty ? Faulty : Honest);
    Distilling run(server.url());
    run.options.samples = 2;
    const DistillResult result = run.Run(Prompts(20));
    EXPECT_EQ(result.accepted, 20);
    if (!faulty) honest_text = run.Output();
    EXPECT_EQ(run.Output(), honest_text);
    std::map<std::pair<std::string, int64_t>, int> final_answers;
    size_t attempts = 0;
    for (const JsonLine& row : run.ReceiptRows()) {
      if (row.value.Find("type")->string() != "attempt") continue;
      ++attempts;
      if (!row.value.Find("final")->boolean()) continue;
      ++final_answers[{row.value.Find("prompt")->string(), row.value.Find("sample")->integer()}];
    }
    EXPECT_EQ(attempts, server.requests().size());
    EXPECT_EQ(final_answers.size(), 40);
    for (const auto& [place, count] : final_answers) EXPECT_EQ(count, 1) << place.first;
  }
}

TEST(Distill, ReceiptsSayHowEachAnswerWasAskedForAndJudged) {
  const FaultServer server([](int number, const ServerRequest& request) -> ServerReply {
    if (number == 0) return {.body = OpenAi("Sure! " + AnswerTo(request.body))};
    return Honest(number, request);
  });
  Distilling run(server.url());
  run.client.max_concurrency = 1;
  run.options.samples = 2;
  const DistillResult result = run.Run(Prompts(1));
  const auto rows = run.ReceiptRows();
  ASSERT_EQ(rows.size(), 3);
  EXPECT_EQ(rows[0].value.Find("type")->string(), "run");
  const Json& first = rows[1].value;
  EXPECT_EQ(first.Find("request")->Find("kernel_sha256")->string(), result.kernel_sha256);
  EXPECT_EQ(first.Find("request")->Find("teacher")->Find("endpoint")->string(),
            "openai:" + server.url() + "#tiny");
  EXPECT_EQ(first.Find("answer_sha256")->string(), Sha256Hex(first.Find("answer")->string()));
  EXPECT_FALSE(first.Find("chosen")->boolean());
  EXPECT_TRUE(rows[2].value.Find("chosen")->boolean());
  const Json& preamble = first.Find("gates")->array()[2];
  EXPECT_EQ(preamble.Find("gate")->string(), "preamble");
  EXPECT_FALSE(preamble.Find("passed")->boolean());
}

// The receipts cut at every length that a kill can leave: the next run ends with the same file.
TEST(Distill, BrokenOffAnywhereItEndsWithTheSameFile) {
  const FaultServer server(Faulty);
  Distilling run(server.url());
  const auto prompts = Prompts(6);
  run.Run(prompts);
  const std::string output = run.Output(), receipts = ReadTextFile(run.receipts());
  for (size_t cut = 0; cut < receipts.size(); cut += 211) {
    std::filesystem::remove(run.options.output);
    WriteFileAtomically(run.receipts(), receipts.substr(0, cut));
    run.Run(prompts);
    ASSERT_EQ(run.Output(), output) << cut;
  }
}

TEST(Distill, ASecondRunAsksNothingAgain) {
  const FaultServer server(Honest);
  Distilling run(server.url());
  run.Run(Prompts(5));
  const std::string output = run.Output(), receipts = ReadTextFile(run.receipts());
  std::filesystem::remove(run.options.output);
  const DistillResult result = run.Run(Prompts(5));
  EXPECT_EQ(result.reused, 5);
  EXPECT_EQ(server.requests().size(), 5);
  EXPECT_EQ(run.Output(), output);
  EXPECT_EQ(ReadTextFile(run.receipts()), receipts);
}

TEST(Distill, MorePromptsOrSamplesLaterKeepTheAnswers) {
  const FaultServer server(Honest);
  Distilling run(server.url());
  run.Run(Prompts(3));
  run.Run(Prompts(5));
  EXPECT_EQ(server.requests().size(), 5);
  run.options.samples = 2;
  run.Run(Prompts(5));
  EXPECT_EQ(server.requests().size(), 10);
}

TEST(Distill, AnotherWayOfAskingIsNotMixedIn) {
  const FaultServer server(Honest);
  Distilling run(server.url());
  run.Run(Prompts(2));
  run.options.request.temperature = 0.1;
  EXPECT_NE(testing::ErrorText([&] { run.Run(Prompts(2)); }).find("temperature was 0.7 and is 0.1"),
            std::string::npos);
  run.options.request.temperature = 0.7;
  auto changed = Prompts(2);
  changed[1].text += " Really?";
  EXPECT_NE(testing::ErrorText([&] { run.Run(changed); }).find("prompt Q1 has another text"),
            std::string::npos);
  EXPECT_NE(testing::ErrorText([&] { run.Run(Prompts(1)); }).find("not among the prompts"),
            std::string::npos);
}

TEST(Distill, WhatCannotBeHadIsAskedAgainNextTime) {
  bool down = true;
  const FaultServer server([&](int number, const ServerRequest& request) -> ServerReply {
    const bool ill = request.body.find("number 3?") != std::string::npos;
    if (ill && down) return {.status = 500, .body = "oops"};
    return Honest(number, request);
  });
  Distilling run(server.url());
  run.client.retry.server_error = 1;
  const std::string text = testing::ErrorText([&] { run.Run(Prompts(5)); });
  EXPECT_NE(text.find("1 answers could not be had (the first to prompt Q3)"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(run.options.output));
  run.options.allow_missing = true;
  const DistillResult without = run.Run(Prompts(5));
  EXPECT_EQ(without.accepted, 4);
  ASSERT_EQ(without.rejected.size(), 1);
  EXPECT_EQ(without.rejected[0].id, "Q3");
  down = false;
  EXPECT_EQ(run.Run(Prompts(5)).accepted, 5);
}

TEST(Distill, AFileThatIsNotItsOwnIsKept) {
  const FaultServer server(Honest);
  Distilling run(server.url());
  std::filesystem::create_directories(run.options.output.parent_path());
  WriteFileAtomically(run.options.output, "precious");
  EXPECT_NE(testing::ErrorText([&] { run.Run(Prompts(1)); }).find("give --overwrite"),
            std::string::npos);
  EXPECT_EQ(run.Output(), "precious");
  EXPECT_TRUE(server.requests().empty());
}

TEST(Distill, NoFileHoldsTheKey) {
  const FaultServer server([](int number, const ServerRequest& request) -> ServerReply {
    if (number == 0) return {.status = 500, .body = "your key " + std::string(kKey) + " failed"};
    return {.body = OpenAi(AnswerTo(request.body) + " And " + kKey + ".")};
  });
  Distilling run(server.url());
  run.Run(Prompts(3));
  EXPECT_EQ(run.Output().find(kKey), std::string::npos);
  EXPECT_EQ(ReadTextFile(run.receipts()).find(kKey), std::string::npos);
}

TEST(DistillPrompts, AreReadFromEachForm) {
  const testing::ScratchFolder scratch;
  const std::string lines =
      scratch.Write("p.jsonl", "{\"id\":\"x\",\"prompt\":\"A?\"}\n{\"prompt\":\"B?\"}\n");
  const std::string seeds =
      scratch.Write("s.json",
                    "{\"axiom\":\"a\",\"prompts\":[{\"id\":\"P1\",\"prompt\":\"C?\",\"must\":[],"
                    "\"must_not\":[],\"kind\":\"refusal\"}]}");
  const std::string list = scratch.Write("l.json", "[{\"id\":7,\"prompt\":\"D?\"}]");
  const DistillPrompts read = ReadDistillPrompts({lines, seeds, list});
  ASSERT_EQ(read.prompts.size(), 4);
  EXPECT_TRUE(read.from_seeds);
  EXPECT_EQ(read.prompts[1].id, "line 2");
  EXPECT_EQ(read.prompts[2].benign, false);
  EXPECT_EQ(read.prompts[3].id, "7");
  EXPECT_FALSE(ReadDistillPrompts({lines}).from_seeds);
  EXPECT_NE(testing::ErrorText([&] {
              ReadDistillPrompts({lines, lines});
            }).find("x twice"),
            std::string::npos);
  const std::string bad = scratch.Write("b.jsonl", "{\"prompt\":\"A?\"}\n{\"prompt\":\" \"}\n");
  EXPECT_NE(testing::ErrorText([&] { ReadDistillPrompts({bad}); }).find("b.jsonl:2"),
            std::string::npos);
}

}  // namespace
}  // namespace lem
