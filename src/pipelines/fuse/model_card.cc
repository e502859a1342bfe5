// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/fuse/model_card.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <ctime>

#include "backend/backend.h"
#include "base/atomic_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/version.h"
#include "formats/mapped_file.h"
#include "formats/safetensors.h"

namespace lem {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kShortCard = R"(---
base_model: {{base_model}}
license: {{licence}}
library_name: lem
---

# {{model_name}}

{{base_model}} with an adapter fused into its weights.

| | |
|---|---|
| base weights, SHA-256 | `{{base_hash}}` |
| base weights as used | {{base_format}} |
| adapter, SHA-256 | `{{adapter_hash}}` |
| adapter | {{adapter_summary}} |
| share of the adapter's change that survived fusing, lowest module | {{fuse_survival_min}} |
| training data, SHA-256 | `{{training_data_hash}}` |
| training settings | {{training_summary}} |
| made with | lem {{lem_version}} |

The terms of the base model continue to apply.
)";

using Values = std::map<std::string, std::string>;

std::string AdapterSummary(const AdapterShape& shape) {
  const std::string layers =
      shape.num_layers <= 0 ? "all blocks" : fmt::format("the last {} blocks", shape.num_layers);
  if (shape.type == TuneType::kFull) return "full fine-tuning of " + layers;
  return fmt::format("{}, rank {}, scale {:g}, {}", shape.type == TuneType::kDora ? "DoRA" : "LoRA",
                     shape.rank, shape.scale, layers);
}

std::string Today() {
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  gmtime_r(&now, &utc);
  char text[16];
  std::strftime(text, sizeof text, "%Y-%m-%d", &utc);
  return text;
}

std::string Machine() {
  utsname name = {};
  uname(&name);
  return fmt::format("{} {}, {}", name.sysname, name.machine, DescribeCpu().model_name);
}

std::string TextOf(const Json& json) { return json.IsString() ? json.string() : json.Dump(); }

// What the training run recorded beside its adapter, if it was ours.
void AddTraining(const fs::path& adapter_path, Values* values) {
  const fs::path state = adapter_path / "state.safetensors";
  if (!fs::exists(state)) return;
  const MappedFile mapped(state);
  const Safetensors file = Safetensors::Parse(mapped.bytes(), state.string());
  const auto text = file.metadata().find("state");
  if (text == file.metadata().end()) return;
  const Json json = Json::Parse(text->second, state.string());
  const Json* identity = json.Find("identity");
  const Json* counters = json.Find("counters");
  const Json* options = identity ? identity->Find("options") : nullptr;
  if (!options || !counters) return;
  const auto set = [&](const char* name, const Json* json_value) {
    if (json_value && !json_value->IsNull()) (*values)[name] = TextOf(*json_value);
  };
  set("training_data_hash", identity->Find("train_sha256"));
  set("template_hash", identity->Find("template_sha256"));
  set("seed", options->Find("seed"));
  const auto option = [&](const char* key) {
    const Json* found = options->Find(key);
    return found ? TextOf(*found) : std::string("?");
  };
  const Json* done = counters->Find("iteration");
  (*values)["training_summary"] = fmt::format(
      "{} iterations of batch {}, {}, learning rate {}, mask {}", done ? done->Dump() : "?",
      option("batch_size"), option("optimizer"), option("learning_rate"),
      option("mask") == "null" ? (option("mask_prompt") == "true" ? "prompt" : "none")
                               : option("mask"));
}

std::string BaseFormatName(const Checkpoint& base) {
  if (base.layout() == Checkpoint::Layout::kGguf) return "GGUF, " + base.path().filename().string();
  return base.config().Has("quantization") ? "MLX, quantised" : "safetensors";
}

}  // namespace

std::string FillTemplate(std::string_view text, const Values& values, std::string_view where) {
  std::string out;
  for (size_t at = 0;;) {
    const size_t open = text.find("{{", at);
    out += text.substr(at, open == std::string_view::npos ? open : open - at);
    if (open == std::string_view::npos) return out;
    const size_t close = text.find("}}", open);
    if (close == std::string_view::npos) {
      Fail(where, ": expected a }} after the {{ at byte ", open, ", found none");
    }
    const auto value = values.find(std::string(text.substr(open + 2, close - open - 2)));
    out += value == values.end() ? "not recorded" : value->second;
    at = close + 2;
  }
}

void WriteModelCard(const FuseOptions& options, const Checkpoint& base, const Adapter& adapter,
                    const FuseResult& result) {
  Values values;
  values["base_model"] = fs::path(options.model).filename().string();
  values["model_name"] = result.folder.filename().string();
  values["licence"] = "other";
  values["base_hash"] = base.ContentHash();
  values["base_format"] = BaseFormatName(base);
  const fs::path weights = fs::is_directory(options.adapter_path)
                               ? fs::path(options.adapter_path) / "adapters.safetensors"
                               : fs::path(options.adapter_path);
  if (fs::exists(weights)) values["adapter_hash"] = Sha256File(weights);
  values["adapter_summary"] = AdapterSummary(adapter.shape());
  values["fuse_survival_min"] = result.lowest_survival
                                    ? fmt::format("{:.1f} %", 100 * *result.lowest_survival)
                                    : "the adapter changes nothing";
  values["lem_version"] = kVersion;
  values["machine"] = Machine();
  values["date"] = Today();
  values["intended_use"] = values["limits"] = "";
  values["metrics_table"] = "Nothing was measured yet.";
  AddTraining(options.adapter_path, &values);
  for (const auto& [name, value] : options.card_values) values[name] = value;
  const std::string text =
      options.card_template.empty() ? std::string(kShortCard) : ReadTextFile(options.card_template);
  WriteFileAtomically(result.folder / "README.md",
                      FillTemplate(text, values,
                                   options.card_template.empty() ? std::string("model card")
                                                                 : options.card_template));
}

}  // namespace lem
