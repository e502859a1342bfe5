// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/train/train.h"

#include <chrono>
#include <cmath>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/memory.h"
#include "pipelines/train/evaluation.h"
#include "pipelines/train/inputs.h"
#include "pipelines/train/trainer.h"

namespace lem {
namespace fs = std::filesystem;
namespace {

std::unique_ptr<Decoder> LoadDecoder(const TrainOptions& options, Backend& backend,
                                     const TrainInputs& inputs, int lowest_layer) {
  DecoderOptions decoder;
  decoder.precision = inputs.precision;
  // A batch has many rows. mlx-lm's products do not round a quantised weight.
  if (!options.mlx_compat()) decoder.form = WeightOptions::Form::kRounded;
  decoder.mlx_embed_scale = options.mlx_compat();
  decoder.input_gradients_from_layer_set = true;
  decoder.input_gradients_from_layer = lowest_layer;
  return Decoder::Load(backend, inputs.checkpoint, decoder);
}

BatchBounds BoundsFor(const TrainOptions& options, const TrainInputs& inputs) {
  BatchBounds all;
  for (const Dataset* dataset : {&inputs.train, &inputs.valid, &inputs.test}) {
    if (dataset->empty()) continue;
    const BatchBounds bounds = BoundsOf(*dataset, options.batch_size, options);
    all.tokens = std::max(all.tokens, bounds.tokens);
    all.counted = std::max(all.counted, bounds.counted);
  }
  if (!options.train) return all;
  const auto rows = [](const Dataset& d) { return static_cast<int64_t>(d.examples.size()); };
  if (IterationsOf(options, inputs.train) > IterationsPerEpoch(inputs.train, options)) {
    all.repeated += BoundsOf(inputs.train, rows(inputs.train), options).tokens;
  }
  // A validation is made at least twice. mlx-lm draws its rows anew each time.
  const bool some = options.val_batches >= 0 && !options.mlx_compat();
  const int64_t validated = some ? options.val_batches * options.batch_size : rows(inputs.valid);
  if (options.val_batches != 0) {
    all.repeated += BoundsOf(inputs.valid, validated, options).tokens;
  }
  return all;
}

PassOptions PassFor(const TrainOptions& options, const TrainInputs& inputs) {
  const BatchBounds bounds = BoundsFor(options, inputs);
  PassOptions pass;
  pass.max_tokens = bounds.tokens;
  pass.max_counted = bounds.counted;
  pass.grad_checkpoint = options.grad_checkpoint;
  pass.dropout_seed = static_cast<uint64_t>(options.seed);
  return pass;
}

TrainPlan PlanFor(const TrainOptions& options, const TrainInputs& inputs, const Adapter& adapter) {
  const uint64_t weights = WeightMap::Locate(inputs.checkpoint, inputs.config)
                               .PreparedBytes(inputs.precision, adapter.lowest_layer());
  return MakePlan(options, inputs.config, weights, adapter, inputs.train,
                  BoundsFor(options, inputs), IterationsOf(options, inputs.train),
                  inputs.precision);
}

void LoadStartingWeights(const TrainOptions& options, const ModelConfig& config, Adapter* adapter) {
  if (options.resume_adapter_file.empty()) return;
  const Adapter start = Adapter::Load(options.resume_adapter_file, config);
  if (start.values().size() != adapter->values().size() ||
      start.shape().type != adapter->shape().type) {
    Fail("--resume-adapter-file ", options.resume_adapter_file, ": expected ",
         adapter->values().size(),
         " trained numbers in the shape that these options ask for, found ", start.values().size(),
         "; use the same --num-layers, rank and keys");
  }
  std::ranges::copy(start.values(), adapter->values().begin());
}

void WriteConfig(const TrainOptions& options, const fs::path& folder) {
  Json::Format format;
  format.indent = 4;
  format.sort_keys = true;
  format.python_style = true;
  WriteFileAtomically(folder / "adapter_config.json", ToJson(options).Dump(format));
}

double TestLoss(const TrainOptions& options, const TrainInputs& inputs, TrainingPass& pass,
                NumpyRandom& random, TrainObserver& observer) {
  observer.OnPhase(TrainPhase::kTesting);
  Evaluation evaluation(inputs.test, options, options.test_batches);
  const Evaluation::Result result = evaluation.Run(pass, random, observer);
  observer.OnTest(result.loss, result.tokens);
  return result.loss;
}

TrainResult TrainAndTest(const TrainOptions& options, Backend& backend, TrainInputs& inputs,
                         TrainObserver& observer) {
  Adapter adapter(inputs.config, options.adapter_shape());
  const TrainPlan plan = PlanFor(options, inputs, adapter);
  RefuseIfTooLarge(plan, options.memory_limit, options);
  const std::unique_ptr<Decoder> decoder =
      LoadDecoder(options, backend, inputs, adapter.lowest_layer());
  adapter.Initialize(static_cast<uint64_t>(options.seed), decoder->weights());
  LoadStartingWeights(options, inputs.config, &adapter);
  decoder->SetAdapter(&adapter);
  PassOptions pass_options = PassFor(options, inputs);
  pass_options.frozen_bytes = plan.pass.frozen;
  TrainingPass pass(*decoder, adapter, pass_options);

  observer.OnPhase(TrainPhase::kTraining);
  Trainer trainer(options, inputs, adapter, pass, observer);
  if (!options.resume.empty()) trainer.Restore(LoadState(options.resume));
  trainer.Begin();
  WriteConfig(options, options.adapter_path);
  if (options.save_best) WriteConfig(options, fs::path(options.adapter_path) / "best");
  observer.OnStart({trainer.counters().iteration + 1, plan.iterations, options.mlx_compat(), plan});
  trainer.Run(plan.iterations);

  TrainResult result = trainer.result();
  if (options.test) {
    result.test_loss = TestLoss(options, inputs, pass, trainer.random(), observer);
  }
  return result;
}

// --test without --train: the adapter of --adapter-path, or the bare model when that is empty.
TrainResult TestOnly(const TrainOptions& options, Backend& backend, TrainInputs& inputs,
                     TrainObserver& observer) {
  std::optional<Adapter> adapter;
  if (options.adapter_path.empty()) {
    AdapterShape shape;  // zeros: no change to the model
    shape.rank = 1;
    shape.num_layers = 1;
    adapter.emplace(inputs.config, shape);
  } else {
    adapter.emplace(Adapter::Load(options.adapter_path, inputs.config));
  }
  const std::unique_ptr<Decoder> decoder =
      LoadDecoder(options, backend, inputs, adapter->lowest_layer());
  decoder->SetAdapter(&*adapter);
  TrainingPass pass(*decoder, *adapter, PassFor(options, inputs));
  NumpyRandom random(static_cast<uint32_t>(options.seed));
  TrainResult result;
  result.test_loss = TestLoss(options, inputs, pass, random, observer);
  return result;
}

}  // namespace

int64_t IterationsOf(const TrainOptions& options, const Dataset& train) {
  if (!(options.epochs > 0)) return options.iters;
  const auto per_epoch = static_cast<double>(IterationsPerEpoch(train, options));
  return std::max<int64_t>(1, std::llround(options.epochs * per_epoch));
}

TrainPlan PlanTraining(const TrainOptions& options, TrainObserver& observer) {
  Validate(options);
  const std::unique_ptr<TrainInputs> inputs = TrainInputs::Open(options, observer);
  const Adapter adapter(inputs->config, options.adapter_shape());
  TrainPlan plan = PlanFor(options, *inputs, adapter);
  EstimateTime(inputs->precision, &plan);
  return plan;
}

TrainResult Train(const TrainOptions& given, Backend& backend, TrainObserver& observer) {
  const auto start = std::chrono::steady_clock::now();
  TrainOptions options = given;
  if (!options.resume.empty()) options.adapter_path = options.resume;
  Validate(options);
  if (!options.report_to.empty()) {
    observer.OnWarning("--report-to: no such service is contacted; --log FILE writes the numbers");
  }
  const std::unique_ptr<TrainInputs> inputs = TrainInputs::Open(options, observer);
  Profile profile;
  const std::unique_ptr<Backend> counting = MakeProfiledBackend(backend, profile);
  Backend& used = options.profile ? *counting : backend;
  TrainResult result = options.train ? TrainAndTest(options, used, *inputs, observer)
                                     : TestOnly(options, used, *inputs, observer);
  result.profile = profile.Parts();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result.peak_memory_bytes = PeakMemoryBytes();
  return result;
}

}  // namespace lem
