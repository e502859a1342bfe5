// SPDX-License-Identifier: EUPL-1.2
// Endpoints: what is sent, what each reply means, how failures are repeated; against a server on
// loopback that fails in every way it can.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/error.h"
#include "judge/endpoint_client.h"
#include "tests/support/error_text.h"
#include "tests/support/fault_server.h"

namespace lem {
namespace {

using Kind = ChatEndpoint::Kind;
using testing::FaultServer;
using testing::ServerReply;
using testing::ServerRequest;

constexpr char kKey[] = "sk-very-secret-1234";

std::string OpenAi(const std::string& text, const std::string& finish = "stop") {
  return "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":" + Json(text).Dump() +
         "},\"finish_reason\":\"" + finish +
         "\"}],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}";
}

ChatEndpoint EndpointAt(const std::string& url, Kind kind = Kind::kOpenAi) {
  ChatEndpoint endpoint = MakeEndpoint(kind, url, "tiny");
  endpoint.key = kKey;
  return endpoint;
}

ClientOptions Fast() {
  ClientOptions options;
  options.retry.first_wait = 0.01;
  options.retry.longest_wait = 0.05;
  return options;
}

ChatRequest Ask(const std::string& text) {
  Json message = Json::MakeObject();
  message.Set("role", Json("user"));
  message.Set("content", Json(text));
  ChatRequest request;
  request.messages.Append(message);
  return request;
}

struct Outcome {
  ChatReply reply;
  std::vector<std::string> attempts;  // their states
  ClientCounts counts;
};

Outcome RunOne(const FaultServer& server, const ClientOptions& options) {
  EndpointClient client(EndpointAt(server.url()), options);
  Outcome outcome;
  client.Run(
      1, [](size_t) { return Ask("hello"); },
      [&](size_t, int, const ChatReply& reply) {
        outcome.attempts.emplace_back(NameOf(reply.state));
      },
      [&](size_t, const ChatReply& reply) { outcome.reply = reply; });
  outcome.counts = client.counts();
  return outcome;
}

// The replies in order, the last one again and again.
FaultServer::Script InOrder(std::vector<ServerReply> replies) {
  return [replies](int number, const ServerRequest&) {
    return replies[std::min<size_t>(static_cast<size_t>(number), replies.size() - 1)];
  };
}

TEST(Endpoint, OpenAiRequestHasItsMembersAndTheKeyOnlyInAHeader) {
  ChatRequest request = Ask("hello");
  request.seed = uint64_t{1} << 40 | 5;
  const HttpRequest http = MakeHttpRequest(EndpointAt("http://h/v1/"), request);
  EXPECT_EQ(http.url, "http://h/v1/chat/completions");
  EXPECT_EQ(http.bearer_token, kKey);
  EXPECT_EQ(http.body.find(kKey), std::string::npos);
  EXPECT_EQ(http.body,
            "{\"model\":\"tiny\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}],"
            "\"temperature\":0.0,\"top_p\":1.0,\"max_tokens\":1024,\"seed\":5}");
}

TEST(Endpoint, GeminiRequestPutsTheSystemMessageAside) {
  ChatRequest request;
  request.messages = Json::Parse(
      "[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\"U\"},"
      "{\"role\":\"assistant\",\"content\":\"A\"}]",
      "");
  const HttpRequest http = MakeHttpRequest(EndpointAt("http://h/v1beta", Kind::kGemini), request);
  EXPECT_EQ(http.url, "http://h/v1beta/models/tiny:generateContent");
  EXPECT_TRUE(http.bearer_token.empty());
  ASSERT_EQ(http.headers.size(), 1);
  EXPECT_EQ(http.headers[0].first, "x-goog-api-key");
  EXPECT_TRUE(http.body.starts_with(
      "{\"systemInstruction\":{\"parts\":[{\"text\":\"S\"}]},\"contents\":[{\"parts\":[{\"text\":"
      "\"U\"}],\"role\":\"user\"},{\"parts\":[{\"text\":\"A\"}],\"role\":\"model\"}]"));
}

TEST(Endpoint, AddressesThatWouldLeakAKeyAreRefusedWithoutBeingPrinted) {
  for (const std::string url : {"http://me:secret@h/v1", "https://h/v1?key=secret"}) {
    const std::string text = testing::ErrorText([&] { MakeEndpoint(Kind::kOpenAi, url, "m"); });
    EXPECT_NE(text.find("without user name and query"), std::string::npos);
    EXPECT_EQ(text.find("secret"), std::string::npos);
  }
  EXPECT_THROW(MakeEndpoint(Kind::kOpenAi, "ftp://h", "m"), UsageError);
  EXPECT_THROW(MakeEndpoint(Kind::kOpenAi, "", "m"), UsageError);
  EXPECT_THROW(MakeEndpoint(Kind::kOpenAi, "http://h", ""), UsageError);
}

TEST(Endpoint, NamesAreReadAndWritten) {
  const ChatEndpoint openai = ParseEndpoint("openai:http://127.0.0.1:8080/v1#qwen:4b");
  EXPECT_EQ(openai.url, "http://127.0.0.1:8080/v1");
  EXPECT_EQ(openai.model, "qwen:4b");
  EXPECT_EQ(openai.Name(), "openai:http://127.0.0.1:8080/v1#qwen:4b");
  EXPECT_EQ(ParseEndpoint("gemini:flash").Name(), "gemini:flash");
  EXPECT_THROW(ParseEndpoint("openai:http://h"), UsageError);
  EXPECT_THROW(ParseEndpoint("flash"), UsageError);
}

std::string StateOf(Kind kind, const std::string& body) {
  return std::string(NameOf(ReadReplyBody(kind, body).state));
}

TEST(Endpoint, EveryOpenAiReplyHasItsState) {
  EXPECT_EQ(ReadReplyBody(Kind::kOpenAi, OpenAi("hi")).text, "hi");
  EXPECT_EQ(ReadReplyBody(Kind::kOpenAi, OpenAi("hi")).answer_tokens, 3);
  EXPECT_EQ(StateOf(Kind::kOpenAi, OpenAi("hi", "length")), "truncated");
  EXPECT_EQ(StateOf(Kind::kOpenAi, OpenAi("", "content_filter")), "blocked");
  EXPECT_EQ(StateOf(Kind::kOpenAi, OpenAi(" \n")), "empty");
  for (const std::string body :
       {"", "null", "[]", "{}", "{\"choices\":[]}", "{\"choices\":[{}]}", "{\"choices\":3}",
        "{\"choices\":[{\"message\":{\"content\":", "<html>"}) {
    EXPECT_EQ(StateOf(Kind::kOpenAi, body), "malformed") << body;
  }
  EXPECT_EQ(StateOf(Kind::kOpenAi, "{\"choices\":[{\"message\":{\"content\":null}}]}"), "empty");
  EXPECT_EQ(ReadReplyBody(Kind::kOpenAi,
                          "{\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\",\"text\":"
                          "\"a\"},{\"text\":\"b\"},{\"type\":\"image\"}]}}]}")
                .text,
            "ab");
}

TEST(Endpoint, EveryGeminiReplyHasItsState) {
  const auto candidate = [](const std::string& rest) {
    return "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"mm\",\"thought\":true},"
           "{\"text\":\"hi\"}]}" +
           rest + "}]}";
  };
  EXPECT_EQ(ReadReplyBody(Kind::kGemini, candidate("")).text, "hi");
  EXPECT_EQ(StateOf(Kind::kGemini, candidate(",\"finishReason\":\"STOP\"")), "ok");
  EXPECT_EQ(StateOf(Kind::kGemini, candidate(",\"finishReason\":\"MAX_TOKENS\"")), "truncated");
  EXPECT_EQ(StateOf(Kind::kGemini, candidate(",\"finishReason\":\"SAFETY\"")), "blocked");
  EXPECT_EQ(StateOf(Kind::kGemini, candidate(",\"finishReason\":\"RECITATION\"")), "blocked");
  EXPECT_EQ(StateOf(Kind::kGemini, "{\"promptFeedback\":{\"blockReason\":\"OTHER\"}}"), "blocked");
  EXPECT_EQ(StateOf(Kind::kGemini, "{\"candidates\":[{\"finishReason\":\"STOP\"}]}"), "empty");
  EXPECT_EQ(StateOf(Kind::kGemini, "{\"candidates\":[]}"), "malformed");
}

TEST(EndpointClient, WaitsGrowAreJitteredAndObeyRetryAfter) {
  RetryPolicy policy;
  ChatReply reply;
  reply.state = ChatState::kServerError;
  EXPECT_DOUBLE_EQ(RetryWait(policy, reply, 0, 0), 0.5);
  EXPECT_DOUBLE_EQ(RetryWait(policy, reply, 3, 0.5), 6);
  EXPECT_LT(RetryWait(policy, reply, policy.server_error, 0.5), 0);
  reply.retry_after_seconds = 9;
  EXPECT_GE(RetryWait(policy, reply, 0, 0), 9);
  reply.retry_after_seconds = policy.longest_retry_after + 1;
  EXPECT_LT(RetryWait(policy, reply, 0, 0), 0);
  for (const ChatState final : {ChatState::kOk, ChatState::kTruncated, ChatState::kBlocked,
                                ChatState::kRejected, ChatState::kUnauthorized}) {
    reply = {};
    reply.state = final;
    EXPECT_LT(RetryWait(policy, reply, 0, 0), 0);
  }
}

TEST(EndpointClient, ConcurrencyHalvesOncePerOverloadAndThenGrowsSlowly) {
  AdaptiveLimit limit(16);
  EXPECT_EQ(limit.now(), 4);
  for (int i = 0; i < 20; ++i) limit.Succeeded();
  EXPECT_EQ(limit.now(), 16);
  for (int i = 0; i < 16; ++i) limit.Overloaded(0);  // all were sent before the first cut
  EXPECT_EQ(limit.now(), 8);
  for (int i = 0; i < 7; ++i) limit.Succeeded();
  EXPECT_EQ(limit.now(), 8);
  limit.Succeeded();
  EXPECT_EQ(limit.now(), 9);
  for (int i = 0; i < 9; ++i) limit.Overloaded(limit.cuts());
  EXPECT_EQ(limit.now(), 1);
}

TEST(EndpointClient, EveryFailureIsRepeatedAndNamed) {
  const ServerReply ok = {.body = OpenAi("fine")};
  const FaultServer server(InOrder({
      {.status = 429, .body = "{}"},
      {.status = 500, .body = "oops"},
      {.body = OpenAi("this is cut"), .way = ServerReply::Way::kHalf},
      {.body = "{\"choices\":["},
      {.way = ServerReply::Way::kReset},
      {.status = 503, .body = ""},
      {.body = OpenAi("")},
      ok,
  }));
  const Outcome outcome = RunOne(server, Fast());
  EXPECT_EQ(outcome.attempts,
            (std::vector<std::string>{"rate_limited", "server_error", "broken", "malformed",
                                      "broken", "server_error", "empty", "ok"}));
  EXPECT_EQ(outcome.reply.text, "fine");
  EXPECT_EQ(outcome.counts.requests, 8);
  EXPECT_EQ(outcome.counts.retries, 7);
}

TEST(EndpointClient, RetryAfterIsWaitedFor) {
  const FaultServer server(InOrder({
      {.status = 429, .body = "{}", .headers = "Retry-After: 1\r\n"},
      {.body = OpenAi("fine")},
  }));
  EXPECT_EQ(RunOne(server, Fast()).reply.text, "fine");
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 2);
  EXPECT_GE(std::chrono::duration<double>(requests[1].at - requests[0].at).count(), 1.0);
}

TEST(EndpointClient, ASlowDripEndsAtTheTimeLimit) {
  const FaultServer server(InOrder({
      {.body = OpenAi("drip"), .way = ServerReply::Way::kDrip, .pause = 200},
      {.body = OpenAi("fine")},
  }));
  ClientOptions options = Fast();
  options.timeout_seconds = 1;
  const Outcome outcome = RunOne(server, options);
  EXPECT_EQ(outcome.attempts, (std::vector<std::string>{"timeout", "ok"}));
}

TEST(EndpointClient, RepetitionsEndAndTheLastStateStays) {
  const FaultServer server(InOrder({{.status = 500, .body = "oops"}}));
  ClientOptions options = Fast();
  options.retry.server_error = 2;
  const Outcome outcome = RunOne(server, options);
  EXPECT_EQ(outcome.attempts.size(), 3);
  EXPECT_EQ(outcome.reply.state, ChatState::kServerError);
  EXPECT_EQ(outcome.reply.problem, "HTTP 500: oops");
}

TEST(EndpointClient, ARejectedRequestIsNotRepeatedAndARefusedKeyEndsTheRun) {
  const FaultServer bad(InOrder({{.status = 400, .body = "{\"error\":{\"message\":\"no\"}}"}}));
  EXPECT_EQ(RunOne(bad, Fast()).attempts, std::vector<std::string>{"rejected"});
  const FaultServer server(
      InOrder({{.status = 401,
                .body = "{\"error\":{\"message\":\"bad key " + std::string(kKey) + "\"}}"}}));
  const std::string text = testing::ErrorText([&] { RunOne(server, Fast()); });
  EXPECT_NE(text.find("the endpoint refused (HTTP 401: bad key [key])"), std::string::npos) << text;
  EXPECT_NE(text.find("OPENAI_API_KEY"), std::string::npos);
  EXPECT_EQ(server.requests().size(), 1);
}

TEST(EndpointClient, NoBodyThatComesBackHoldsTheKey) {
  const FaultServer server(InOrder({{.body = OpenAi("your key is " + std::string(kKey))}}));
  const ChatReply reply = RunOne(server, Fast()).reply;
  EXPECT_EQ(reply.text, "your key is [key]");
  EXPECT_EQ(reply.body.find(kKey), std::string::npos);
  EXPECT_NE(server.requests()[0].head.find("Authorization: Bearer " + std::string(kKey)),
            std::string::npos);
  EXPECT_EQ(server.requests()[0].body.find(kKey), std::string::npos);
}

TEST(EndpointClient, ManyRequestsAreEachAnsweredOnceWhateverFails) {
  const FaultServer server([](int number, const ServerRequest& request) -> ServerReply {
    const Json body = Json::Parse(request.body, "");
    const std::string text = body.Find("messages")->array()[0].Find("content")->string();
    if (number % 3 == 1) return {.status = 500, .body = "oops"};
    if (number % 7 == 2) return {.body = OpenAi(text), .way = ServerReply::Way::kHalf};
    if (number % 11 == 3) return {.way = ServerReply::Way::kReset};
    return {.body = OpenAi("re: " + text), .pause = number % 4 * 5};
  });
  ClientOptions options = Fast();
  options.max_concurrency = 12;
  options.retry.server_error = options.retry.transport = 50;
  EndpointClient client(EndpointAt(server.url()), options);
  std::map<size_t, std::string> replies;
  size_t attempts = 0;
  client.Run(
      200, [](size_t i) { return Ask(std::to_string(i)); },
      [&](size_t, int, const ChatReply&) { ++attempts; },
      [&](size_t i, const ChatReply& reply) {
        EXPECT_TRUE(replies.emplace(i, reply.text).second);
      });
  ASSERT_EQ(replies.size(), 200);
  for (const auto& [i, text] : replies) EXPECT_EQ(text, "re: " + std::to_string(i));
  EXPECT_EQ(attempts, server.requests().size());
  EXPECT_EQ(client.counts().requests, static_cast<int64_t>(attempts));
}

TEST(EndpointClient, TheBudgetEndsTheRun) {
  const FaultServer server(InOrder({{.body = OpenAi("fine")}}));
  ClientOptions options = Fast();
  options.budget.requests = 5;
  EndpointClient client(EndpointAt(server.url()), options);
  int ok = 0, over = 0;
  client.Run(
      20, [](size_t) { return Ask("x"); }, {},
      [&](size_t, const ChatReply& reply) {
        ok += reply.state == ChatState::kOk;
        over += reply.state == ChatState::kOverBudget;
      });
  EXPECT_EQ(ok, 5);
  EXPECT_EQ(over, 15);
  EXPECT_EQ(server.requests().size(), 5);
}

TEST(EndpointClient, WhatACallbackThrowsComesOut) {
  const FaultServer server(InOrder({{.body = OpenAi("fine")}}));
  EndpointClient client(EndpointAt(server.url()), Fast());
  EXPECT_EQ(testing::ErrorText([&] {
              client.Run(
                  50, [](size_t) { return Ask("x"); },
                  [](size_t, int, const ChatReply&) { Fail("disk full"); }, {});
            }),
            "disk full");
  EXPECT_LT(server.requests().size(), 50);
}

}  // namespace
}  // namespace lem
