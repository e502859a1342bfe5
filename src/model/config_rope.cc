// SPDX-License-Identifier: EUPL-1.2
// The kinds of RoPE scaling (model-formats 2.4), all brought to one form: a divisor per frequency,
// a divisor of the position, and a factor on cos and sin.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "model/config_fields.h"

namespace lem {
namespace {

// Llama 3: long wavelengths are divided by the factor, short ones kept, those between blended.
float Llama3Divisor(const RopeRule& rule, double inverse_frequency) {
  const double wavelength = 2 * std::numbers::pi * inverse_frequency;
  if (wavelength < rule.original_positions / rule.high_freq_factor) return 1;
  if (wavelength > rule.original_positions / rule.low_freq_factor) {
    return static_cast<float>(rule.factor);
  }
  const double smooth = (rule.original_positions / wavelength - rule.low_freq_factor) /
                        (rule.high_freq_factor - rule.low_freq_factor);
  return static_cast<float>(1 / ((1 - smooth) / rule.factor + smooth));
}

// YaRN (arxiv.org/abs/2309.00071): a linear ramp over the frequencies between the two betas.
std::vector<float> YarnDivisors(const RopeRule& rule, int head_dim) {
  const auto correction = [&](double rotations) {
    return head_dim * std::log(rule.original_positions / (rotations * 2 * std::numbers::pi)) /
           (2 * std::log(rule.theta));
  };
  double low = correction(rule.beta_fast), high = correction(rule.beta_slow);
  if (rule.truncate) low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0);
  high = std::min(high, head_dim - 1.0);
  if (low == high) high += 0.001;
  std::vector<float> divisors(static_cast<size_t>(head_dim / 2));
  for (size_t j = 0; j < divisors.size(); ++j) {
    const double keep = 1 - std::clamp((static_cast<double>(j) - low) / (high - low), 0.0, 1.0);
    divisors[j] = static_cast<float>(1 / ((1 - keep) / rule.factor + keep));
  }
  return divisors;
}

void CheckRule(const RopeRule& rule, std::string_view where) {
  const auto positive = [&](std::string_view name, double value) {
    if (!(value >= 1e-6) || !(value <= kMaxNumber)) {
      Fail(where, ": RoPE ", name, " should be between 1e-6 and ", kMaxNumber, ", found ", value,
           "; check rope_theta and rope_scaling");
    }
  };
  positive("theta", rule.theta);
  positive("factor", rule.factor);
  if (rule.type == "llama3" || rule.type == "yarn") {
    positive("original_max_position_embeddings", rule.original_positions);
  }
  if (rule.type == "yarn") {
    positive("beta_fast", rule.beta_fast);
    positive("beta_slow", rule.beta_slow);
    if (!(static_cast<float>(rule.theta) > 1)) {  // the layer's is a float
      Fail(where, ": RoPE scaling of type yarn needs a theta above 1, found ", rule.theta);
    }
  }
  if (rule.type == "llama3") {
    positive("low_freq_factor", rule.low_freq_factor);
    if (!(rule.high_freq_factor > rule.low_freq_factor)) {
      Fail(where, ": RoPE high_freq_factor ", rule.high_freq_factor,
           " should be above low_freq_factor ", rule.low_freq_factor, "; check rope_scaling");
    }
  }
}

}  // namespace

void ApplyRope(const RopeRule& rule, int head_dim, std::string_view where, LayerConfig* layer) {
  CheckRule(rule, where);
  layer->rope_theta = static_cast<float>(rule.theta);
  if (rule.type == "default" || rule.type == "none") return;
  if (rule.type == "linear") {
    layer->rope_position_divisor = static_cast<float>(rule.factor);
  } else if (rule.type == "llama3") {
    for (int j = 0; j < head_dim / 2; ++j) {
      layer->rope_divisors.push_back(Llama3Divisor(rule, std::pow(rule.theta, 2.0 * j / head_dim)));
    }
  } else if (rule.type == "yarn") {
    layer->rope_divisors = YarnDivisors(rule, head_dim);
    layer->rope_magnitude = static_cast<float>(
        rule.attention_factor > 0 ? rule.attention_factor : 0.1 * std::log(rule.factor) + 1);
  } else {
    Fail(where, ": RoPE scaling of type \"", rule.type,
         "\" is not supported; default, linear, llama3 and yarn are");
  }
}

Json RopeScalingJson(const RopeRule& rule) {
  if (rule.type == "default" || rule.type == "none") return {};
  Json json = Json::MakeObject();
  json.Set("rope_type", rule.type);
  json.Set("factor", rule.factor);
  if (rule.type == "linear") return json;
  json.Set("original_max_position_embeddings", PlainNumber(rule.original_positions));
  if (rule.type == "llama3") {
    json.Set("low_freq_factor", rule.low_freq_factor);
    json.Set("high_freq_factor", rule.high_freq_factor);
  } else {
    json.Set("beta_fast", rule.beta_fast);
    json.Set("beta_slow", rule.beta_slow);
    if (rule.attention_factor > 0) json.Set("attention_factor", rule.attention_factor);
    if (!rule.truncate) json.Set("truncate", false);
  }
  return json;
}

}  // namespace lem
