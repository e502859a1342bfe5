// SPDX-License-Identifier: EUPL-1.2
// Chat templates: the subset of Jinja that model files use, rendered with Hugging Face's settings
// (trim_blocks, lstrip_blocks). Templates are untrusted: bounded in output, steps and recursion.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"

namespace lem {

struct Message {
  std::string role, content;
};

class ChatTemplate {
 public:
  // Throws Error with line and column on syntax it does not know.
  static ChatTemplate Parse(std::string_view source, std::string_view where);
  // Built in: "gemma", "chatml", "smollm2", "llama2", "llama3", "mistral", "qwen", "plain".
  // Null source when the name is unknown; names() lists them.
  static std::string_view BuiltIn(std::string_view name);
  static std::vector<std::string> BuiltInNames();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  struct Options {
    bool add_generation_prompt = false;
    std::string bos_token, eos_token;
    Json extra = Json::MakeObject();  // further variables: enable_thinking, tools, ...
  };
  // messages: an array of objects with role and content (content may be a list of parts). Throws
  // Error when the template raises (roles must alternate, ...) or breaks a limit.
  std::string Render(const Json& messages, const Options& options) const;

  const std::string& source() const;

 private:
  struct Tree;
  explicit ChatTemplate(std::unique_ptr<Tree> tree);
  std::unique_ptr<Tree> tree_;
};

}  // namespace lem
