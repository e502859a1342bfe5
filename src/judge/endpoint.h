// SPDX-License-Identifier: EUPL-1.2
// Chat endpoints of others: what is sent, and what came back as a typed state. An answer that is
// not there is a state, never an empty text that looks like one. endpoint_client.h asks them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/http.h"
#include "formats/json.h"

namespace lem {

struct ChatEndpoint {
  enum class Kind : uint8_t { kOpenAi, kGemini };
  Kind kind = Kind::kOpenAi;
  std::string url;  // up to and without /chat/completions or /models/..., no slash at the end
  std::string model;
  std::string key;  // goes into one header and nowhere else; empty: none

  std::string Name() const;      // "openai:URL#MODEL", for records; without the key
  std::string KeyNames() const;  // the environment variables it is read from
};

// The key is read from OPENAI_API_KEY or LEM_API_KEY, or from GEMINI_API_KEY or GOOGLE_API_KEY.
// An empty url of Gemini is Google's own. Throws UsageError for a url that is not http(s), or that
// carries a password or a query (keys end up in logs that way).
ChatEndpoint MakeEndpoint(ChatEndpoint::Kind kind, std::string url, std::string model);
ChatEndpoint::Kind EndpointKindByName(std::string_view name);  // "openai", "gemini"

// Reads "openai:URL#MODEL" and "gemini:MODEL".
ChatEndpoint ParseEndpoint(std::string_view name);

struct ChatRequest {
  Json messages = Json::MakeArray();  // [{"role","content"}]; roles system, user, assistant
  double temperature = 0, top_p = 1;
  int max_tokens = 1024;
  std::optional<uint64_t> seed;  // sent as 31 bits, which every server takes
  Json schema;                   // JSON schema the reply has to keep; null: free text
};

Json RequestBody(const ChatEndpoint& endpoint, const ChatRequest& request);
std::string RequestUrl(const ChatEndpoint& endpoint);
HttpRequest MakeHttpRequest(const ChatEndpoint& endpoint, const ChatRequest& request);

enum class ChatState : uint8_t {
  kOk,
  kTruncated,     // the token limit came first; text holds what there is
  kBlocked,       // a filter of the endpoint withheld it
  kEmpty,         // a reply without text
  kMalformed,     // not the JSON that this kind of endpoint sends
  kRateLimited,   // 429
  kServerError,   // 5xx, 408, 425
  kRejected,      // another 4xx: this request will never succeed
  kUnauthorized,  // 401, 403, 404: no request will
  kUnreachable,
  kTimeout,
  kBroken,  // the connection ended inside the reply
  kStopped,
  kOverBudget,
};
std::string_view NameOf(ChatState state);  // "ok", "rate_limited", ...

struct ChatReply {
  ChatState state = ChatState::kMalformed;
  std::string text;           // when kOk or kTruncated
  std::string finish_reason;  // the endpoint's own word
  std::string problem;        // one phrase when not kOk
  std::string body;           // as received, the key blotted out
  int status = 0;
  double retry_after_seconds = -1;
  int64_t prompt_tokens = 0, answer_tokens = 0;  // 0: not said

  // The endpoint has spoken its last word on this request.
  bool IsFinal() const {
    return state == ChatState::kOk || state == ChatState::kTruncated ||
           state == ChatState::kBlocked || state == ChatState::kRejected;
  }
};

ChatReply ReadReply(const ChatEndpoint& endpoint, const HttpResponse& response);
// The body of a 200. Never throws; exposed for fuzzing.
ChatReply ReadReplyBody(ChatEndpoint::Kind kind, std::string_view body);

}  // namespace lem
