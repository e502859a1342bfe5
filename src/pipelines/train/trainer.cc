// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/memory.h"
#include "base/stop.h"
#include "pipelines/train/console_lines.h"

namespace lem {
namespace fs = std::filesystem;
namespace {

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string CheckpointName(int64_t iteration) {
  return fmt::format("{:07}_adapters.safetensors", iteration);
}

}  // namespace

Trainer::Trainer(const TrainOptions& options, const TrainInputs& inputs, Adapter& adapter,
                 TrainingPass& pass, TrainObserver& observer)
    : options_(options),
      inputs_(inputs),
      adapter_(adapter),
      pass_(pass),
      observer_(observer),
      gradients_(adapter.LikeThis()),
      optimizer_(options.optimizer_options(), ParameterBlocks(adapter), adapter.values().size()),
      schedule_(Schedule::Make(options.learning_rate, options.lr_schedule)),
      random_(static_cast<uint32_t>(options.seed)) {
  if (options.mlx_compat()) {
    mlx_order_.emplace(inputs.train, options.batch_size);
  } else {
    epoch_order_.emplace(inputs.train, options.batch_size, static_cast<uint64_t>(options.seed));
  }
  if (!inputs.valid.empty() && options.val_batches != 0) {
    validation_.emplace(inputs.valid, options, options.val_batches);
  } else if (options.save_best || options.patience > 0) {
    FailUsage(options.save_best ? "--save-best" : "--patience", ": expected a validation set to ",
              "judge by, found none; add valid.jsonl to the data, and leave --val-batches above 0");
  }
  learning_rate_ = schedule_.RateAt(0);
  if (options.ceilings) gemm_ceiling_ = MeasureGemmFlops(inputs.precision);
  if (options.mlx_compat() && options.adapter_shape().dropout > 0) {
    observer.OnWarning(
        "lora_parameters.dropout: the masks are ours, not mlx-lm's; everything else "
        "follows it");
  }
  TakeDraws();
}

void Trainer::Restore(RunState state) {
  CheckContinues(state.identity, inputs_.identity);
  if (state.values.size() != adapter_.values().size()) {
    Fail(StateFile(options_.resume).string(), ": expected ", adapter_.values().size(),
         " trained numbers, found ", state.values.size());
  }
  counters_ = state.counters;
  std::ranges::copy(state.values, adapter_.values().begin());
  if (!state.gradients.empty()) {
    LEM_CHECK(state.gradients.size() == gradients_.values().size());
    std::ranges::copy(state.gradients, gradients_.values().begin());
  }
  optimizer_.set_steps(state.updates);
  for (Optimizer::StateVector& vector : optimizer_.state()) {
    const auto saved = state.optimizer.find(std::string(vector.name));
    if (saved == state.optimizer.end() || saved->second.size() != vector.values.size()) {
      Fail(StateFile(options_.resume).string(), ": the optimizer's ", vector.name,
           " moments are missing or of another size; start a new run");
    }
    std::ranges::copy(saved->second, vector.values.begin());
  }
  if (mlx_order_) {
    if (!state.draws) Fail(StateFile(options_.resume).string(), ": NumPy's state is missing");
    random_.set_state(state.draws->random);
    mlx_order_->Restore(state.draws->permutation, state.draws->used);
    TakeDraws();
  }
  if (optimizer_.steps() > 0) {
    learning_rate_ = schedule_.RateAt(static_cast<int64_t>(optimizer_.steps()) - 1);
  }
  saved_iteration_ = counters_.iteration;
}

void Trainer::Begin() {
  const bool fresh = options_.resume.empty();
  if (fresh) SaveRunState();
  if (!options_.log.empty()) {
    log_ = fresh ? RunLog::Create(options_.log, inputs_.identity)
                 : RunLog::Continue(options_.log, inputs_.identity, counters_.iteration);
  }
  // A run that died between the state and the adapter files left them behind; write them again.
  const int64_t done = counters_.iteration;
  if (!fresh && done > 0 && !counters_.after_step_pending) {
    const fs::path folder = options_.adapter_path;
    adapter_.SaveMlx(folder / "adapters.safetensors");
    if (done % options_.save_every == 0) adapter_.SaveMlx(folder / CheckpointName(done));
  }
}

void Trainer::Run(int64_t iterations) {
  iterations_ = iterations;
  if (counters_.after_step_pending) AfterStep(counters_.iteration);
  while (counters_.iteration < iterations && !counters_.stopped_early) {
    if (StopRequested()) Interrupt();
    const int64_t iteration = counters_.iteration + 1;
    const MicroBatch batch = NextBatch(iteration);
    // mlx-lm validates before the step. We do so once, to know where the run began.
    const bool before =
        mlx_order_ ? ValidationDue(iteration) : iteration == 1 && !ValidationDue(iteration);
    if (before) {
      try {
        Validate(iteration);
      } catch (Evaluation::Stopped) {
        Interrupt();
      }
    }
    Step(iteration, batch);
    AfterStep(iteration);
  }
  if (StopRequested()) Interrupt();
  SaveFinal();
}

MicroBatch Trainer::NextBatch(int64_t iteration) {
  if (!mlx_order_) return MakeBatch(inputs_.train, epoch_order_->At(iteration));
  MicroBatch batch =
      MakeMlxBatch(inputs_.train, mlx_order_->Next(random_), options_.max_seq_length);
  if (batch.longest > static_cast<size_t>(options_.max_seq_length)) {
    observer_.OnWarning(TruncationLine(options_.max_seq_length, batch.longest));
  }
  return batch;
}

void Trainer::Step(int64_t iteration, const MicroBatch& batch) {
  const Clock::time_point start = Clock::now();
  StepEvent event;
  event.iteration = iteration;
  event.iterations = iterations_;
  event.tokens = batch.counted;
  event.loss = Accumulate(iteration, batch);
  const int64_t window = options_.grad_accumulation_steps;
  // mlx-lm throws away a window that the last iteration leaves open.
  const bool last = !mlx_order_ && iteration == iterations_;
  event.learning_rate = schedule_.RateAt(static_cast<int64_t>(optimizer_.steps()));
  if (iteration % window == 0 || last) {
    event.grad_norm = Update(event.learning_rate);
    event.skipped = !event.grad_norm;
  }
  event.seconds = SecondsSince(start);
  event.tokens_per_second = static_cast<double>(batch.counted) / event.seconds;
  const double flops =
      StepFlops(options_, inputs_.config, adapter_, static_cast<double>(batch.batch.ids.size()),
                static_cast<double>(pass_.frozen_tokens()), static_cast<double>(batch.counted));
  event.rate = RateOf(flops, event.seconds);
  counters_.iteration = iteration;
  counters_.trained_tokens += batch.counted;
  report_seconds_ += event.seconds;
  timed_steps_ += 1;
  timed_tokens_ += batch.counted;
  timed_flops_ += flops;
  log_.Step(event, PeakMemoryBytes());
  observer_.OnStep(event);
  TakeDraws();
}

std::optional<double> Trainer::Accumulate(int64_t iteration, const MicroBatch& batch) {
  Counters& c = counters_;
  c.window_steps += 1;
  c.window_tokens += batch.counted;
  // mlx-lm weighs every batch alike, we weigh every token alike.
  const auto counted = static_cast<double>(batch.counted);
  const float weight = mlx_order_ && batch.counted > 0 ? static_cast<float>(1 / counted) : 1.0f;
  double sum = std::nan("");
  if (batch.counted > 0) {
    sum = pass_.ForwardBackward(batch.batch, weight, static_cast<uint64_t>(iteration), gradients_);
  }
  if (!std::isfinite(sum)) {
    c.window_bad = true;
    observer_.OnWarning(fmt::format(
        "iteration {}: the loss is not finite ({}); this update is "
        "skipped",
        iteration,
        batch.counted == 0 ? "no token to learn in the batch" : "overflow or a broken weight"));
    return std::nullopt;
  }
  c.report_loss += mlx_order_ ? sum / counted : sum;
  c.report_tokens += batch.counted;
  c.report_steps += 1;
  return sum / counted;
}

std::optional<double> Trainer::Update(double learning_rate) {
  Counters& c = counters_;
  const float scale = mlx_order_ ? 1 / static_cast<float>(options_.grad_accumulation_steps)
                                 : 1 / static_cast<float>(std::max<int64_t>(1, c.window_tokens));
  if (scale != 1) ScaleInPlace(scale, gradients_.values());
  const double norm = c.window_bad ? std::nan("") : GradientNorm(gradients_.values());
  const bool sound = std::isfinite(norm);
  if (sound) {
    if (options_.max_grad_norm > 0 && norm > options_.max_grad_norm) {
      ScaleInPlace(static_cast<float>(options_.max_grad_norm / (norm + 1e-6)), gradients_.values());
    }
    optimizer_.Step(static_cast<float>(learning_rate), gradients_.values(), adapter_.values());
    learning_rate_ = learning_rate;
  } else {
    if (!c.window_bad) {
      observer_.OnWarning("the gradient is not finite; this update is skipped");
    }
    c.skipped += 1;
  }
  std::ranges::fill(gradients_.values(), 0.0f);
  c.window_steps = c.window_tokens = 0;
  c.window_bad = false;
  return sound ? std::optional(norm) : std::nullopt;
}

void Trainer::AfterStep(int64_t iteration) {
  if (!mlx_order_ && ValidationDue(iteration)) {
    try {
      Validate(iteration);
    } catch (Evaluation::Stopped) {
      counters_.after_step_pending = true;
      Interrupt();
    }
  }
  counters_.after_step_pending = false;
  if (iteration % options_.steps_per_report == 0 || iteration == iterations_) Report(iteration);
  if (iteration % options_.save_every == 0) SaveCheckpoint(iteration);
}

bool Trainer::ValidationDue(int64_t iteration) const {
  if (!validation_) return false;
  if (mlx_order_ && iteration == 1) return true;
  return iteration % options_.steps_per_eval == 0 || iteration == iterations_;
}

void Trainer::Validate(int64_t iteration) {
  if (!validation_) return;
  const Clock::time_point start = Clock::now();
  const Evaluation::Result result = validation_->Run(pass_, random_, observer_);
  Counters& c = counters_;
  ValidationEvent event;
  event.iteration = iteration;
  event.loss = result.loss;
  event.tokens = result.tokens;
  event.best = std::isfinite(result.loss) && (!c.best_loss || result.loss < *c.best_loss);
  event.seconds = SecondsSince(start);
  last_val_loss_ = result.loss;
  if (event.best) {
    c.best_loss = result.loss;
    c.best_iteration = c.iteration;  // updates up to here made these weights
    c.validations_since_best = 0;
    if (options_.save_best) {
      const fs::path best = fs::path(options_.adapter_path) / "best";
      adapter_.SaveMlx(best / "adapters.safetensors");
    }
  } else {
    c.validations_since_best += 1;
    c.stopped_early = options_.patience > 0 && c.validations_since_best >= options_.patience;
  }
  log_.Validation(event);
  observer_.OnValidation(event);
}

void Trainer::Report(int64_t iteration) {
  Counters& c = counters_;
  ReportEvent event;
  event.iteration = iteration;
  event.iterations = iterations_;
  const int64_t parts = mlx_order_ ? c.report_steps : c.report_tokens;
  if (parts > 0) event.train_loss = c.report_loss / static_cast<double>(parts);
  event.learning_rate = learning_rate_;
  if (report_seconds_ > 0) {
    event.iterations_per_second = static_cast<double>(timed_steps_) / report_seconds_;
    event.tokens_per_second = static_cast<double>(timed_tokens_) / report_seconds_;
    event.rate = RateOf(timed_flops_, report_seconds_);
  }
  event.trained_tokens = c.trained_tokens;
  event.peak_memory_bytes = PeakMemoryBytes();
  last_train_loss_ = event.train_loss;
  c.report_loss = 0;
  c.report_tokens = c.report_steps = 0;
  report_seconds_ = 0;
  timed_steps_ = timed_tokens_ = 0;
  timed_flops_ = 0;
  observer_.OnReport(event);
}

std::optional<GemmRate> Trainer::RateOf(double flops, double seconds) const {
  if (!(gemm_ceiling_ > 0)) return std::nullopt;
  return GemmRate{.flops_per_second = flops / seconds, .ceiling = gemm_ceiling_};
}

void Trainer::SaveCheckpoint(int64_t iteration) {
  const fs::path folder = options_.adapter_path;
  const fs::path adapter_file = folder / "adapters.safetensors";
  const fs::path checkpoint = folder / CheckpointName(iteration);
  SaveRunState();
  adapter_.SaveMlx(adapter_file);
  adapter_.SaveMlx(checkpoint);
  observer_.OnSave({iteration, adapter_file.string(), checkpoint.string(), false});
}

void Trainer::SaveFinal() {
  const fs::path adapter_file = fs::path(options_.adapter_path) / "adapters.safetensors";
  if (saved_iteration_ != counters_.iteration) SaveRunState();
  adapter_.SaveMlx(adapter_file);
  observer_.OnSave({counters_.iteration, adapter_file.string(), "", true});
}

void Trainer::SaveRunState() {
  SaveState(options_.adapter_path,
            {inputs_.identity, counters_, optimizer_.steps(), adapter_.values(),
             gradients_.values(), optimizer_.state(), draws_ ? &*draws_ : nullptr});
  saved_iteration_ = counters_.iteration;
}

void Trainer::Interrupt() {
  SaveRunState();
  if (counters_.iteration > 0) {
    adapter_.SaveMlx(fs::path(options_.adapter_path) / "adapters.safetensors");
  }
  throw Interrupted(fmt::format("stopped after iteration {} of {}; continue with --resume {}",
                                counters_.iteration, iterations_, options_.adapter_path));
}

void Trainer::TakeDraws() {
  if (mlx_order_) {
    draws_ = MlxDraws{random_.state(), mlx_order_->permutation(), mlx_order_->used()};
  }
}

TrainResult Trainer::result() const {
  TrainResult result;
  result.iterations = counters_.iteration;
  result.trained_tokens = counters_.trained_tokens;
  result.skipped = counters_.skipped;
  result.train_loss = last_train_loss_;
  result.val_loss = last_val_loss_;
  result.best_val_loss = counters_.best_loss;
  result.best_iteration = counters_.best_iteration;
  result.stopped_early = counters_.stopped_early;
  result.adapter_file = fs::path(options_.adapter_path) / "adapters.safetensors";
  return result;
}

}  // namespace lem
