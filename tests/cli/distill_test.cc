// SPDX-License-Identifier: EUPL-1.2
// lem distill against an endpoint on loopback that fails: killed at any moment and run again, it
// ends with the same file; the key is in a header and nowhere else; Ctrl-C saves.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "base/hash.h"
#include "formats/json.h"
#include "tests/support/fault_server.h"
#include "tests/support/lem_program.h"
#include "tests/support/real_models.h"

namespace lem {
namespace {

using testing::FaultServer;
using testing::LemProgram;
using testing::ProgramOutput;
using testing::RunLem;
using testing::ServerReply;
using testing::ServerRequest;

constexpr char kKey[] = "sk-command-line-secret-9";

// Of the request, so that the same question always has the same answer.
std::string AnswerTo(const std::string& body) {
  const std::string hash = Sha256Hex(body).substr(0, 8);
  std::string text = "Take";
  for (int i = 0; i < 30; ++i) text += " w" + hash + std::to_string(i);
  return text + ".";
}

ServerReply Honest(const ServerRequest& request, int pause = 0) {
  return {.body = "{\"choices\":[{\"message\":{\"content\":" + Json(AnswerTo(request.body)).Dump() +
                  "},\"finish_reason\":\"stop\"}]}",
          .pause = pause};
}

ServerReply Faulty(int number, const ServerRequest& request) {
  switch (number % 11) {
    case 1:
      return {.status = 429, .body = "{}"};
    case 2:
      return {.status = 500, .body = "the key " + std::string(kKey) + " upset me"};
    case 4: {
      ServerReply reply = Honest(request);
      reply.way = ServerReply::Way::kHalf;
      return reply;
    }
    case 5:
      return {.body = "{\"choices\":[{"};
    case 7:
      return {.way = ServerReply::Way::kReset};
    default:
      return Honest(request, number % 3 * 10);
  }
}

struct Workplace {
  Workplace() {
    std::string rows;
    for (int i = 0; i < 30; ++i) {
      rows += "{\"id\":\"Q" + std::to_string(i) + "\",\"prompt\":\"Question " + std::to_string(i) +
              "?\"}\n";
    }
    prompts = scratch.Write("prompts.jsonl", rows);
  }
  std::vector<std::string> Command(const std::string& url, const std::string& name) const {
    return {"distill",
            "--prompts",
            prompts,
            "--output",
            (scratch / name).string(),
            "--endpoint",
            url + "/v1",
            "--endpoint-model",
            "tiny",
            "--first-wait",
            "0.01",
            "--concurrency",
            "4",
            "--samples",
            "2"};
  }
  std::string Text(const std::string& name) const { return ReadTextFile(scratch / name); }

  testing::ScratchFolder scratch;
  std::string prompts;
};

const std::vector<std::string> kEnvironment = {"OPENAI_API_KEY=" + std::string(kKey)};

TEST(DistillCommand, FaultsLoseNothingAndDoubleNothing) {
  const FaultServer server(Faulty);
  const Workplace work;
  const ProgramOutput run = RunLem(work.Command(server.url(), "t.jsonl"), kEnvironment);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.out.find("30 of 30 prompts, from 60 answers"), std::string::npos) << run.out;
  std::map<std::string, int> ids;
  for (const JsonLine& row : ReadJsonLines((work.scratch / "t.jsonl").string())) {
    ++ids[row.value.Find("id")->string()];
  }
  EXPECT_EQ(ids.size(), 30);
  for (const auto& [id, count] : ids) EXPECT_EQ(count, 1) << id;
}

TEST(DistillCommand, KilledAtAnyMomentItEndsWithTheSameFile) {
  const FaultServer server(Faulty);
  const Workplace work;
  ASSERT_EQ(RunLem(work.Command(server.url(), "whole.jsonl"), kEnvironment).exit_code, 0);
  const std::string whole = work.Text("whole.jsonl");
  const auto command = work.Command(server.url(), "killed.jsonl");
  int killed = 0;
  for (int round = 0; round < 12; ++round) {
    LemProgram program(command, kEnvironment);
    std::this_thread::sleep_for(std::chrono::milliseconds(40 + 35 * round));
    program.Kill(SIGKILL);
    killed += program.Wait().exit_code == 128 + SIGKILL;
  }
  EXPECT_GT(killed, 0);
  const ProgramOutput last = RunLem(command, kEnvironment);
  ASSERT_EQ(last.exit_code, 0) << last.err;
  EXPECT_EQ(work.Text("killed.jsonl"), whole);
  std::map<std::string, int> final_answers;
  for (const JsonLine& row :
       ReadJsonLines((work.scratch / "killed.jsonl.receipts.jsonl").string())) {
    const Json* final = row.value.Find("final");
    if (!final || !final->boolean()) continue;
    ++final_answers[row.value.Find("prompt")->string() + row.value.Find("sample")->Dump()];
  }
  EXPECT_EQ(final_answers.size(), 60);
  for (const auto& [place, count] : final_answers) EXPECT_EQ(count, 1) << place;
}

TEST(DistillCommand, TheKeyIsInNoFileAndNoOutput) {
  const FaultServer server(Faulty);
  const Workplace work;
  auto command = work.Command(server.url(), "t.jsonl");
  const ProgramOutput run = RunLem(command, kEnvironment);
  command.push_back("--dry-run");
  const ProgramOutput dry = RunLem(command, kEnvironment);
  for (const std::string& text : {run.out, run.err, dry.out, dry.err, work.Text("t.jsonl"),
                                  work.Text("t.jsonl.receipts.jsonl")}) {
    EXPECT_EQ(text.find(kKey), std::string::npos);
  }
  EXPECT_NE(server.requests()[0].head.find(kKey), std::string::npos);
  EXPECT_EQ(server.requests()[0].body.find(kKey), std::string::npos);
  EXPECT_NE(dry.out.find("/v1/chat/completions with a key (from OPENAI_API_KEY"),
            std::string::npos);
  EXPECT_NE(dry.out.find("LEK-1"), std::string::npos);
}

TEST(DistillCommand, RetryAfterIsObserved) {
  const FaultServer server([](int number, const ServerRequest& request) -> ServerReply {
    if (number == 0) return {.status = 429, .body = "{}", .headers = "Retry-After: 2\r\n"};
    return Honest(request);
  });
  const Workplace work;
  auto command = work.Command(server.url(), "t.jsonl");
  command.insert(command.end(), {"--limit", "1", "--samples", "1"});
  ASSERT_EQ(RunLem(command, kEnvironment).exit_code, 0);
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 2);
  EXPECT_GE(std::chrono::duration<double>(requests[1].at - requests[0].at).count(), 2.0);
}

TEST(DistillCommand, CtrlCSavesAndSaysSo) {
  const FaultServer server([](int, const ServerRequest& request) { return Honest(request, 100); });
  const Workplace work;
  const auto command = work.Command(server.url(), "t.jsonl");
  LemProgram program(command, kEnvironment);
  while (server.requests().size() < 8) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  program.Kill(SIGINT);
  const ProgramOutput run = program.Wait();
  EXPECT_EQ(run.exit_code, 130);
  EXPECT_NE(run.err.find("run again to continue"), std::string::npos) << run.err;
  EXPECT_FALSE(std::filesystem::exists(work.scratch / "t.jsonl"));
  EXPECT_GE(ReadJsonLines((work.scratch / "t.jsonl.receipts.jsonl").string()).size(), 4);
  EXPECT_EQ(RunLem(command, kEnvironment).exit_code, 0);
}

TEST(DistillCommand, TwoProcessesDoNotWriteOneFile) {
  const FaultServer server([](int, const ServerRequest& request) { return Honest(request, 200); });
  const Workplace work;
  const auto command = work.Command(server.url(), "t.jsonl");
  const LemProgram first(command, kEnvironment);
  while (server.requests().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const ProgramOutput second = RunLem(command, kEnvironment);
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_NE(second.err.find("another process writes this file"), std::string::npos) << second.err;
}

TEST(DistillCommand, ARefusedKeyEndsTheRunWithWhatToCheck) {
  const FaultServer server([](int, const ServerRequest&) -> ServerReply {
    return {.status = 401, .body = "{\"error\":{\"message\":\"wrong key\"}}"};
  });
  const Workplace work;
  const ProgramOutput run = RunLem(work.Command(server.url(), "t.jsonl"), kEnvironment);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.err.find("HTTP 401: wrong key"), std::string::npos) << run.err;
  EXPECT_NE(run.err.find("OPENAI_API_KEY"), std::string::npos);
}

TEST(DistillCommand, MisuseIsCodeTwo) {
  const Workplace work;
  EXPECT_EQ(RunLem({"distill"}).exit_code, 2);
  EXPECT_EQ(RunLem({"distill", "--prompts", work.prompts, "-o", "x"}).exit_code, 2);
  auto command = work.Command("http://h", "t.jsonl");
  command.insert(command.end(), {"--teacher-model", "x"});
  EXPECT_NE(RunLem(command).err.find("found both"), std::string::npos);
  command = work.Command("http://h", "t.jsonl");
  command.insert(command.end(), {"--skip-gate", "ecko"});
  EXPECT_EQ(RunLem(command).exit_code, 2);
}

TEST(DistillCommand, ALocalTeacherAnswersTheSameWhateverIsAskedWithIt) {
  const auto model = testing::FindRealModel("smollm2-135m-instruct.q4_1.gguf");
  if (model.empty()) GTEST_SKIP() << "set LEM_TEST_MODELS to the folder with the real models";
  const Workplace work;
  const auto distill = [&](const std::string& name, int limit) {
    return RunLem({"distill",
                   "--prompts",
                   work.prompts,
                   "-o",
                   (work.scratch / name).string(),
                   "--teacher-model",
                   model.string(),
                   "--form",
                   "none",
                   "--max-tokens",
                   "6",
                   "--threads",
                   "1",
                   "--limit",
                   std::to_string(limit),
                   "--min-words",
                   "1",
                   "--skip-gate",
                   "truncated",
                   "duplicate"});
  };
  ASSERT_EQ(distill("one.jsonl", 1).exit_code, 0);
  const ProgramOutput run = distill("three.jsonl", 3);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(work.Text("one.jsonl"), "");
  EXPECT_TRUE(work.Text("three.jsonl").starts_with(work.Text("one.jsonl")));
}

}  // namespace
}  // namespace lem
