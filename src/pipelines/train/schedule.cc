// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace lem {
namespace {

constexpr std::string_view kWhere = "lr_schedule";

std::vector<double> Arguments(const Json& schedule, size_t least, size_t most) {
  std::vector<double> numbers;
  for (const Json& value : schedule.At("arguments", kWhere).AsArray("lr_schedule.arguments")) {
    numbers.push_back(value.AsNumber("lr_schedule.arguments"));
  }
  if (numbers.size() < least || numbers.size() > most) {
    FailUsage("lr_schedule.arguments: expected ", least,
              least == most ? "" : " or " + std::to_string(most), " numbers, found ",
              numbers.size());
  }
  return numbers;
}

double Positive(double steps) {
  if (!(steps > 0))
    FailUsage("lr_schedule.arguments: expected a number of steps above 0, found ", steps);
  return steps;
}

}  // namespace

Schedule Schedule::Make(double learning_rate, const Json& lr_schedule) {
  Schedule s;
  s.init_ = learning_rate;
  if (lr_schedule.IsNull()) return s;
  const std::string& name = lr_schedule.At("name", kWhere).AsString("lr_schedule.name");
  if (name == "cosine_decay") {
    const auto a = Arguments(lr_schedule, 2, 3);
    s.kind_ = Kind::kCosine;
    s.steps_ = Positive(a[1]);
    s.end_ = a.size() == 3 ? a[2] : 0;
    s.init_ = a[0];
  } else if (name == "linear_schedule") {
    const auto a = Arguments(lr_schedule, 3, 3);
    s.kind_ = Kind::kLinear;
    s.init_ = a[0], s.end_ = a[1], s.steps_ = Positive(a[2]);
  } else if (name == "exponential_decay") {
    const auto a = Arguments(lr_schedule, 2, 2);
    s.kind_ = Kind::kExponential;
    s.init_ = a[0], s.rate_ = a[1];
  } else if (name == "step_decay") {
    const auto a = Arguments(lr_schedule, 3, 3);
    s.kind_ = Kind::kStep;
    s.init_ = a[0], s.rate_ = a[1], s.steps_ = Positive(a[2]);
  } else {
    FailUsage("lr_schedule.name: expected cosine_decay, linear_schedule, exponential_decay or ",
              "step_decay, found ", name);
  }
  if (const Json* warmup = lr_schedule.Find("warmup"); warmup && !warmup->IsNull()) {
    s.warmup_ = std::max<int64_t>(0, warmup->AsInteger("lr_schedule.warmup"));
  }
  if (const Json* init = lr_schedule.Find("warmup_init"); init && !init->IsNull()) {
    s.warmup_init_ = init->AsNumber("lr_schedule.warmup_init");
  }
  return s;
}

double Schedule::RateAt(int64_t updates) const {
  if (warmup_ == 0) return ScheduleAt(static_cast<double>(updates));
  if (updates > warmup_) return ScheduleAt(static_cast<double>(updates - warmup_ - 1));
  const double part = static_cast<double>(updates) / static_cast<double>(warmup_);
  return warmup_init_ + part * (init_ - warmup_init_);
}

double Schedule::ScheduleAt(double t) const {
  const double part = std::min(t, steps_) / steps_;
  switch (kind_) {
    case Kind::kConstant:
      return init_;
    case Kind::kCosine:
      return end_ + 0.5 * (1 + std::cos(std::numbers::pi * part)) * (init_ - end_);
    case Kind::kLinear:
      return init_ + part * (end_ - init_);
    case Kind::kExponential:
      return init_ * std::pow(rate_, t);
    case Kind::kStep:
      return init_ * std::pow(rate_, std::floor(t / steps_));
  }
  return init_;
}

}  // namespace lem
