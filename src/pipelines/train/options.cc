// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/train/options.h"

#include <algorithm>
#include <variant>

#include "base/error.h"

namespace lem {
namespace {

// One row per option: its YAML key and its place in the record. Reading and writing share it.
struct Field {
  std::string_view key;
  std::variant<std::string TrainOptions::*, bool TrainOptions::*, int64_t TrainOptions::*,
               double TrainOptions::*, Json TrainOptions::*>
      place;
  bool recorded = true;  // part of what the run is; false: where it is kept
};

using T = TrainOptions;

const Field kFields[] = {
    {"model", &T::model},
    {"train", &T::train},
    {"test", &T::test},
    {"data", &T::data},
    {"fine_tune_type", &T::fine_tune_type},
    {"optimizer", &T::optimizer},
    {"optimizer_config", &T::optimizer_config},
    {"mask_prompt", &T::mask_prompt},
    {"num_layers", &T::num_layers},
    {"batch_size", &T::batch_size},
    {"iters", &T::iters},
    {"val_batches", &T::val_batches},
    {"learning_rate", &T::learning_rate},
    {"steps_per_report", &T::steps_per_report},
    {"steps_per_eval", &T::steps_per_eval},
    {"grad_accumulation_steps", &T::grad_accumulation_steps},
    {"resume_adapter_file", &T::resume_adapter_file},
    {"adapter_path", &T::adapter_path},
    {"save_every", &T::save_every},
    {"test_batches", &T::test_batches},
    {"max_seq_length", &T::max_seq_length},
    {"config", &T::config},
    {"grad_checkpoint", &T::grad_checkpoint},
    {"clear_cache_threshold", &T::clear_cache_threshold},
    {"report_to", &T::report_to},
    {"project_name", &T::project_name},
    {"seed", &T::seed},
    {"trust_remote_code", &T::trust_remote_code},
    {"lora_parameters", &T::lora_parameters},
    {"lr_schedule", &T::lr_schedule},
    {"prompt_feature", &T::prompt_feature},
    {"completion_feature", &T::completion_feature},
    {"chat_feature", &T::chat_feature},
    {"text_feature", &T::text_feature},
    {"compat", &T::compat},
    {"mask", &T::mask},
    {"epochs", &T::epochs},
    {"max_grad_norm", &T::max_grad_norm},
    {"save_best", &T::save_best},
    {"patience", &T::patience},
    {"dtype", &T::dtype},
    {"device", &T::device},
    {"chat_template", &T::chat_template},
    {"resume", &T::resume, false},
    {"log", &T::log, false},
    {"ceilings", &T::ceilings, false},
    {"profile", &T::profile, false},
};

// mlx-lm writes null where nothing was given.
bool IsNullWhenEmpty(std::string_view key) {
  return key == "config" || key == "resume_adapter_file" || key == "report_to" ||
         key == "project_name" || key == "compat" || key == "mask";
}

struct Reader {
  const Json& value;
  std::string where;
  TrainOptions& options;

  [[noreturn]] void Refuse(std::string_view expected) const {
    FailUsage(where, ": expected ", expected, ", found ", value.Dump());
  }
  void operator()(std::string T::*place) const {
    // Sizes and names may be written as bare numbers.
    if (value.IsNumber()) {
      options.*place = value.Dump();
    } else if (value.IsString()) {
      options.*place = value.string();
    } else {
      Refuse("a text");
    }
  }
  void operator()(bool T::*place) const {
    if (!value.IsBool()) Refuse("true or false");
    options.*place = value.boolean();
  }
  void operator()(int64_t T::*place) const {
    if (!value.IsInteger()) Refuse("a whole number");
    options.*place = value.integer();
  }
  void operator()(double T::*place) const {
    if (!value.IsNumber()) Refuse("a number");
    options.*place = value.number();
  }
  void operator()(Json T::*place) const {
    if (!value.IsObject()) Refuse("a map");
    options.*place = value;
  }
};

struct Writer {
  const TrainOptions& options;
  std::string_view key;

  Json operator()(std::string T::*place) const {
    const std::string& text = options.*place;
    return text.empty() && IsNullWhenEmpty(key) ? Json() : Json(text);
  }
  template <class Value>
  Json operator()(Value T::*place) const {
    return Json(options.*place);
  }
};

double LoraNumber(const Json& parameters, std::string_view key) {
  const Json* value = parameters.Find(key);
  if (!value) {
    FailUsage("lora_parameters: expected rank, scale and dropout (a given map replaces the whole ",
              "default), found no ", key);
  }
  if (!value->IsNumber())
    FailUsage("lora_parameters.", key, ": expected a number, found ", value->Dump());
  return value->number();
}

void ReadOptimizerKey(const std::string& where, const std::string& key, const Json& value,
                      OptimizerOptions* o) {
  const std::string at = where + "." + key;
  const auto number = [&] {
    if (!value.IsNumber()) FailUsage(at, ": expected a number, found ", value.Dump());
    return value.number();
  };
  const auto flag = [&] {
    if (!value.IsBool()) FailUsage(at, ": expected true or false, found ", value.Dump());
    return value.boolean();
  };
  const auto pair = [&](auto* a, auto* b) {
    if (!value.IsArray() || value.size() != 2 || !value.array()[0].IsNumber() ||
        !value.array()[1].IsNumber()) {
      FailUsage(at, ": expected two numbers, found ", value.Dump());
    }
    using Number = std::remove_pointer_t<decltype(a)>;
    *a = static_cast<Number>(value.array()[0].number());
    *b = static_cast<Number>(value.array()[1].number());
  };
  const bool adafactor = o->kind == OptimizerKind::kAdafactor;
  const bool adam = o->kind == OptimizerKind::kAdam || o->kind == OptimizerKind::kAdamW;
  if (adam && key == "betas") return pair(&o->beta1, &o->beta2);
  if (adam && key == "eps") return void(o->eps = static_cast<float>(number()));
  if (adam && key == "bias_correction") return void(o->bias_correction = flag());
  if (o->kind != OptimizerKind::kAdam && key == "weight_decay")
    return void(o->weight_decay = static_cast<float>(number()));
  if (adafactor && key == "eps") return pair(&o->factor_eps, &o->scale_eps);
  if (adafactor && key == "clip_threshold")
    return void(o->clip_threshold = static_cast<float>(number()));
  if (adafactor && key == "decay_rate") return void(o->decay_rate = static_cast<float>(number()));
  if (adafactor && key == "scale_parameter") return void(o->scale_parameter = flag());
  if (adafactor && key == "relative_step") return void(o->relative_step = flag());
  if (adafactor && key == "warmup_init") return void(o->warmup_init = flag());
  if (adafactor && key == "beta_1") {
    if (value.IsNull()) return;
    o->has_beta1 = true;
    return void(o->beta1 = number());
  }
  if (!adam && !adafactor && key == "momentum")
    return void(o->momentum = static_cast<float>(number()));
  if (!adam && !adafactor && key == "nesterov") return void(o->nesterov = flag());
  if (o->kind == OptimizerKind::kSgd && key == "dampening")
    return void(o->dampening = static_cast<float>(number()));
  if (o->kind == OptimizerKind::kMuon && key == "ns_steps") {
    return void(o->ns_steps = static_cast<int>(number()));
  }
  FailUsage(where, ": the optimizer ", NameOf(o->kind), " has no keyword ", key);
}

void Require(bool condition, std::string_view flag, std::string_view expected, const Json& found) {
  if (!condition) FailUsage("--", flag, ": expected ", expected, ", found ", found.Dump());
}

}  // namespace

MaskMode TrainOptions::mask_mode() const {
  if (mask.empty()) return mask_prompt ? MaskMode::kPrompt : MaskMode::kNone;
  if (mask == "none") return MaskMode::kNone;
  if (mask == "prompt") return MaskMode::kPrompt;
  if (mask == "assistant") return MaskMode::kAssistant;
  FailUsage("--mask: expected prompt, assistant or none, found ", mask);
}

TuneType TrainOptions::tune_type() const {
  if (fine_tune_type == "lora") return TuneType::kLora;
  if (fine_tune_type == "dora") return TuneType::kDora;
  if (fine_tune_type == "full") return TuneType::kFull;
  FailUsage("--fine-tune-type: expected lora, dora or full, found ", fine_tune_type);
}

AdapterShape TrainOptions::adapter_shape() const {
  AdapterShape shape;
  shape.type = tune_type();
  shape.num_layers = static_cast<int>(num_layers);
  if (shape.type == TuneType::kFull) return shape;
  const double rank = LoraNumber(lora_parameters, "rank");
  if (!(rank >= 1 && rank <= 4096) || rank != static_cast<int>(rank)) {
    FailUsage("lora_parameters.rank: expected a whole number from 1 to 4096, found ", rank);
  }
  shape.rank = static_cast<int>(rank);
  shape.scale = static_cast<float>(LoraNumber(lora_parameters, "scale"));
  shape.dropout = static_cast<float>(LoraNumber(lora_parameters, "dropout"));
  if (!(shape.dropout >= 0 && shape.dropout < 1)) {
    FailUsage("lora_parameters.dropout: expected a number in [0, 1), found ", shape.dropout);
  }
  if (const Json* keys = lora_parameters.Find("keys"); keys && !keys->IsNull()) {
    for (const Json& key : keys->AsArray("lora_parameters.keys")) {
      shape.keys.push_back(key.AsString("lora_parameters.keys"));
    }
    if (shape.keys.empty()) {
      FailUsage("lora_parameters.keys: expected at least one module path such as ",
                "self_attn.q_proj, found an empty list");
    }
  }
  return shape;
}

OptimizerOptions TrainOptions::optimizer_options() const {
  OptimizerOptions o = OptimizerOptions::DefaultsOf(OptimizerByName(optimizer));
  if (mlx_compat()) o.bias_correction = false;
  const Json* keywords = optimizer_config.Find(optimizer);
  if (keywords && !keywords->IsNull()) {
    const std::string where = "optimizer_config." + optimizer;
    for (const auto& [key, value] : keywords->AsObject(where)) {
      ReadOptimizerKey(where, key, value, &o);
    }
  }
  if (o.kind == OptimizerKind::kSgd && o.nesterov && (o.momentum <= 0 || o.dampening != 0)) {
    FailUsage("optimizer_config.sgd: nesterov needs a momentum above 0 and no dampening");
  }
  if (!(o.beta1 >= 0 && o.beta1 < 1 && o.beta2 >= 0 && o.beta2 < 1)) {
    FailUsage("optimizer_config.", optimizer, ".betas: expected two numbers in [0, 1)");
  }
  return o;
}

void ApplyYaml(const Json& values, std::string_view where, TrainOptions* options) {
  if (!values.IsObject()) FailUsage(where, ": expected a map of options, found ", values.Dump());
  for (const auto& [key, value] : values.object()) {
    const auto field = std::ranges::find(kFields, key, &Field::key);
    if (field == std::end(kFields)) {
      options->extra.Set(key, value);
    } else if (!value.IsNull()) {
      std::visit(Reader{value, std::string(where) + ": " + key, *options}, field->place);
    } else if (key == "lora_parameters") {
      continue;  // full fine-tuning writes null
    }
  }
}

Json ToJson(const TrainOptions& options) {
  Json json = options.extra;
  for (const Field& field : kFields) {
    if (!field.recorded) continue;
    json.Set(std::string(field.key), std::visit(Writer{options, field.key}, field.place));
  }
  // mlx-lm knows mask_prompt alone; say it in its words too.
  json.Set("mask_prompt", options.mask_mode() == MaskMode::kPrompt);
  if (options.tune_type() == TuneType::kFull) {
    json.Set("lora_parameters", Json());
    return json;
  }
  const AdapterShape shape = options.adapter_shape();
  Json parameters = options.lora_parameters;
  Json keys = Json::MakeArray();
  if (shape.keys.empty()) {
    for (int p = 0; p < kProjections; ++p) {
      keys.Append(Json(ProjectionPath(static_cast<Projection>(p))));
    }
  } else {
    for (const std::string& key : shape.keys) keys.Append(Json(key));
  }
  parameters.Set("keys", keys);
  json.Set("lora_parameters", parameters);
  return json;
}

void Validate(const TrainOptions& o) {
  if (!o.train && !o.test) {
    FailUsage("lem train: expected at least one of --train and --test, found neither");
  }
  if (o.model.empty()) {
    FailUsage("--model: expected a model folder, a .gguf file or a catalogue name; there is no ",
              "default model, nothing is fetched unasked; try `lem pull`");
  }
  if (o.data.empty()) {
    FailUsage("--data: expected a folder with train.jsonl (and valid.jsonl, test.jsonl)");
  }
  if (o.extra.Has("hf_dataset")) {
    FailUsage("hf_dataset: data of the Hugging Face hub is not fetched; write the rows to ",
              "DIR/train.jsonl and give --data DIR");
  }
  Require(o.compat.empty() || o.compat == "mlx-lm", "compat", "mlx-lm", o.compat);
  Require(o.batch_size >= 1 && o.batch_size <= 65536, "batch-size", "1 to 65536", o.batch_size);
  Require(o.iters >= 1, "iters", "at least 1", o.iters);
  Require(o.epochs >= 0, "epochs", "a number above 0", o.epochs);
  constexpr int64_t kMost = int64_t{1} << 31;
  Require(o.val_batches >= -1 && o.val_batches <= kMost, "val-batches", "-1 (all) to 2^31",
          o.val_batches);
  Require(o.test_batches >= -1 && o.test_batches <= kMost, "test-batches", "-1 (all) to 2^31",
          o.test_batches);
  Require(o.learning_rate >= 0, "learning-rate", "a number not below 0", o.learning_rate);
  Require(o.steps_per_report >= 1, "steps-per-report", "at least 1", o.steps_per_report);
  Require(o.steps_per_eval >= 1, "steps-per-eval", "at least 1", o.steps_per_eval);
  Require(o.save_every >= 1, "save-every", "at least 1", o.save_every);
  Require(o.grad_accumulation_steps >= 1, "grad-accumulation-steps", "at least 1",
          o.grad_accumulation_steps);
  Require(o.max_seq_length >= 2 && o.max_seq_length <= (1 << 24), "max-seq-length", "2 to 2^24",
          o.max_seq_length);
  Require(o.max_grad_norm >= 0, "max-grad-norm", "a number not below 0", o.max_grad_norm);
  Require(o.patience >= 0, "patience", "a number not below 0", o.patience);
  Require(o.seed >= 0, "seed", "a number not below 0", o.seed);
  if (o.train && o.adapter_path.empty()) FailUsage("--adapter-path: expected a folder to write to");
  if (o.mlx_compat() && o.mask_mode() == MaskMode::kAssistant) {
    FailUsage("--mask assistant: mlx-lm cannot do this; leave out --compat mlx-lm, or use --mask ",
              "prompt");
  }
  o.adapter_shape();
  o.optimizer_options();
}

}  // namespace lem
