// SPDX-License-Identifier: EUPL-1.2
// What a run reads: the model's files, its tokenizer and template, and the data as tokens.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "formats/checkpoint.h"
#include "model/config.h"
#include "pipelines/train/dataset.h"
#include "pipelines/train/observer.h"
#include "pipelines/train/state.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace lem {

struct TrainInputs {
  Checkpoint checkpoint;
  Tokenizer tokenizer;
  ModelConfig config;
  Precision precision = Precision::kBFloat16;
  std::optional<ChatTemplate> chat_template;
  std::string template_source;
  Dataset train, valid, test;
  RunIdentity identity;

  // Opens and tokenises; tells the observer what was cut and left out, by line. Throws Error.
  static std::unique_ptr<TrainInputs> Open(const TrainOptions& options, TrainObserver& observer);

 private:
  TrainInputs(Checkpoint c, Tokenizer t) : checkpoint(std::move(c)), tokenizer(std::move(t)) {}
  void ReadData(const TrainOptions& options, TrainObserver& observer);
};

}  // namespace lem
