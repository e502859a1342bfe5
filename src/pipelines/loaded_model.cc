// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/loaded_model.h"

#include <algorithm>
#include <cstdlib>

#include "base/atomic_file.h"
#include "base/error.h"
#include "pipelines/pull/catalogue.h"

namespace lem {
namespace fs = std::filesystem;

fs::path StoreFolder() {
  if (const char* home = std::getenv("LEM_HOME"); home && *home) return home;
  if (const char* home = std::getenv("HOME"); home && *home)
    return fs::path(home) / ".cache" / "lem";
  Fail("LEM_HOME: neither LEM_HOME nor HOME is set, so there is no place for models; set LEM_HOME");
}

fs::path ResolveModel(const std::string& model) {
  if (model.empty()) FailUsage("--model: expected a folder, a .gguf file or a catalogue name");
  if (fs::exists(model)) return model;
  fs::path stored = StoredModel(model);
  if (!stored.empty() && fs::exists(stored)) return stored;
  if (!stored.empty()) {
    Fail("--model ", model, ": this model is known but not on this machine; run `lem pull ", model,
         "`");
  }
  Fail("--model ", model, ": no such folder or file, and no model of that name in the catalogue (",
       CatalogueNames(), "); check the path, or use `lem pull hf:ORG/NAME`");
}

Precision PrecisionByName(const std::string& dtype) {
  if (dtype == "bfloat16" || dtype == "bf16") return Precision::kBFloat16;
  if (dtype == "float32" || dtype == "f32") return Precision::kFloat32;
  FailUsage("--dtype: expected bfloat16 or float32, found ", dtype);
}

Backend& BackendByName(const std::string& device) {
  if (device == "auto" || device == "cpu") return CpuBackend();
  if (device == "cuda") {
    if (Backend* cuda = CudaBackend()) return *cuda;
    Fail("--device cuda: this build has no CUDA backend; use --device cpu");
  }
  FailUsage("--device: expected auto, cpu or cuda, found ", device);
}

namespace {

std::string_view FamilyTemplate(const std::string& family, const Tokenizer& tokenizer) {
  if (family.starts_with("gemma")) return "gemma";
  if (tokenizer.FindToken("<|start_header_id|>")) return "llama3";
  if (tokenizer.FindToken("<|im_start|>")) return "chatml";
  if (family == "mistral" || tokenizer.FindToken("[INST]")) return "mistral";
  return "plain";
}

TemplateChoice BuiltInChoice(std::string_view name, bool fallback) {
  return {std::string(ChatTemplate::BuiltIn(name)), "built-in " + std::string(name), fallback};
}

}  // namespace

TemplateChoice ChooseTemplate(const std::string& option, const Tokenizer& tokenizer,
                              const std::string& family) {
  if (option == "none") return {};
  if (option == "auto") {
    if (tokenizer.chat_template()) return {*tokenizer.chat_template(), "the model", false};
    return BuiltInChoice(FamilyTemplate(family, tokenizer), true);
  }
  if (ChatTemplate::BuiltIn(option).data() != nullptr) return BuiltInChoice(option, false);
  if (fs::is_regular_file(option)) return {ReadTextFile(option, 1 << 20), option, false};
  std::string names;
  for (const std::string& name : ChatTemplate::BuiltInNames()) names += ", " + name;
  FailUsage("--chat-template ", option, ": expected auto, none, a file, or one of", names.substr(1),
            "; found neither a file nor a built-in of that name");
}

std::unique_ptr<LoadedModel> LoadedModel::Open(const ModelOptions& options, Progress& progress) {
  const bool integers = options.dtype == "int8" && !options.training;
  const Precision precision = integers ? Precision::kBFloat16 : PrecisionByName(options.dtype);
  Backend& backend = BackendByName(options.device);
  const fs::path path = ResolveModel(options.model);
  Checkpoint checkpoint = Checkpoint::Open(path);
  Tokenizer tokenizer = Tokenizer::Load(path);
  std::unique_ptr<LoadedModel> loaded(new LoadedModel(std::move(checkpoint), std::move(tokenizer)));
  const ModelConfig config = ReadModelConfig(loaded->checkpoint);
  loaded->template_choice = ChooseTemplate(options.chat_template, loaded->tokenizer, config.family);
  if (!loaded->template_choice.source.empty()) {
    loaded->chat_template =
        ChatTemplate::Parse(loaded->template_choice.source, loaded->template_choice.origin);
  }
  if (loaded->template_choice.is_fallback) {
    progress.Note("this model has no chat template; using the " + loaded->template_choice.origin +
                  " template of its family (--chat-template chooses)");
  }
  DecoderOptions decoder_options;
  decoder_options.precision = precision;
  if (integers) decoder_options.form = WeightOptions::Form::kInteger;
  if (options.training) {
    decoder_options.input_gradients_from_layer_set = true;
    decoder_options.input_gradients_from_layer =
        options.trained_layers <= 0 ? 0 : std::max(0, config.layers - options.trained_layers);
  }
  loaded->decoder = Decoder::Load(backend, loaded->checkpoint, decoder_options);
  if (!options.adapter_path.empty()) {
    loaded->adapter =
        std::make_unique<Adapter>(Adapter::Load(options.adapter_path, loaded->decoder->config()));
    loaded->decoder->SetAdapter(loaded->adapter.get());
  }
  return loaded;
}

std::string LoadedModel::RenderChat(const Json& messages, bool add_generation_prompt,
                                    const Json& template_variables) const {
  if (!chat_template) {
    Fail(
        "chat template: this needs one and --chat-template none was given; choose a built-in or a "
        "file");
  }
  ChatTemplate::Options options;
  options.add_generation_prompt = add_generation_prompt;
  options.bos_token = tokenizer.bos_text();
  options.eos_token = tokenizer.eos_text();
  options.extra = template_variables;
  return chat_template->Render(messages, options);
}

std::vector<int32_t> LoadedModel::EncodeChat(const Json& messages, bool add_generation_prompt,
                                             const Json& template_variables) const {
  return tokenizer.Encode(RenderChat(messages, add_generation_prompt, template_variables), false);
}

std::vector<int32_t> LoadedModel::end_ids() const {
  std::vector<int32_t> ids = tokenizer.end_ids();
  for (const int id : decoder->config().eos_ids) ids.push_back(id);
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace lem
