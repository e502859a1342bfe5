// SPDX-License-Identifier: EUPL-1.2
#include "ops/optimizer.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/error.h"
#include "base/threads.h"
#include "ops/newton_schulz.h"

namespace lem {
namespace {

constexpr int64_t kGrain = 1 << 14;  // elements per thread that pay for waking it

constexpr std::string_view kNames[] = {"adam", "adamw", "sgd", "adafactor", "muon"};

// Adafactor keeps one number per row and one per column of a matrix, one per element of a vector.
size_t FactorSize(const ParameterBlock& block) {
  return block.is_vector ? block.size() : block.rows + block.cols;
}

// Root of the mean square, summed in float64 from the first element to the last.
float RootMeanSquare(ConstVec x) {
  double sum = 0;
  for (const float v : x) sum += static_cast<double>(v) * v;
  return static_cast<float>(std::sqrt(sum / static_cast<double>(std::max<size_t>(x.size(), 1))));
}

size_t FirstSize(const OptimizerOptions& o, size_t parameters) {
  switch (o.kind) {
    case OptimizerKind::kAdam:
    case OptimizerKind::kAdamW:
    case OptimizerKind::kMuon:
      return parameters;
    case OptimizerKind::kSgd:
      return o.momentum > 0 ? parameters : 0;
    case OptimizerKind::kAdafactor:
      return o.has_beta1 ? parameters : 0;
  }
  return 0;
}

size_t SecondSize(const OptimizerOptions& o, const std::vector<ParameterBlock>& blocks,
                  size_t parameters) {
  if (o.kind == OptimizerKind::kAdam || o.kind == OptimizerKind::kAdamW) return parameters;
  if (o.kind != OptimizerKind::kAdafactor) return 0;
  size_t size = 0;
  for (const ParameterBlock& block : blocks) size += FactorSize(block);
  return size;
}

// A vector keeps the running mean of s = g^2 + eps of every element: u = g / sqrt(mean).
void UpdateVector(ConstVec g, float beta2, float eps, Vec mean_square, Vec update) {
  for (size_t i = 0; i < g.size(); ++i) {
    mean_square[i] = beta2 * mean_square[i] + (1 - beta2) * (g[i] * g[i] + eps);
    update[i] = g[i] / std::sqrt(mean_square[i]);
  }
}

// A matrix keeps the running means of s over each row (r) and each column (c), rows first in
// `factors`: u = g / sqrt(r c / mean(r)).
void UpdateMatrix(ConstMat g, float beta2, float eps, Vec factors, Vec update) {
  const Vec rows = factors.first(g.rows), cols = factors.subspan(g.rows);
  std::vector<double> col_sums(g.cols, 0.0);
  double row_mean = 0;
  for (size_t r = 0; r < g.rows; ++r) {
    double sum = 0;
    for (size_t c = 0; c < g.cols; ++c) {
      const float v = g.data[r * g.cols + c];
      const auto square = static_cast<double>(v * v + eps);
      sum += square;
      col_sums[c] += square;
    }
    rows[r] = beta2 * rows[r] + (1 - beta2) * static_cast<float>(sum / static_cast<double>(g.cols));
    row_mean += rows[r];
  }
  row_mean /= static_cast<double>(g.rows);
  for (size_t c = 0; c < g.cols; ++c) {
    const auto mean = static_cast<float>(col_sums[c] / static_cast<double>(g.rows));
    cols[c] = beta2 * cols[c] + (1 - beta2) * mean;
  }
  for (size_t r = 0; r < g.rows; ++r) {
    const float row_factor = 1 / std::sqrt(rows[r] / static_cast<float>(row_mean));
    for (size_t c = 0; c < g.cols; ++c) {
      const size_t i = r * g.cols + c;
      update[i] = row_factor * (1 / std::sqrt(cols[c])) * g.data[i];
    }
  }
}

}  // namespace

std::string_view NameOf(OptimizerKind kind) { return kNames[static_cast<size_t>(kind)]; }

OptimizerKind OptimizerByName(std::string_view name) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<OptimizerKind>(i);
  }
  FailUsage("--optimizer: expected adam, adamw, muon, sgd or adafactor, found ", name);
}

OptimizerOptions OptimizerOptions::DefaultsOf(OptimizerKind kind) {
  OptimizerOptions o;
  o.kind = kind;
  if (kind == OptimizerKind::kAdamW) o.weight_decay = 0.01f;
  if (kind == OptimizerKind::kMuon) {
    o.weight_decay = 0.01f;
    o.momentum = 0.95f;
    o.nesterov = true;
  }
  return o;
}

Optimizer::Optimizer(const OptimizerOptions& options, std::vector<ParameterBlock> blocks,
                     size_t parameters)
    : options_(options), blocks_(std::move(blocks)) {
  size_t end = 0, largest = 0;
  for (const ParameterBlock& block : blocks_) {
    LEM_CHECK(block.offset >= end);
    end = block.offset + block.size();
    largest = std::max(largest, block.size());
  }
  LEM_CHECK(end <= parameters);
  first_.assign(FirstSize(options_, parameters), 0.0f);
  second_.assign(SecondSize(options_, blocks_, parameters), 0.0f);
  if (options_.kind == OptimizerKind::kMuon || options_.kind == OptimizerKind::kAdafactor) {
    scratch_.resize(largest);
  }
}

std::vector<Optimizer::StateVector> Optimizer::state() {
  std::vector<StateVector> vectors;
  if (!first_.empty()) vectors.push_back({"first", first_});
  if (!second_.empty()) vectors.push_back({"second", second_});
  return vectors;
}

uint64_t Optimizer::StateBytes(const OptimizerOptions& options,
                               const std::vector<ParameterBlock>& blocks) {
  size_t parameters = 0;
  for (const ParameterBlock& block : blocks) parameters += block.size();
  return sizeof(float) * (FirstSize(options, parameters) + SecondSize(options, blocks, parameters));
}

void Optimizer::Step(float learning_rate, ConstVec gradients, Vec values) {
  LEM_CHECK(gradients.size() == values.size());
  ++steps_;
  switch (options_.kind) {
    case OptimizerKind::kAdam:
    case OptimizerKind::kAdamW:
      return StepAdam(learning_rate, gradients, values);
    case OptimizerKind::kSgd:
      return StepSgd(learning_rate, gradients, values);
    case OptimizerKind::kMuon:
      return StepMuon(learning_rate, gradients, values);
    case OptimizerKind::kAdafactor:
      return StepAdafactor(learning_rate, gradients, values);
  }
}

// m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  w -= lr m / (sqrt(v) + eps).
// With correction: w -= (lr / (1 - b1^t)) m / (sqrt(v) / sqrt(1 - b2^t) + eps).
// AdamW shrinks w by lr * weight_decay first. Adam (arxiv.org/abs/1412.6980), AdamW (1711.05101).
void Optimizer::StepAdam(float learning_rate, ConstVec gradients, Vec values) {
  const OptimizerOptions& o = options_;
  const auto t = static_cast<double>(steps_);
  const double b1 = o.beta1, b2 = o.beta2;
  const float c1 =
      o.bias_correction ? static_cast<float>(learning_rate / (1 - std::pow(b1, t))) : learning_rate;
  const float c2 =
      o.bias_correction ? static_cast<float>(1 / std::sqrt(1 - std::pow(b2, t))) : 1.0f;
  const float shrink = o.kind == OptimizerKind::kAdamW ? 1 - learning_rate * o.weight_decay : 1.0f;
  const auto b1_f = static_cast<float>(b1), b2_f = static_cast<float>(b2);
  const float one_minus_b1 = static_cast<float>(1 - b1), one_minus_b2 = static_cast<float>(1 - b2);
  const auto count = static_cast<int64_t>(values.size());
  ParallelFor(count, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float g = gradients[i];
      first_[i] = b1_f * first_[i] + one_minus_b1 * g;
      second_[i] = b2_f * second_[i] + one_minus_b2 * (g * g);
      values[i] = values[i] * shrink - c1 * first_[i] / (std::sqrt(second_[i]) * c2 + o.eps);
    }
  });
}

// g += weight_decay w;  v = momentum v + (1 - dampening) g;  w -= lr (nesterov ? g + momentum v :
// v). Without dampening the new gradient enters v whole.
void Optimizer::StepSgd(float learning_rate, ConstVec gradients, Vec values) {
  const OptimizerOptions& o = options_;
  const auto count = static_cast<int64_t>(values.size());
  ParallelFor(count, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float g = gradients[i] + o.weight_decay * values[i];
      float update = g;
      if (o.momentum > 0) {
        first_[i] = o.momentum * first_[i] + (1 - o.dampening) * g;
        update = o.nesterov ? g + o.momentum * first_[i] : first_[i];
      }
      values[i] -= learning_rate * update;
    }
  });
}

// g += weight_decay w;  v = mu v + (1 - mu) g;  u = nesterov ? (1 - mu) g + mu v : v; a matrix's u
// becomes the nearest semi-orthogonal matrix;  w -= lr sqrt(max(1, rows / cols)) u.
void Optimizer::StepMuon(float learning_rate, ConstVec gradients, Vec values) {
  const OptimizerOptions& o = options_;
  const float mu = o.momentum;
  for (const ParameterBlock& block : blocks_) {
    const Vec update = Vec(scratch_).first(block.size());
    for (size_t i = 0; i < block.size(); ++i) {
      const size_t p = block.offset + i;
      const float g = gradients[p] + o.weight_decay * values[p];
      first_[p] = mu * first_[p] + (1 - mu) * g;
      update[i] = o.nesterov ? (1 - mu) * g + mu * first_[p] : first_[p];
    }
    float rate = learning_rate;
    if (!block.is_vector) {
      Orthogonalise({update.data(), block.rows, block.cols}, o.ns_steps);
      auto rows = static_cast<double>(block.rows), cols = static_cast<double>(block.cols);
      if (block.transposed) std::swap(rows, cols);
      rate *= static_cast<float>(std::sqrt(std::max(1.0, rows / cols)));
    }
    for (size_t i = 0; i < block.size(); ++i) values[block.offset + i] -= rate * update[i];
  }
}

void Optimizer::StepAdafactor(float learning_rate, ConstVec gradients, Vec values) {
  size_t factor_offset = 0;
  for (const ParameterBlock& block : blocks_) {
    AdafactorBlock(block, factor_offset, learning_rate, gradients, values);
    factor_offset += FactorSize(block);
  }
}

// arxiv.org/abs/1804.04235. The update is scaled down to a root mean square of at most
// clip_threshold.
void Optimizer::AdafactorBlock(const ParameterBlock& block, size_t factor_offset,
                               float learning_rate, ConstVec gradients, Vec values) {
  const OptimizerOptions& o = options_;
  const ConstVec g = gradients.subspan(block.offset, block.size());
  const Vec w = values.subspan(block.offset, block.size());
  const Vec update = Vec(scratch_).first(block.size());
  const auto t = static_cast<double>(steps_);
  const float beta2 = static_cast<float>(1 - std::pow(t, o.decay_rate));

  double rate = learning_rate;
  if (o.relative_step) rate = std::min(o.warmup_init ? 1e-6 * t : 1e-2, 1 / std::sqrt(t));
  if (o.scale_parameter) rate *= std::max(o.scale_eps, RootMeanSquare(w));

  const Vec factors = Vec(second_).subspan(factor_offset, FactorSize(block));
  if (block.is_vector) {
    UpdateVector(g, beta2, o.factor_eps, factors, update);
  } else {
    UpdateMatrix(ConstMat(g.data(), block.rows, block.cols), beta2, o.factor_eps, factors, update);
  }

  const float clip = std::max(1.0f, RootMeanSquare(update) / o.clip_threshold);
  const auto rate_f = static_cast<float>(rate);
  for (size_t i = 0; i < update.size(); ++i) {
    float u = rate_f * (update[i] / clip);
    if (o.has_beta1) {
      float& m = first_[block.offset + i];
      m = static_cast<float>(o.beta1) * m + static_cast<float>(1 - o.beta1) * u;
      u = m;
    }
    w[i] += w[i] * (-o.weight_decay * rate_f);
    w[i] -= u;
  }
}

double GradientNorm(ConstVec gradients) {
  // Fixed parts, summed in order: the same bits on any number of threads.
  constexpr size_t kPart = 1 << 16;
  const size_t parts = (gradients.size() + kPart - 1) / kPart;
  std::vector<double> sums(parts, 0.0);
  ParallelFor(static_cast<int64_t>(parts), 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const size_t first = static_cast<size_t>(p) * kPart;
      const size_t last = std::min(first + kPart, gradients.size());
      double sum = 0;
      for (size_t i = first; i < last; ++i) sum += static_cast<double>(gradients[i]) * gradients[i];
      sums[static_cast<size_t>(p)] = sum;
    }
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return std::sqrt(total);
}

void ScaleInPlace(float factor, Vec values) {
  ParallelFor(static_cast<int64_t>(values.size()), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) values[i] *= factor;
  });
}

}  // namespace lem
