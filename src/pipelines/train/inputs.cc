// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/train/inputs.h"

#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "pipelines/loaded_model.h"
#include "pipelines/train/console_lines.h"

namespace lem {
namespace fs = std::filesystem;
namespace {

// Ids that the embedding has no row for would be read out of bounds.
void CheckIds(const Dataset& dataset, int vocab) {
  for (const Example& example : dataset.examples) {
    for (const int32_t id : example.ids) {
      if (id >= 0 && id < vocab) continue;
      Fail(dataset.where, ":", example.line, ": token id ", id, " is outside the model's ", vocab,
           " embeddings; the tokenizer does not belong to this model");
    }
  }
}

Dataset ReadAndFit(const fs::path& path, const Encoding& encoding, const TrainOptions& options,
                   int vocab, TrainObserver& observer) {
  Dataset dataset = ReadDataset(path, encoding);
  CheckIds(dataset, vocab);
  if (options.mlx_compat()) return dataset;  // its batches cut rows themselves
  const FitReport fit = FitDataset(options.max_seq_length, &dataset);
  if (!fit.truncated.empty()) {
    observer.OnWarning(TruncationLine(options.max_seq_length, fit.longest) + " (" + dataset.where +
                       ", " + DescribeLines(fit.truncated) + ")");
  }
  if (!fit.unlearnt.empty()) {
    observer.OnWarning(dataset.where + ": " + std::to_string(fit.unlearnt.size()) +
                       " examples left out, nothing in them is to be learnt (" +
                       DescribeLines(fit.unlearnt) + ")");
  }
  return dataset;
}

}  // namespace

std::unique_ptr<TrainInputs> TrainInputs::Open(const TrainOptions& options,
                                               TrainObserver& observer) {
  observer.OnPhase(TrainPhase::kLoadingModel);
  const fs::path path = ResolveModel(options.model);
  std::unique_ptr<TrainInputs> inputs(
      new TrainInputs(Checkpoint::Open(path), Tokenizer::Load(path)));
  inputs->precision = PrecisionByName(options.dtype);
  ConfigOptions config_options;
  config_options.embed_scale_bf16 =
      inputs->precision == Precision::kBFloat16 || options.mlx_compat();
  inputs->config = ReadModelConfig(inputs->checkpoint, config_options);
  if (options.num_layers > inputs->config.layers) {
    FailUsage("--num-layers: Requested to train ", options.num_layers,
              " layers but the model only has ", inputs->config.layers, " layers.");
  }
  TemplateChoice choice =
      ChooseTemplate(options.chat_template, inputs->tokenizer, inputs->config.family);
  if (!choice.source.empty()) {
    inputs->chat_template = ChatTemplate::Parse(choice.source, choice.origin);
    inputs->template_source = choice.source;
  }
  inputs->identity.options = ToJson(options);
  inputs->identity.model_hash = inputs->checkpoint.ContentHash();
  inputs->identity.tokenizer_hash = inputs->tokenizer.Hash();
  inputs->identity.template_hash = Sha256Hex(choice.source);
  observer.OnPhase(TrainPhase::kLoadingData);
  inputs->ReadData(options, observer);
  const bool chat = inputs->train.kind != RecordKind::kText;
  if (choice.is_fallback && chat && !inputs->train.empty()) {
    observer.OnNote("this model has no chat template; using the " + choice.origin +
                    " template of its family (--chat-template chooses)");
  }
  return inputs;
}

void TrainInputs::ReadData(const TrainOptions& options, TrainObserver& observer) {
  const fs::path folder = options.data;
  if (!fs::is_directory(folder)) {
    FailUsage("--data ", options.data, ": expected a folder with train.jsonl, valid.jsonl and ",
              "test.jsonl, found ", fs::exists(folder) ? "a file" : "nothing",
              "; data of the Hugging Face hub has to be written there first");
  }
  Encoding encoding;
  encoding.tokenizer = &tokenizer;
  encoding.chat_template = chat_template ? &*chat_template : nullptr;
  encoding.mask = options.mask_mode();
  encoding.mlx_compat = options.mlx_compat();
  encoding.prompt_feature = options.prompt_feature;
  encoding.completion_feature = options.completion_feature;
  encoding.chat_feature = options.chat_feature;
  encoding.text_feature = options.text_feature;
  const auto read = [&](const char* name) {
    return ReadAndFit(folder / name, encoding, options, config.vocab, observer);
  };
  if (options.train) {
    train = read("train.jsonl");
    if (train.empty()) {
      Fail((folder / "train.jsonl").string(), ": expected examples to train on, found none");
    }
    valid = read("valid.jsonl");
    if (valid.empty()) {
      observer.OnWarning((folder / "valid.jsonl").string() +
                         ": no examples; training goes on without validation");
    }
  }
  if (options.test) {
    test = read("test.jsonl");
    if (test.empty()) {
      Fail((folder / "test.jsonl").string(), ": expected examples to test on, found none");
    }
  }
  identity.train_hash = train.sha256;
  identity.valid_hash = valid.sha256;
}

}  // namespace lem
