// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/train/console_lines.h"

#include <fmt/format.h>

#include <cmath>

namespace lem {
namespace {

std::string Bytes(uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  return bytes >= 1000000000 ? fmt::format("{:.2f} GB", value / 1e9)
                             : fmt::format("{:.1f} MB", value / 1e6);
}

std::string Duration(double seconds) {
  if (seconds < 90) return fmt::format("{:.0f} s", seconds);
  if (seconds < 5400) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

}  // namespace

std::string PhaseLine(TrainPhase phase) {
  switch (phase) {
    case TrainPhase::kLoadingModel:
      return "Loading pretrained model";
    case TrainPhase::kLoadingData:
      return "Loading datasets";
    case TrainPhase::kTraining:
      return "Training";
    case TrainPhase::kTesting:
      return "Testing";
  }
  return "";
}

std::string ConfigLine(std::string_view file) {
  return fmt::format("Loading configuration file {}", file);
}

std::string TrainableLine(int64_t trained, int64_t total) {
  const double share = 100.0 * static_cast<double>(trained) / static_cast<double>(total);
  return fmt::format("Trainable parameters: {:.3f}% ({:.3f}M/{:.3f}M)", share,
                     static_cast<double>(trained) / 1e6, static_cast<double>(total) / 1e6);
}

std::string ModeLine(bool compat) {
  return compat
             ? "Mode: mlx-lm compatible (its batches, its loss with the first padding token, its "
               "Adam without bias correction)"
             : "Mode: default (no trained padding, token-weighted accumulation, no dropped "
               "tail, batches by length, Adam with bias correction; --compat mlx-lm "
               "reproduces mlx-lm)";
}

std::string StartLine(int64_t iterations) {
  return fmt::format("Starting training..., iters: {}", iterations);
}

std::string ValidationLine(const ValidationEvent& e) {
  return fmt::format("Iter {}: Val loss {:.3f}, Val took {:.3f}s", e.iteration, e.loss, e.seconds);
}

std::string ReportLine(const ReportEvent& e) {
  const double loss = e.train_loss ? *e.train_loss : std::nan("");
  std::string line = fmt::format(
      "Iter {}: Train loss {:.3f}, Learning Rate {:.3e}, It/sec {:.3f}, Tokens/sec {:.3f}, Trained "
      "Tokens {}, Peak mem {:.3f} GB",
      e.iteration, loss, e.learning_rate, e.iterations_per_second, e.tokens_per_second,
      e.trained_tokens, static_cast<double>(e.peak_memory_bytes) / 1e9);
  if (e.rate) {
    line +=
        fmt::format(", {:.0f}% of {:.0f} GFLOP/s", 100 * e.rate->share(), e.rate->ceiling / 1e9);
  }
  return line;
}

std::string SaveLine(const SaveEvent& e) {
  if (e.final) return fmt::format("Saved final weights to {}.", e.adapter_file);
  return fmt::format("Iter {}: Saved adapter weights to {} and {}.", e.iteration, e.adapter_file,
                     e.checkpoint_file);
}

std::string TestLine(double loss) {
  return fmt::format("Test loss {:.3f}, Test ppl {:.3f}.", loss, std::exp(loss));
}

std::string TruncationLine(int64_t max_seq_length, size_t longest) {
  return fmt::format(
      "[WARNING] Some sequences are longer than {} tokens. The longest sentence {} will be "
      "truncated to {}. Consider pre-splitting your data to save memory.",
      max_seq_length, longest, max_seq_length);
}

std::string PlanText(const TrainPlan& p) {
  std::string text = fmt::format(
      "memory {} of {} available: weights {}, saved activations {}, scratch {}, logits {}, "
      "packed rows {}, adapter {}, gradients {}, optimizer {}, frozen blocks' outputs kept between "
      "epochs {}, "
      "program and data {}\n",
      Bytes(p.total()), Bytes(p.available), Bytes(p.pass.weights), Bytes(p.pass.saved_activations),
      Bytes(p.pass.scratch), Bytes(p.pass.logits), Bytes(p.pass.packed), Bytes(p.adapter),
      Bytes(p.pass.gradients), Bytes(p.optimizer), Bytes(p.pass.frozen), Bytes(p.program));
  text += fmt::format(
      "{} iterations of {:.0f} tokens ({:.0f} learnt) on average, {} per epoch, {:.2f} epochs",
      p.iterations, p.tokens_per_iteration, p.counted_per_iteration, p.iterations_per_epoch,
      p.epochs());
  if (p.seconds > 0) {
    text += fmt::format("\nabout {} at half of the {:.0f} GFLOP/s measured here",
                        Duration(p.seconds), p.flops_per_second / 1e9);
  }
  return text;
}

}  // namespace lem
