// SPDX-License-Identifier: EUPL-1.2
// Options of a run: defaults and YAML keys of mlx_lm.lora, what is refused, and the console lines
// that scripts parse.
#include <gtest/gtest.h>

#include "base/error.h"
#include "formats/yaml.h"
#include "pipelines/train/console_lines.h"
#include "pipelines/train/options.h"
#include "tests/support/error_text.h"

namespace lem {
namespace {

TrainOptions FromYaml(std::string_view yaml) {
  TrainOptions options;
  ApplyYaml(ParseYaml(yaml, "run.yaml"), "run.yaml", &options);
  return options;
}

TEST(TrainOptions, DefaultsAreMlxs) {
  const Json json = ToJson(TrainOptions());
  const Json wanted = Json::Parse(
      R"({"fine_tune_type":"lora","optimizer":"adam","mask_prompt":false,"num_layers":16,
          "batch_size":4,"iters":1000,"val_batches":25,"learning_rate":1e-5,"steps_per_report":10,
          "steps_per_eval":200,"grad_accumulation_steps":1,"resume_adapter_file":null,
          "adapter_path":"adapters","save_every":100,"test":false,"train":false,
          "test_batches":500,"max_seq_length":2048,"config":null,"grad_checkpoint":false,
          "report_to":null,"project_name":null,"seed":0,"trust_remote_code":false,
          "prompt_feature":"prompt","completion_feature":"completion","chat_feature":"messages",
          "text_feature":"text"})",
      "test");
  for (const auto& [key, value] : wanted.object()) {
    ASSERT_TRUE(json.Has(key)) << key;
    EXPECT_EQ(json.Find(key)->Dump(), value.Dump()) << key;
  }
  EXPECT_TRUE(json.Find("lr_schedule")->IsNull());
  EXPECT_EQ(json.Find("lora_parameters")->Find("rank")->integer(), 8);
  EXPECT_EQ(json.Find("lora_parameters")->Find("scale")->number(), 20);
}

TEST(TrainOptions, YamlSetsWhatItNamesAndKeepsWhatIsUnknown) {
  const TrainOptions o = FromYaml(
      "model: some/model\ntrain: true\nlearning_rate: 1e-4\nnum_layers: -1\n"
      "lora_parameters:\n  keys: [\"self_attn.q_proj\"]\n  rank: 4\n  scale: 10\n  dropout: 0.1\n"
      "lr_schedule:\n  name: cosine_decay\n  warmup: 100\n  arguments: [1e-5, 1000, 1e-7]\n"
      "my_note: kept\nseed:\n");
  EXPECT_EQ(o.model, "some/model");
  EXPECT_TRUE(o.train);
  EXPECT_EQ(o.learning_rate, 1e-4);
  EXPECT_EQ(o.seed, 0);  // null leaves the default
  EXPECT_EQ(ToJson(o).Find("my_note")->string(), "kept");
  const AdapterShape shape = o.adapter_shape();
  EXPECT_EQ(shape.rank, 4);
  EXPECT_EQ(shape.scale, 10);
  EXPECT_FLOAT_EQ(shape.dropout, 0.1f);
  EXPECT_EQ(shape.keys, std::vector<std::string>{"self_attn.q_proj"});
  EXPECT_EQ(shape.num_layers, -1);
}

TEST(TrainOptions, JsonGivesTheOptionsBack) {
  TrainOptions o =
      FromYaml("model: m\ntrain: true\nepochs: 2\nmask: assistant\nextra_key: [1, 2]\n");
  o.compat = "";
  TrainOptions back;
  ApplyYaml(ToJson(o), "test", &back);
  EXPECT_EQ(ToJson(back).Dump(), ToJson(o).Dump());
}

TEST(TrainOptions, LoraParametersReplaceTheWholeMap) {
  const TrainOptions o = FromYaml("lora_parameters:\n  rank: 4\n");
  EXPECT_EQ(testing::ErrorText([&] { o.adapter_shape(); }),
            "lora_parameters: expected rank, scale and dropout (a given map replaces the whole "
            "default), found no scale");
}

TEST(TrainOptions, KeysAreWrittenOut) {
  const Json json = ToJson(TrainOptions());
  EXPECT_EQ(json.Find("lora_parameters")->Find("keys")->size(), 7u);
  TrainOptions full;
  full.fine_tune_type = "full";
  EXPECT_TRUE(ToJson(full).Find("lora_parameters")->IsNull());
}

TEST(TrainOptions, WrongTypesNameFileAndKey) {
  EXPECT_EQ(testing::ErrorText([] { FromYaml("iters: many\n"); }),
            "run.yaml: iters: expected a whole number, found \"many\"");
  EXPECT_THROW(FromYaml("train: 1\n"), UsageError);
  EXPECT_THROW(FromYaml("lr_schedule: cosine\n"), UsageError);
}

TEST(TrainOptions, OptimizerKeywords) {
  TrainOptions o = FromYaml(
      "optimizer: adamw\noptimizer_config:\n  adamw:\n    betas: [0.9, 0.98]\n    eps: 1e-6\n"
      "    weight_decay: 0.05\n    bias_correction: false\n");
  const OptimizerOptions k = o.optimizer_options();
  EXPECT_EQ(k.beta2, 0.98);
  EXPECT_FLOAT_EQ(k.eps, 1e-6f);
  EXPECT_FLOAT_EQ(k.weight_decay, 0.05f);
  EXPECT_FALSE(k.bias_correction);
  EXPECT_THROW(FromYaml("optimizer: sgd\noptimizer_config:\n  sgd:\n    betas: [0, 1]\n")
                   .optimizer_options(),
               UsageError);
  EXPECT_THROW(FromYaml("optimizer: sgd\noptimizer_config:\n  sgd:\n    nesterov: true\n")
                   .optimizer_options(),
               UsageError);
}

TEST(TrainOptions, BiasCorrectionIsOnUnlessMlxIsReproduced) {
  TrainOptions o;
  EXPECT_TRUE(o.optimizer_options().bias_correction);
  o.compat = "mlx-lm";
  EXPECT_FALSE(o.optimizer_options().bias_correction);
}

TEST(TrainOptions, MasksAndTheirConflicts) {
  TrainOptions o;
  EXPECT_EQ(o.mask_mode(), MaskMode::kNone);
  o.mask_prompt = true;
  EXPECT_EQ(o.mask_mode(), MaskMode::kPrompt);
  o.mask = "assistant";
  EXPECT_EQ(o.mask_mode(), MaskMode::kAssistant);
  o.model = "m", o.data = "d", o.train = true, o.compat = "mlx-lm";
  EXPECT_THROW(Validate(o), UsageError);
}

TEST(TrainOptions, RunsThatCannotBeAreRefused) {
  TrainOptions good;
  good.model = "m", good.data = "d", good.train = true;
  EXPECT_NO_THROW(Validate(good));
  const auto refused = [&](auto change) {
    TrainOptions o = good;
    change(o);
    EXPECT_THROW(Validate(o), UsageError);
  };
  refused([](TrainOptions& o) { o.train = false; });
  refused([](TrainOptions& o) { o.model.clear(); });
  refused([](TrainOptions& o) { o.data.clear(); });
  refused([](TrainOptions& o) { o.batch_size = 0; });
  refused([](TrainOptions& o) { o.iters = 0; });
  refused([](TrainOptions& o) { o.grad_accumulation_steps = 0; });
  refused([](TrainOptions& o) { o.optimizer = "lion"; });
  refused([](TrainOptions& o) { o.fine_tune_type = "qlora"; });
  refused([](TrainOptions& o) { o.extra.Set("hf_dataset", Json::MakeObject()); });
  refused([](TrainOptions& o) { o.adapter_path.clear(); });
}

TEST(ConsoleLines, AreTheClassicOnes) {
  EXPECT_EQ(PhaseLine(TrainPhase::kLoadingModel), "Loading pretrained model");
  EXPECT_EQ(TrainableLine(1234000, 1003252033), "Trainable parameters: 0.123% (1.234M/1003.252M)");
  EXPECT_EQ(StartLine(1000), "Starting training..., iters: 1000");
  ValidationEvent v;
  v.iteration = 1, v.loss = 2.3451, v.seconds = 1.2341;
  EXPECT_EQ(ValidationLine(v), "Iter 1: Val loss 2.345, Val took 1.234s");
  ReportEvent r;
  r.iteration = 10, r.train_loss = 2.345, r.learning_rate = 1e-5, r.iterations_per_second = 1.234;
  r.tokens_per_second = 123.456, r.trained_tokens = 1234, r.peak_memory_bytes = 1234000000;
  EXPECT_EQ(ReportLine(r),
            "Iter 10: Train loss 2.345, Learning Rate 1.000e-05, It/sec 1.234, Tokens/sec 123.456, "
            "Trained Tokens 1234, Peak mem 1.234 GB");
  EXPECT_EQ(SaveLine({100, "adapters/adapters.safetensors", "adapters/0000100_adapters.safetensors",
                      false}),
            "Iter 100: Saved adapter weights to adapters/adapters.safetensors and "
            "adapters/0000100_adapters.safetensors.");
  EXPECT_EQ(SaveLine({100, "adapters/adapters.safetensors", "", true}),
            "Saved final weights to adapters/adapters.safetensors.");
  EXPECT_EQ(TestLine(1.2341), "Test loss 1.234, Test ppl 3.435.");
}

}  // namespace
}  // namespace lem
