// SPDX-License-Identifier: EUPL-1.2
// A model ready to be used: what --model, --adapter-path and --chat-template name, opened and put
// together.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "model/decoder.h"
#include "pipelines/progress.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace lem {

struct ModelOptions {
  std::string model;         // a folder, a .gguf file, or a catalogue name that has been pulled
  std::string adapter_path;  // empty: none
  // bfloat16 | float32 | int8: as bfloat16, but products with quantised weights round their rows to
  // 8-bit integers; not for training.
  std::string dtype = "bfloat16";
  std::string chat_template = "auto";  // auto | none | a built-in name | a file
  std::string device = "auto";         // auto | cpu | cuda
  bool training = false;               // keep what the backward pass needs
  int trained_layers = 0;  // with training: how many blocks, counted from the last; <= 0: all
};

// , else ~/.cache/lem.
std::filesystem::path StoreFolder();
// `model` as a path that exists. Throws Error that names `lem pull` when it is a known but absent
// name, and near misses otherwise.
std::filesystem::path ResolveModel(const std::string& model);

// Throws UsageError for an unknown name.
Precision PrecisionByName(const std::string& dtype);
Backend& BackendByName(const std::string& device);

// The template to use and where it comes from. Empty source: none.
struct TemplateChoice {
  std::string source;
  std::string origin;        // "the model", "built-in gemma", a path
  bool is_fallback = false;  // the model has none; its family's is used
};
TemplateChoice ChooseTemplate(const std::string& option, const Tokenizer& tokenizer,
                              const std::string& family);

class LoadedModel {
 public:
  // Tells `progress` when a family's template stands in for a missing one.
  static std::unique_ptr<LoadedModel> Open(const ModelOptions& options, Progress& progress);

  Checkpoint checkpoint;
  Tokenizer tokenizer;
  std::optional<ChatTemplate> chat_template;
  TemplateChoice template_choice;
  std::unique_ptr<Decoder> decoder;
  std::unique_ptr<Adapter> adapter;

  // Ids of messages through the template; throws Error when there is none.
  std::vector<int32_t> EncodeChat(const Json& messages, bool add_generation_prompt,
                                  const Json& template_variables = Json::MakeObject()) const;
  std::string RenderChat(const Json& messages, bool add_generation_prompt,
                         const Json& template_variables = Json::MakeObject()) const;
  // Ids at which generation ends: of the configuration and the tokenizer.
  std::vector<int32_t> end_ids() const;

 private:
  LoadedModel(Checkpoint c, Tokenizer t) : checkpoint(std::move(c)), tokenizer(std::move(t)) {}
};

}  // namespace lem
