// SPDX-License-Identifier: EUPL-1.2
#include "judge/endpoint.h"

#include <cstdlib>

#include "base/error.h"

namespace lem {
namespace {

using Kind = ChatEndpoint::Kind;

constexpr std::string_view kGeminiUrl = "https://generativelanguage.googleapis.com/v1beta";
constexpr size_t kMaxReply = size_t{16} << 20;

std::string FromEnvironment(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const char* value = std::getenv(name); value && *value) return value;
  }
  return "";
}

void CheckUrl(const std::string& url) {
  const size_t host = url.find("://");
  const std::string scheme = url.substr(0, host == std::string::npos ? 0 : host);
  if (scheme != "http" && scheme != "https") {
    FailUsage("--endpoint: expected an http(s) address such as http://127.0.0.1:8080/v1, found ",
              url);
  }
  const std::string authority = url.substr(host + 3, url.find('/', host + 3) - host - 3);
  if (authority.find('@') != std::string::npos || url.find_first_of("?#") != std::string::npos) {
    // The address itself is not printed: it may hold the key.
    FailUsage(
        "--endpoint: expected an address without user name and query; a key goes into the "
        "environment");
  }
}

Json Text(std::string_view text) {
  Json part = Json::MakeObject(), parts = Json::MakeArray(), holder = Json::MakeObject();
  part.Set("text", Json(text));
  parts.Append(part);
  holder.Set("parts", parts);
  return holder;
}

int64_t SeedBits(uint64_t seed) { return static_cast<int64_t>(seed & 0x7fffffff); }

Json OpenAiBody(const ChatEndpoint& endpoint, const ChatRequest& request) {
  Json body = Json::MakeObject();
  body.Set("model", Json(endpoint.model));
  body.Set("messages", request.messages);
  body.Set("temperature", Json(request.temperature));
  body.Set("top_p", Json(request.top_p));
  body.Set("max_tokens", Json(request.max_tokens));
  if (request.seed) body.Set("seed", Json(SeedBits(*request.seed)));
  if (!request.schema.IsNull()) {
    Json named = Json::MakeObject(), format = Json::MakeObject();
    named.Set("name", Json("reply"));
    named.Set("strict", Json(true));
    named.Set("schema", request.schema);
    format.Set("type", Json("json_schema"));
    format.Set("json_schema", named);
    body.Set("response_format", format);
  }
  return body;
}

Json GeminiBody(const ChatRequest& request) {
  Json body = Json::MakeObject(), contents = Json::MakeArray(), config = Json::MakeObject();
  for (const Json& message : request.messages.AsArray("messages")) {
    const std::string& role = message.At("role", "messages").AsString("messages");
    Json content = Text(message.At("content", "messages").AsString("messages"));
    if (role == "system") {
      body.Set("systemInstruction", content);
      continue;
    }
    content.Set("role", Json(role == "assistant" ? "model" : "user"));
    contents.Append(content);
  }
  body.Set("contents", contents);
  config.Set("temperature", Json(request.temperature));
  config.Set("topP", Json(request.top_p));
  config.Set("maxOutputTokens", Json(request.max_tokens));
  if (request.seed) config.Set("seed", Json(SeedBits(*request.seed)));
  if (!request.schema.IsNull()) {
    config.Set("responseMimeType", Json("application/json"));
    config.Set("responseSchema", request.schema);
  }
  body.Set("generationConfig", config);
  return body;
}

const std::string* FindText(const Json* value, std::string_view key) {
  const Json* found = value ? value->Find(key) : nullptr;
  return found && found->IsString() ? &found->string() : nullptr;
}

int64_t FindCount(const Json* value, std::string_view key) {
  const Json* found = value ? value->Find(key) : nullptr;
  return found && found->IsInteger() && found->integer() >= 0 ? found->integer() : 0;
}

const Json* FirstOf(const Json& reply, std::string_view key) {
  const Json* list = reply.Find(key);
  return list && list->IsArray() && list->size() > 0 ? &list->array()[0] : nullptr;
}

// A content is a text or a list of parts {"type":"text","text"}; Gemini marks thoughts.
std::string JoinParts(const Json* content) {
  if (!content) return "";
  if (content->IsString()) return content->string();
  std::string text;
  if (!content->IsArray()) return text;
  for (const Json& part : content->array()) {
    const Json* thought = part.Find("thought");
    if (thought && thought->IsBool() && thought->boolean()) continue;
    if (const std::string* piece = FindText(&part, "text")) text += *piece;
  }
  return text;
}

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

ChatReply Settle(ChatReply reply, bool truncated, bool blocked) {
  if (blocked) {
    reply.state = ChatState::kBlocked;
    reply.problem = "the endpoint withheld the answer (" + reply.finish_reason + ")";
    reply.text.clear();
  } else if (truncated) {
    reply.state = ChatState::kTruncated;
    reply.problem = "the answer reached the token limit";
  } else if (IsBlank(reply.text)) {
    reply.state = ChatState::kEmpty;
    reply.problem = "the reply has no text";
    reply.text.clear();
  } else {
    reply.state = ChatState::kOk;
  }
  return reply;
}

ChatReply Malformed(std::string problem) {
  ChatReply reply;
  reply.state = ChatState::kMalformed;
  reply.problem = std::move(problem);
  return reply;
}

ChatReply ReadOpenAi(const Json& body) {
  const Json* choice = FirstOf(body, "choices");
  const Json* message = choice ? choice->Find("message") : nullptr;
  if (!message) return Malformed("the reply has no choices[0].message");
  ChatReply reply;
  reply.text = JoinParts(message->Find("content"));
  if (const std::string* reason = FindText(choice, "finish_reason")) reply.finish_reason = *reason;
  const std::string* refusal = FindText(message, "refusal");
  if (IsBlank(reply.text) && refusal) reply.text = *refusal;  // the model's words, not a filter's
  const Json* usage = body.Find("usage");
  reply.prompt_tokens = FindCount(usage, "prompt_tokens");
  reply.answer_tokens = FindCount(usage, "completion_tokens");
  return Settle(reply, reply.finish_reason == "length", reply.finish_reason == "content_filter");
}

ChatReply ReadGemini(const Json& body) {
  ChatReply reply;
  const Json* usage = body.Find("usageMetadata");
  reply.prompt_tokens = FindCount(usage, "promptTokenCount");
  reply.answer_tokens = FindCount(usage, "candidatesTokenCount");
  if (const std::string* block = FindText(body.Find("promptFeedback"), "blockReason")) {
    reply.finish_reason = *block;
    return Settle(reply, false, true);
  }
  const Json* candidate = FirstOf(body, "candidates");
  if (!candidate) return Malformed("the reply has neither candidates nor a blockReason");
  if (const Json* content = candidate->Find("content"))
    reply.text = JoinParts(content->Find("parts"));
  if (const std::string* reason = FindText(candidate, "finishReason")) {
    reply.finish_reason = *reason;
  }
  const bool ended = reply.finish_reason.empty() || reply.finish_reason == "STOP";
  const bool truncated = reply.finish_reason == "MAX_TOKENS";
  return Settle(reply, truncated, !ended && !truncated);
}

ChatState StateOfStatus(int status) {
  if (status == 429) return ChatState::kRateLimited;
  if (status == 401 || status == 403 || status == 404) return ChatState::kUnauthorized;
  if (status >= 500 || status == 408 || status == 425) return ChatState::kServerError;
  return ChatState::kRejected;
}

ChatState StateOfOutcome(HttpResponse::Outcome outcome) {
  switch (outcome) {
    case HttpResponse::Outcome::kUnreachable:
      return ChatState::kUnreachable;
    case HttpResponse::Outcome::kTimeout:
      return ChatState::kTimeout;
    case HttpResponse::Outcome::kStopped:
      return ChatState::kStopped;
    case HttpResponse::Outcome::kTooLarge:
    case HttpResponse::Outcome::kAnswered:
    case HttpResponse::Outcome::kBroken:
      break;
  }
  return ChatState::kBroken;
}

// {"error":{"message"}} of both kinds, else the beginning of the body.
std::string ErrorMessage(const std::string& body) {
  try {
    const Json parsed = Json::Parse(body, "reply");
    if (const std::string* message = FindText(parsed.Find("error"), "message")) {
      return message->substr(0, 300);
    }
  } catch (const Error&) {
  }
  return body.substr(0, 120);
}

void BlotOut(const std::string& key, std::string* text) {
  if (key.size() < 4) return;  // "x" occurs everywhere, and is no secret
  for (size_t at = 0; (at = text->find(key, at)) != std::string::npos;) {
    text->replace(at, key.size(), "[key]");
  }
}

}  // namespace

std::string ChatEndpoint::Name() const {
  return kind == Kind::kOpenAi ? "openai:" + url + "#" + model
         : url == kGeminiUrl   ? "gemini:" + model
                               : "gemini:" + url + "#" + model;
}

std::string ChatEndpoint::KeyNames() const {
  return kind == Kind::kOpenAi ? "OPENAI_API_KEY or LEM_API_KEY"
                               : "GEMINI_API_KEY or GOOGLE_API_KEY";
}

ChatEndpoint MakeEndpoint(Kind kind, std::string url, std::string model) {
  ChatEndpoint endpoint;
  endpoint.kind = kind;
  if (url.empty() && kind == Kind::kGemini) url = kGeminiUrl;
  CheckUrl(url);
  while (url.ends_with('/')) url.pop_back();
  endpoint.url = std::move(url);
  if (model.empty()) FailUsage("--endpoint-model: expected the name of a model, found nothing");
  endpoint.model = std::move(model);
  endpoint.key = kind == Kind::kOpenAi ? FromEnvironment({"OPENAI_API_KEY", "LEM_API_KEY"})
                                       : FromEnvironment({"GEMINI_API_KEY", "GOOGLE_API_KEY"});
  return endpoint;
}

Kind EndpointKindByName(std::string_view name) {
  if (name == "openai") return Kind::kOpenAi;
  if (name == "gemini") return Kind::kGemini;
  FailUsage("expected openai or gemini, found ", name);
}

ChatEndpoint ParseEndpoint(std::string_view name) {
  const size_t colon = name.find(':');
  if (colon == std::string_view::npos) {
    FailUsage("expected openai:URL#MODEL or gemini:MODEL, found ", name);
  }
  const Kind kind = EndpointKindByName(name.substr(0, colon));
  const std::string_view rest = name.substr(colon + 1);
  const size_t hash = rest.rfind('#');
  if (hash != std::string_view::npos) {
    return MakeEndpoint(kind, std::string(rest.substr(0, hash)),
                        std::string(rest.substr(hash + 1)));
  }
  if (kind == Kind::kOpenAi) FailUsage("expected openai:URL#MODEL, found ", name);
  return MakeEndpoint(kind, "", std::string(rest));
}

Json RequestBody(const ChatEndpoint& endpoint, const ChatRequest& request) {
  return endpoint.kind == Kind::kOpenAi ? OpenAiBody(endpoint, request) : GeminiBody(request);
}

std::string RequestUrl(const ChatEndpoint& endpoint) {
  return endpoint.kind == Kind::kOpenAi
             ? endpoint.url + "/chat/completions"
             : endpoint.url + "/models/" + endpoint.model + ":generateContent";
}

HttpRequest MakeHttpRequest(const ChatEndpoint& endpoint, const ChatRequest& request) {
  HttpRequest http;
  http.url = RequestUrl(endpoint);
  http.body = RequestBody(endpoint, request).Dump();
  http.max_response_bytes = kMaxReply;
  if (endpoint.kind == Kind::kOpenAi) {
    http.bearer_token = endpoint.key;
  } else if (!endpoint.key.empty()) {
    http.headers.push_back({"x-goog-api-key", endpoint.key});
  }
  return http;
}

std::string_view NameOf(ChatState state) {
  switch (state) {
    case ChatState::kOk:
      return "ok";
    case ChatState::kTruncated:
      return "truncated";
    case ChatState::kBlocked:
      return "blocked";
    case ChatState::kEmpty:
      return "empty";
    case ChatState::kMalformed:
      return "malformed";
    case ChatState::kRateLimited:
      return "rate_limited";
    case ChatState::kServerError:
      return "server_error";
    case ChatState::kRejected:
      return "rejected";
    case ChatState::kUnauthorized:
      return "unauthorized";
    case ChatState::kUnreachable:
      return "unreachable";
    case ChatState::kTimeout:
      return "timeout";
    case ChatState::kBroken:
      return "broken";
    case ChatState::kStopped:
      return "stopped";
    case ChatState::kOverBudget:
      return "over_budget";
  }
  return "";
}

ChatReply ReadReplyBody(Kind kind, std::string_view body) {
  try {
    JsonLimits limits;
    limits.refuse_duplicate_keys = false;  // a server's slip that costs nothing
    const Json parsed = Json::Parse(body, "the reply", limits);
    if (!parsed.IsObject()) return Malformed("the reply is no JSON object");
    return kind == Kind::kOpenAi ? ReadOpenAi(parsed) : ReadGemini(parsed);
  } catch (const Error& e) {
    return Malformed(e.what());
  }
}

ChatReply ReadReply(const ChatEndpoint& endpoint, const HttpResponse& response) {
  ChatReply reply;
  if (response.outcome != HttpResponse::Outcome::kAnswered) {
    reply.state = StateOfOutcome(response.outcome);
    reply.problem = response.problem;
  } else if (response.status != 200) {
    reply.state = StateOfStatus(response.status);
    reply.problem = "HTTP " + std::to_string(response.status) + ": " + ErrorMessage(response.body);
  } else {
    reply = ReadReplyBody(endpoint.kind, response.body);
  }
  reply.status = response.status;
  reply.retry_after_seconds = response.retry_after_seconds;
  reply.body = response.body;
  for (std::string* text : {&reply.body, &reply.problem, &reply.text}) {
    BlotOut(endpoint.key, text);
  }
  return reply;
}

}  // namespace lem
