// SPDX-License-Identifier: EUPL-1.2
#include "tokenizer/chat_template.h"

#include "base/error.h"
#include "tokenizer/jinja_evaluator.h"
#include "tokenizer/jinja_parser.h"

namespace lem {

struct ChatTemplate::Tree {
  std::string source, where;
  jinja::Ast ast;
};

ChatTemplate::ChatTemplate(std::unique_ptr<Tree> tree) : tree_(std::move(tree)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

ChatTemplate ChatTemplate::Parse(std::string_view source, std::string_view where) {
  auto tree = std::make_unique<Tree>();
  tree->source = source;
  tree->where = where;
  tree->ast = jinja::Parse(source, tree->where);
  return ChatTemplate(std::move(tree));
}

const std::string& ChatTemplate::source() const { return tree_->source; }

std::string ChatTemplate::Render(const Json& messages, const Options& options) const {
  messages.AsArray(tree_->where);
  jinja::Evaluator evaluator(tree_->ast, {});
  evaluator.Define("messages", messages);
  evaluator.Define("add_generation_prompt", jinja::Value::Bool(options.add_generation_prompt));
  evaluator.Define("bos_token", evaluator.arena().StringView(&options.bos_token));
  evaluator.Define("eos_token", evaluator.arena().StringView(&options.eos_token));
  if (options.extra.IsObject()) {
    for (const auto& [name, value] : options.extra.object()) {
      if (name == "strftime_now") {
        evaluator.date = value.AsString(tree_->where + ": strftime_now");
      } else {
        evaluator.Define(name, value);
      }
    }
  }
  return evaluator.Run();
}

}  // namespace lem
