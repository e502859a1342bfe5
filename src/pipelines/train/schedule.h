// SPDX-License-Identifier: EUPL-1.2
// The learning rate as a function of the number of updates made so far (mlx-lm 2.12): constant, or
// what lr_schedule of a YAML file says.
#pragma once

#include <cstdint>

#include "formats/json.h"

namespace lem {

class Schedule {
 public:
  // lr_schedule: null (constant `learning_rate`), or {name, arguments, warmup, warmup_init}. Names:
  // cosine_decay(init, decay_steps, end = 0), linear_schedule(init, end, steps),
  // exponential_decay(init, rate), step_decay(init, rate, step_size). Throws UsageError.
  static Schedule Make(double learning_rate, const Json& lr_schedule);

  // updates: 0 before the first update. With a warm-up of N > 0, updates 0 .. N climb in a straight
  // line from warmup_init to the first argument, and the schedule starts at update N + 1.
  double RateAt(int64_t updates) const;

 private:
  enum class Kind : uint8_t { kConstant, kCosine, kLinear, kExponential, kStep };
  double ScheduleAt(double t) const;

  Kind kind_ = Kind::kConstant;
  double init_ = 0, end_ = 0, steps_ = 1, rate_ = 1;
  int64_t warmup_ = 0;
  double warmup_init_ = 0;
};

}  // namespace lem
