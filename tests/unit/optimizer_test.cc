// SPDX-License-Identifier: EUPL-1.2
// Three updates of a matrix and a vector by every optimizer, against mlx.optimizers (mlx 0.32.4 on
// a CPU). w[i] = ((7 i) mod 11 - 5) / 8, gradient of step t at i: ((5 i + 3 t) mod 13 - 6) / 16.
#include "ops/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/threads.h"

namespace lem {
namespace {

constexpr size_t kMatrix = 12, kVector = 5, kAll = kMatrix + kVector;

std::vector<ParameterBlock> Blocks() {
  return {{0, 4, 3, false, false}, {kMatrix, 1, kVector, true, false}};
}

std::vector<float> StartValues() {
  std::vector<float> w(kAll);
  for (size_t i = 0; i < kAll; ++i) w[i] = (static_cast<float>((7 * i) % 11) - 5) / 8;
  return w;
}

std::vector<float> GradientAt(size_t t) {
  std::vector<float> g(kAll);
  for (size_t i = 0; i < kAll; ++i) g[i] = (static_cast<float>((5 * i + 3 * t) % 13) - 6) / 16;
  return g;
}

std::vector<float> ThreeSteps(const OptimizerOptions& options, float rate) {
  Optimizer optimizer(options, Blocks(), kAll);
  std::vector<float> w = StartValues();
  for (size_t t = 1; t <= 3; ++t) optimizer.Step(rate, GradientAt(t), w);
  return w;
}

// Both sides round every operation to float32 and differ in the order of a few of them: a handful
// of half-ulps of numbers below 1, so 1e-6. Newton-Schulz amplifies them by its slope at
// zero, 3.44^5, times a rate of 0.02.
void ExpectNear(const std::vector<float>& found, const std::vector<float>& wanted,
                float tolerance = 1e-6f) {
  ASSERT_EQ(found.size(), wanted.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], wanted[i], tolerance) << i;
}

OptimizerOptions Of(OptimizerKind kind) { return OptimizerOptions::DefaultsOf(kind); }

TEST(Optimizer, AdamWithoutBiasCorrectionIsMlxs) {
  OptimizerOptions o = Of(OptimizerKind::kAdam);
  o.bias_correction = false;
  ExpectNear(
      ThreeSteps(o, 0.01f),
      {-0.569153249f, 0.173622429f, -0.143093199f, 0.606477976f, 0.124807432f, -0.293301314f,
       0.437702745f, -0.0388945825f, -0.479698062f, 0.286846936f, -0.0271648336f, -0.697638988f,
       0.231164321f, -0.194153234f, 0.548622429f, 0.231906801f, -0.393521935f});
}

TEST(Optimizer, AdamCorrectsItsBiasByDefault) {
  ExpectNear(ThreeSteps(Of(OptimizerKind::kAdam), 0.01f),
             {-0.609158218f, 0.229629159f, -0.22347261f, 0.624352098f, 0.121699847f, -0.353708684f,
              0.482551843f, -0.011673457f, -0.49191004f, 0.352214336f, -0.100352734f, -0.640726984f,
              0.242657676f, -0.234158233f, 0.604629159f, 0.15152739f, -0.375647932f});
}

// The first update of uncorrected Adam is lr (1 - b1) / sqrt(1 - b2) = 3.162 lr, whatever the
// gradient; corrected it is lr.
TEST(Optimizer, FirstStepsOfAdamHaveTheirKnownSize) {
  OptimizerOptions o = Of(OptimizerKind::kAdam);
  for (const bool corrected : {false, true}) {
    o.bias_correction = corrected;
    Optimizer optimizer(o, {{0, 1, 1, true, false}}, 1);
    std::vector<float> w = {0};
    optimizer.Step(1e-3f, std::vector<float>{0.25f}, w);
    EXPECT_NEAR(w[0], corrected ? -1e-3 : -3.1622777e-3, 1e-8);
  }
}

TEST(Optimizer, AdamWIsMlxs) {
  OptimizerOptions o = Of(OptimizerKind::kAdamW);
  o.bias_correction = false;
  o.beta2 = 0.98, o.eps = 1e-6f, o.weight_decay = 0.05f;
  ExpectNear(
      ThreeSteps(o, 0.01f),
      {-0.611533642f, 0.232540712f, -0.225524947f, 0.619894147f, 0.124832526f, -0.356059283f,
       0.485332757f, -0.00870236382f, -0.494720519f, 0.354691267f, -0.10276784f, -0.64031899f,
       0.245454282f, -0.237095833f, 0.606978476f, 0.148912787f, -0.378606468f});
  ExpectNear(
      ThreeSteps(Of(OptimizerKind::kAdamW), 0.01f),
      {-0.608973324f, 0.229557097f, -0.223400533f, 0.624162972f, 0.121664092f, -0.353599012f,
       0.482404739f, -0.0116713122f, -0.49176231f, 0.352104813f, -0.100318126f, -0.640538692f,
       0.242584616f, -0.234085888f, 0.604444563f, 0.151486948f, -0.375537068f});
}

TEST(Optimizer, SgdIsMlxs) {
  OptimizerOptions o = Of(OptimizerKind::kSgd);
  ExpectNear(ThreeSteps(o, 0.1f),
             {-0.625f, 0.237499997f, -0.193750009f, 0.587500036f, 0.15625f, -0.356249988f,
              0.506250024f, -0.00625000102f, -0.518750012f, 0.34375f, -0.0874999985f, -0.681250036f,
              0.262499988f, -0.25f, 0.612500012f, 0.181249991f, -0.412499994f});
  o.momentum = 0.9f, o.weight_decay = 0.01f;
  ExpectNear(
      ThreeSteps(o, 0.1f),
      {-0.589505494f, 0.186677441f, -0.111509904f, 0.583423018f, 0.146606833f, -0.305874258f,
       0.470308661f, -0.0477575324f, -0.500238597f, 0.275944293f, -0.022243062f, -0.694602966f,
       0.235873684f, -0.216607437f, 0.559575498f, 0.261388153f, -0.410971791f});
  o.weight_decay = 0, o.nesterov = true;
  ExpectNear(ThreeSteps(o, 0.1f),
             {-0.596143782f, 0.181699991f, -0.0702250153f, 0.553243756f, 0.176275f, -0.295837492f,
              0.482006252f, -0.0493374951f, -0.521449983f, 0.25639376f, 0.00446875393f,
              -0.747062504f, 0.250968754f, -0.221143752f, 0.556699991f, 0.304775f, -0.446756244f});
  o.nesterov = false, o.dampening = 0.5f;
  ExpectNear(
      ThreeSteps(o, 0.1f),
      {-0.608968735f, 0.219000012f, -0.181374997f, 0.605968714f, 0.136124998f, -0.341437519f,
       0.486531258f, -0.0239374992f, -0.50150001f, 0.326468736f, -0.0739062503f, -0.661562502f,
       0.243593752f, -0.23396875f, 0.593999982f, 0.193625003f, -0.394031227f});
}

TEST(Optimizer, MuonIsMlxs) {
  const std::vector<float> wanted = {
      -0.616079867f, 0.252845556f,    -0.19979161f, 0.610352159f, 0.146799773f,  -0.346076161f,
      0.491777748f,  -0.00761718582f, -0.50235486f, 0.343614936f, -0.101933457f, -0.639584839f,
      0.249954551f,  -0.249648765f,   0.624201059f, 0.126915365f, -0.375702143f};
  ExpectNear(ThreeSteps(Of(OptimizerKind::kMuon), 0.02f), wanted, 1e-5f);
}

// The same matrix kept transposed makes the same steps.
TEST(Optimizer, MuonKnowsTransposedBlocks) {
  const std::vector<float> straight = ThreeSteps(Of(OptimizerKind::kMuon), 0.02f);
  Optimizer optimizer(Of(OptimizerKind::kMuon), {{0, 3, 4, false, true}}, kMatrix);
  const auto transpose = [](const std::vector<float>& x) {
    std::vector<float> t(kMatrix);
    for (size_t r = 0; r < 4; ++r) {
      for (size_t c = 0; c < 3; ++c) t[c * 4 + r] = x[r * 3 + c];
    }
    return t;
  };
  std::vector<float> w = transpose(StartValues());
  for (size_t t = 1; t <= 3; ++t) optimizer.Step(0.02f, transpose(GradientAt(t)), w);
  ExpectNear(w, transpose(straight), 1e-5f);
}

TEST(Optimizer, AdafactorIsMlxs) {
  OptimizerOptions o = Of(OptimizerKind::kAdafactor);
  // The rate given is ignored: steps are relative to the weights.
  ExpectNear(
      ThreeSteps(o, 123.0f),
      {-0.623225152f, 0.249071911f, -0.239831775f, 0.618941665f, 0.129801571f, -0.371206254f,
       0.498819113f, -0.000628900132f, -0.503987432f, 0.365322113f, -0.11916776f, -0.635845542f,
       0.251757741f, -0.250753492f, 0.620844603f, 0.131076857f, -0.380947888f});
  o.relative_step = false, o.weight_decay = 0.1f, o.has_beta1 = true;
  ExpectNear(
      ThreeSteps(o, 0.01f),
      {-0.623179197f, 0.248896703f, -0.247264177f, 0.623712718f, 0.125146329f, -0.373185694f,
       0.498450965f, -0.000647502369f, -0.499531239f, 0.371847212f, -0.123243585f, -0.625670493f,
       0.249607503f, -0.249176711f, 0.622859955f, 0.126316726f, -0.374961376f});
}

TEST(Optimizer, ItsStateContinuesExactly) {
  for (const OptimizerKind kind : {OptimizerKind::kAdam, OptimizerKind::kAdamW, OptimizerKind::kSgd,
                                   OptimizerKind::kAdafactor, OptimizerKind::kMuon}) {
    OptimizerOptions o = Of(kind);
    if (kind == OptimizerKind::kSgd) o.momentum = 0.9f;
    Optimizer first(o, Blocks(), kAll), second(o, Blocks(), kAll);
    std::vector<float> w = StartValues();
    first.Step(0.01f, GradientAt(1), w);
    auto from = first.state();
    auto to = second.state();
    ASSERT_EQ(from.size(), to.size());
    ASSERT_FALSE(from.empty());
    for (size_t i = 0; i < from.size(); ++i) {
      std::copy(from[i].values.begin(), from[i].values.end(), to[i].values.begin());
    }
    second.set_steps(first.steps());
    std::vector<float> v = w;
    first.Step(0.01f, GradientAt(2), w);
    second.Step(0.01f, GradientAt(2), v);
    EXPECT_EQ(w, v) << NameOf(kind);
  }
}

TEST(Optimizer, GradientNormShowsWhatIsNotFinite) {
  std::vector<float> g(100000, 0.5f);
  EXPECT_NEAR(GradientNorm(g), 0.5 * std::sqrt(100000.0), 1e-9);
  g[70000] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(std::isfinite(GradientNorm(g)));
  g[70000] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(std::isfinite(GradientNorm(g)));
}

TEST(Optimizer, UnknownNamesAreRefused) {
  EXPECT_EQ(OptimizerByName("muon"), OptimizerKind::kMuon);
  EXPECT_THROW(OptimizerByName("lion"), UsageError);
}

}  // namespace
}  // namespace lem
