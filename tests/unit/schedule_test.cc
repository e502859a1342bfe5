// SPDX-License-Identifier: EUPL-1.2
// Learning rates against the values that mlx-lm's build_schedule gives (mlx-lm 2.12).
#include "pipelines/train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace lem {
namespace {

Schedule Make(std::string_view json) {
  return Schedule::Make(1e-5, json.empty() ? Json() : Json::Parse(json, "lr_schedule"));
}

TEST(Schedule, NoneIsConstant) {
  const Schedule s = Make("");
  EXPECT_EQ(s.RateAt(0), 1e-5);
  EXPECT_EQ(s.RateAt(100000), 1e-5);
}

TEST(Schedule, WarmupThenCosine) {
  const Schedule s =
      Make(R"({"name":"cosine_decay","arguments":[1e-5,10,1e-7],"warmup":4,"warmup_init":0.0})");
  const double wanted[] = {0, 2.5e-6, 5e-6, 7.5e-6, 1e-5, 1e-5, 9.7577e-6, 9.0546e-6};
  for (int t = 0; t < 8; ++t) EXPECT_NEAR(s.RateAt(t), wanted[t], 5e-11) << t;
  EXPECT_NEAR(s.RateAt(15), 1e-7, 1e-15);
  EXPECT_NEAR(s.RateAt(1000), 1e-7, 1e-15);
}

TEST(Schedule, WarmupStartsWhereItIsTold) {
  const Schedule s =
      Make(R"({"name":"linear_schedule","arguments":[4,2,2],"warmup":2,"warmup_init":1})");
  const double wanted[] = {1, 2.5, 4, 4, 3, 2, 2};
  for (int t = 0; t < 7; ++t) EXPECT_DOUBLE_EQ(s.RateAt(t), wanted[t]) << t;
}

TEST(Schedule, ExponentialAndStep) {
  const Schedule e = Make(R"({"name":"exponential_decay","arguments":[0.1,0.9]})");
  EXPECT_DOUBLE_EQ(e.RateAt(5), 0.1 * std::pow(0.9, 5));
  const Schedule s = Make(R"({"name":"step_decay","arguments":[0.1,0.5,10]})");
  EXPECT_DOUBLE_EQ(s.RateAt(9), 0.1);
  EXPECT_DOUBLE_EQ(s.RateAt(10), 0.05);
  EXPECT_DOUBLE_EQ(s.RateAt(29), 0.025);
}

TEST(Schedule, WhatItDoesNotKnowIsRefused) {
  EXPECT_THROW(Make(R"({"name":"join_schedules","arguments":[]})"), UsageError);
  EXPECT_THROW(Make(R"({"name":"cosine_decay","arguments":[1]})"), UsageError);
  EXPECT_THROW(Make(R"({"name":"cosine_decay","arguments":[1,0]})"), UsageError);
  EXPECT_THROW(Make(R"({"name":"step_decay","arguments":[1,"a",3]})"), Error);
  EXPECT_THROW(Make(R"({"arguments":[1,2]})"), Error);
}

}  // namespace
}  // namespace lem
