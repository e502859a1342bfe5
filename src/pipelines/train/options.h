// SPDX-License-Identifier: EUPL-1.2
// Everything that defines a training run. The initialisers below are the only place where a default
// is written; they are those of mlx_lm.lora (mlx-lm 1.1) plus our additions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "formats/json.h"
#include "model/adapter.h"
#include "ops/optimizer.h"

namespace lem {

// Which tokens are learnt. kPrompt: those after the prompt (mlx-lm's --mask-prompt: the last
// message). kAssistant: every assistant turn, its end-of-turn token included.
enum class MaskMode : uint8_t { kNone, kPrompt, kAssistant };

struct TrainOptions {
  // mlx_lm.lora's, under its names.
  std::string model;  // no default: nothing is fetched unasked
  bool train = false, test = false;
  std::string data;  // a folder with train.jsonl, valid.jsonl, test.jsonl
  std::string fine_tune_type = "lora";
  std::string optimizer = "adam";
  Json optimizer_config = Json::MakeObject();  // {name: constructor keywords}
  bool mask_prompt = false;
  int64_t num_layers = 16, batch_size = 4, iters = 1000, val_batches = 25;
  double learning_rate = 1e-5;
  int64_t steps_per_report = 10, steps_per_eval = 200, grad_accumulation_steps = 1;
  std::string resume_adapter_file;
  std::string adapter_path = "adapters";
  int64_t save_every = 100, test_batches = 500, max_seq_length = 2048;
  std::string config;
  bool grad_checkpoint = false;
  std::string clear_cache_threshold = "0";  // accepted; there is no such cache here
  std::string report_to, project_name;      // accepted; --log writes the same numbers
  int64_t seed = 0;
  bool trust_remote_code = false;  // accepted; no code of a model is ever run
  Json lora_parameters = Json(Json::Object{{"rank", 8}, {"dropout", 0.0}, {"scale", 20.0}});
  Json lr_schedule;  // null: constant
  std::string prompt_feature = "prompt", completion_feature = "completion";
  std::string chat_feature = "messages", text_feature = "text";

  // Ours.
  std::string compat;              // "mlx-lm": as mlx-lm does it, its oddities included
  std::string mask;                // none, prompt, assistant; empty: by mask_prompt
  double epochs = 0;               // > 0: replaces iters
  double max_grad_norm = 0;        // > 0: gradients are scaled down to this global norm
  bool save_best = false;          // keep the adapter of the best validation loss in best/
  int64_t patience = 0;            // > 0: stop after so many validations without a better one
  std::string resume;              // a folder of an earlier run, continued exactly
  std::string log;                 // JSON lines
  std::string dtype = "bfloat16";  // or float32
  std::string device = "auto";
  std::string chat_template = "auto";
  uint64_t memory_limit = 0;  // bytes the run may take; 0: what is available
  bool keep_frozen = true;    // what the frozen blocks give, between epochs, while memory allows
  bool ceilings = false;      // measure what the machine can do, and say each step's share of it
  bool profile = false;       // count what each kind of work takes

  Json extra = Json::MakeObject();  // unknown YAML keys, kept for adapter_config.json

  bool mlx_compat() const { return compat == "mlx-lm"; }
  MaskMode mask_mode() const;
  TuneType tune_type() const;
  AdapterShape adapter_shape() const;  // throws UsageError for what mlx-lm would refuse
  OptimizerOptions optimizer_options() const;
};

// Sets every key of a YAML or JSON object; a null leaves the default. lora_parameters replaces the
// whole map; unknown keys go to `extra`. Throws UsageError naming `where`, the key and what was
// found.
void ApplyYaml(const Json& values, std::string_view where, TrainOptions* options);

// Throws UsageError for values that no run can have.
void Validate(const TrainOptions& options);

// All options under their YAML names, lora_parameters.keys explicit: adapter_config.json. ApplyYaml
// of it gives the options back. resume and log say where a run is kept, not what it is, and are
// left out.
Json ToJson(const TrainOptions& options);

}  // namespace lem
