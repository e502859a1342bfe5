// SPDX-License-Identifier: EUPL-1.2
#include "cli/train_flags.h"

#include "pipelines/train/options.h"

namespace lem::cli {
namespace {

using Kind = Flags::Kind;

struct Row {
  const char* names;
  Kind kind;
  const char* key;
  const char* help;
  const char* words = "";  // the only ones allowed, "a|b"
};

constexpr Row kMlx[] = {
    {"--model", Kind::kText, "model", "a model folder, a .gguf file, or a catalogue name"},
    {"--train", Kind::kSwitch, "train", "train"},
    {"--data", Kind::kText, "data", "a folder with train.jsonl, valid.jsonl and test.jsonl"},
    {"--fine-tune-type", Kind::kText, "fine_tune_type", "what is trained", "lora|dora|full"},
    {"--optimizer", Kind::kText, "optimizer", "the optimizer", "adam|adamw|muon|sgd|adafactor"},
    {"--mask-prompt", Kind::kSwitch, "mask_prompt", "learn the last message only"},
    {"--num-layers", Kind::kInteger, "num_layers", "blocks to adapt, from the last; -1: all"},
    {"--batch-size", Kind::kInteger, "batch_size", "examples per step"},
    {"--iters", Kind::kInteger, "iters", "steps"},
    {"--val-batches", Kind::kInteger, "val_batches", "batches per validation; -1: all"},
    {"--learning-rate", Kind::kNumber, "learning_rate",
     "ignored when the configuration has lr_schedule"},
    {"--steps-per-report", Kind::kInteger, "steps_per_report", "steps between report lines"},
    {"--steps-per-eval", Kind::kInteger, "steps_per_eval", "steps between validations"},
    {"--grad-accumulation-steps", Kind::kInteger, "grad_accumulation_steps", "steps per update"},
    {"--resume-adapter-file", Kind::kText, "resume_adapter_file", "begin with these weights"},
    {"--adapter-path", Kind::kText, "adapter_path", "folder to write to, or to test"},
    {"--save-every", Kind::kInteger, "save_every", "steps between saves"},
    {"--test", Kind::kSwitch, "test", "score test.jsonl"},
    {"--test-batches", Kind::kInteger, "test_batches", "batches of the test; -1: all"},
    {"--max-seq-length", Kind::kInteger, "max_seq_length", "longer examples are cut"},
    {"--grad-checkpoint", Kind::kSwitch, "grad_checkpoint", "recompute activations to save memory"},
    {"--seed", Kind::kInteger, "seed", "seed of all random numbers"},
};

constexpr Row kOurs[] = {
    {"--compat", Kind::kText, "compat", "do as mlx-lm does, its oddities included", "mlx-lm"},
    {"--mask", Kind::kText, "mask",
     "what is not learnt: nothing, the prompt, all but assistant turns", "none|prompt|assistant"},
    {"--epochs", Kind::kNumber, "epochs", "passes over the data, instead of --iters"},
    {"--max-grad-norm", Kind::kNumber, "max_grad_norm",
     "scale larger gradients down to this norm; 0: off"},
    {"--save-best", Kind::kSwitch, "save_best",
     "keep the adapter of the best validation loss in best/"},
    {"--patience", Kind::kInteger, "patience",
     "stop after this many validations without a better one; 0: off"},
    {"--resume", Kind::kText, "resume", "continue the run in this folder exactly"},
    {"--log", Kind::kText, "log", "write one JSON row per step to this file"},
    {"--ceilings", Kind::kSwitch, "ceilings",
     "measure this machine's matrix products and say each step's share of them"},
    {"--profile", Kind::kSwitch, "profile",
     "count seconds, operations and bytes of each kind of work, and print them at the end"},
    {"--dtype", Kind::kText, "dtype", "how matrix products round their operands",
     "bfloat16|float32"},
    {"--chat-template", Kind::kText, "chat_template", "auto, a built-in name, or a file"},
    {"--device", Kind::kText, "device", "where to compute", "auto|cpu|cuda"},
};

constexpr Row kAccepted[] = {
    {"--clear-cache-threshold", Kind::kText, "clear_cache_threshold",
     "there is no such cache here"},
    {"--report-to", Kind::kText, "report_to", "--log writes the same numbers"},
    {"--project-name", Kind::kText, "project_name", "see --report-to"},
    {"--trust-remote-code", Kind::kSwitch, "trust_remote_code", "no code of a model is ever run"},
};

std::vector<std::string> Split(std::string_view words) {
  std::vector<std::string> out;
  while (!words.empty()) {
    const size_t bar = std::min(words.find('|'), words.size());
    out.emplace_back(words.substr(0, bar));
    words.remove_prefix(std::min(bar + 1, words.size()));
  }
  return out;
}

std::string Shown(const Json& defaults, const char* key) {
  const Json* value = defaults.Find(key);
  if (!value || value->IsNull() || value->IsBool()) return "";
  return value->IsString() ? value->string() : value->Dump();
}

}  // namespace

void AddTrainFlags(Flags& flags, Json& settings) {
  const Json defaults = ToJson(TrainOptions());
  const auto add = [&](const char* title, std::span<const Row> rows) {
    flags.Section(title);
    for (const Row& row : rows) {
      flags.AddSetting(row.names, row.kind, row.key, settings, Shown(defaults, row.key), row.help);
      if (*row.words) flags.OneOf(Split(row.words));
    }
  };
  add("As mlx_lm.lora", kMlx);
  add("Beyond mlx-lm", kOurs);
  add("Accepted from mlx-lm, without effect here", kAccepted);
}

}  // namespace lem::cli
