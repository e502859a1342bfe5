// SPDX-License-Identifier: EUPL-1.2
// Any bytes as an endpoint's reply: a typed state, and a text only where the state says there is
// one.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "judge/endpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using lem::ChatState;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const auto kind : {lem::ChatEndpoint::Kind::kOpenAi, lem::ChatEndpoint::Kind::kGemini}) {
    const lem::ChatReply reply = lem::ReadReplyBody(kind, body);
    const bool whole = reply.state == ChatState::kOk;
    LEM_CHECK(whole || reply.state == ChatState::kTruncated || reply.text.empty());
    LEM_CHECK(!whole || !reply.text.empty());
    LEM_CHECK(whole == reply.problem.empty());
    LEM_CHECK(reply.prompt_tokens >= 0 && reply.answer_tokens >= 0);
  }
  return 0;
}
