// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/adapter_convert/adapter_convert.h"

#include "base/atomic_file.h"
#include "base/error.h"
#include "pipelines/loaded_model.h"

namespace lem {
namespace fs = std::filesystem;
namespace {

void WriteMlx(const Adapter& adapter, const std::string& model, const fs::path& folder) {
  adapter.SaveMlx(folder / "adapters.safetensors");
  Json config = Adapter::MlxConfigKeys(adapter.shape());
  config.Set("model", model);
  Json::Format format;
  format.indent = 4;
  format.sort_keys = true;
  format.python_style = true;
  WriteFileAtomically(folder / "adapter_config.json", config.Dump(format));
}

}  // namespace

AdapterConvertResult ConvertAdapter(const AdapterConvertOptions& options) {
  if (options.format != "mlx" && options.format != "peft" && options.format != "gguf") {
    FailUsage("--format: expected mlx, peft or gguf, found ", options.format);
  }
  if (options.output.empty()) FailUsage("--output: expected a name for the converted adapter");
  std::error_code ignored;
  if (fs::equivalent(options.output, options.adapter_path, ignored)) {
    FailUsage("--output: expected another place than --adapter-path ", options.adapter_path);
  }
  const Checkpoint checkpoint = Checkpoint::Open(ResolveModel(options.model));
  const ModelConfig config = ReadModelConfig(checkpoint);
  const Adapter adapter = Adapter::Load(options.adapter_path, config);
  if (adapter.shape().type == TuneType::kFull && options.format != "mlx") {
    Fail(options.adapter_path, ": expected a LoRA or DoRA adapter, found whole tensors (full ",
         "fine-tuning); fuse it and convert the model");
  }
  if (options.format == "mlx") {
    WriteMlx(adapter, options.model, options.output);
  } else if (options.format == "peft") {
    adapter.SavePeft(options.output, config, options.model);
  } else {
    adapter.SaveGguf(options.output, config);
  }
  const size_t modules =
      adapter.modules().empty() ? adapter.tensors().size() : adapter.modules().size();
  return {options.output, adapter.shape(), modules};
}

}  // namespace lem
