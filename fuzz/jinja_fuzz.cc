// SPDX-License-Identifier: EUPL-1.2
// Any text as a chat template: an Error, or a rendering within the limits.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "tokenizer/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const lem::Json messages = lem::Json::Parse(
      R"([{"role":"system","content":" Be \"kind\". "},{"role":"user","content":[{"type":"text",)"
      R"("text":"caf\u00e9 \ud83d\ude00"}]},{"role":"assistant","content":"<think>x</think>y","n":2.5}])",
      "messages");
  static const lem::Json extra = lem::Json::Parse(
      R"({"tools":[{"name":"f","args":{"a":[1,2,null,true]}}],"strftime_now":"2026-01-31"})",
      "extra");
  try {
    const auto parsed =
        lem::ChatTemplate::Parse({reinterpret_cast<const char*>(data), size}, "fuzz");
    lem::ChatTemplate::Options options;
    options.add_generation_prompt = true;
    options.bos_token = "<s>";
    options.eos_token = "</s>";
    options.extra = extra;
    parsed.Render(messages, options);
  } catch (const lem::Error&) {
  }
  return 0;
}
