// SPDX-License-Identifier: EUPL-1.2
// Chat templates for models whose files hold none, written after each family's documented format
// (model-formats 5).
#include <array>

#include "tokenizer/chat_template.h"

namespace lem {
namespace {

// Contents may be lists of parts; text parts are joined. A macro, so that each template stays
// readable.
constexpr std::string_view kGemma = R"({{ bos_token }}
{%- if messages and messages[0]['role'] == 'system' -%}
  {%- set system = messages[0]['content'] -%}
  {%- if system is not string -%}{%- set system = system[0]['text'] -%}{%- endif -%}
  {%- set first_user_prefix = system + '\n\n' -%}
  {%- set turns = messages[1:] -%}
{%- else -%}
  {%- set first_user_prefix = '' -%}
  {%- set turns = messages -%}
{%- endif -%}
{%- for message in turns -%}
  {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
    {{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') -}}
  {%- endif -%}
  {%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
  {{- '<start_of_turn>' + role + '\n' + (first_user_prefix if loop.first else '') -}}
  {%- if message['content'] is string -%}
    {{- message['content'] | trim -}}
  {%- elif message['content'] is iterable -%}
    {%- for part in message['content'] -%}
      {%- if part['type'] == 'image' -%}
        {{- '<start_of_image>' -}}
      {%- elif part['type'] == 'text' -%}
        {{- part['text'] | trim -}}
      {%- endif -%}
    {%- endfor -%}
  {%- else -%}
    {{- raise_exception('Invalid content type') -}}
  {%- endif -%}
  {{- '<end_of_turn>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<start_of_turn>model\n' -}}
{%- endif -%}
)";

constexpr std::string_view kChatMl = R"({%- for message in messages -%}
  {{- '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|im_start|>assistant\n' -}}
{%- endif -%}
)";

constexpr std::string_view kSmolLm2 = R"({%- for message in messages -%}
  {%- if loop.first and messages[0]['role'] != 'system' -%}
    {{- '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' -}}
  {%- endif -%}
  {{- '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|im_start|>assistant\n' -}}
{%- endif -%}
)";

constexpr std::string_view kQwen = R"({%- if messages and messages[0]['role'] != 'system' -%}
  {{- '<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n' -}}
{%- endif -%}
{%- for message in messages -%}
  {{- '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|im_start|>assistant\n' -}}
{%- endif -%}
)";

constexpr std::string_view kLlama2 = R"({%- if messages and messages[0]['role'] == 'system' -%}
  {%- set system = '<<SYS>>\n' + messages[0]['content'] + '\n<</SYS>>\n\n' -%}
  {%- set turns = messages[1:] -%}
{%- else -%}
  {%- set system = '' -%}
  {%- set turns = messages -%}
{%- endif -%}
{%- for message in turns -%}
  {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
    {{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') -}}
  {%- endif -%}
  {%- if message['role'] == 'user' -%}
    {{- bos_token + '[INST] ' + ((system if loop.first else '') + message['content']) | trim + ' [/INST]' -}}
  {%- else -%}
    {{- ' ' + message['content'] | trim + ' ' + eos_token -}}
  {%- endif -%}
{%- endfor -%}
)";

constexpr std::string_view kLlama3 = R"({%- for message in messages -%}
  {{- (bos_token if loop.first else '') + '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' -}}
{%- endif -%}
)";

constexpr std::string_view kMistral = R"({{- bos_token -}}
{%- if messages and messages[0]['role'] == 'system' -%}
  {%- set system = messages[0]['content'] + '\n\n' -%}
  {%- set turns = messages[1:] -%}
{%- else -%}
  {%- set system = '' -%}
  {%- set turns = messages -%}
{%- endif -%}
{%- for message in turns -%}
  {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
    {{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') -}}
  {%- endif -%}
  {%- if message['role'] == 'user' -%}
    {{- '[INST] ' + (system if loop.first else '') + message['content'] + ' [/INST]' -}}
  {%- else -%}
    {{- ' ' + message['content'] + eos_token -}}
  {%- endif -%}
{%- endfor -%}
)";

// For base models: the texts, one after another, each role named.
constexpr std::string_view kPlain = R"({%- for message in messages -%}
  {{- message['role'] | capitalize + ': ' + message['content'] | trim + '\n\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- 'Assistant:' -}}
{%- endif -%}
)";

struct BuiltInTemplate {
  const char* name;
  std::string_view source;
};

constexpr std::array<BuiltInTemplate, 8> kTemplates = {{{"gemma", kGemma},
                                                        {"chatml", kChatMl},
                                                        {"smollm2", kSmolLm2},
                                                        {"llama2", kLlama2},
                                                        {"llama3", kLlama3},
                                                        {"mistral", kMistral},
                                                        {"qwen", kQwen},
                                                        {"plain", kPlain}}};

}  // namespace

std::string_view ChatTemplate::BuiltIn(std::string_view name) {
  for (const BuiltInTemplate& one : kTemplates) {
    if (name == one.name) return one.source;
  }
  return {};
}

std::vector<std::string> ChatTemplate::BuiltInNames() {
  std::vector<std::string> names;
  for (const BuiltInTemplate& one : kTemplates) names.emplace_back(one.name);
  return names;
}

}  // namespace lem
