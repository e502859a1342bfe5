// SPDX-License-Identifier: EUPL-1.2
// LEM_CPU chooses among the kernel sets of this processor, and nothing else.
#include <gtest/gtest.h>

#include <cstdlib>

#include "backend/backend.h"
#include "backend/cpu/kernels.h"
#include "base/error.h"

namespace lem {
namespace {

class CpuDispatch : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const char* value = std::getenv("LEM_CPU")) before_ = value;
  }
  void TearDown() override {
    if (before_.empty()) {
      unsetenv("LEM_CPU");
    } else {
      setenv("LEM_CPU", before_.c_str(), 1);
    }
  }

 private:
  std::string before_;
};

TEST_F(CpuDispatch, TakesTheBestSetByDefault) {
  unsetenv("LEM_CPU");
  EXPECT_EQ(&cpu::PickKernels(), cpu::AvailableKernels().front());
  EXPECT_STREQ(cpu::AvailableKernels().back()->name, "portable");
}

TEST_F(CpuDispatch, TakesEachSetByName) {
  for (const cpu::Kernels* set : cpu::AvailableKernels()) {
    setenv("LEM_CPU", set->name, 1);
    EXPECT_EQ(&cpu::PickKernels(), set);
  }
  setenv("LEM_CPU", "portable", 1);
  EXPECT_EQ(DescribeCpu().selected, "portable");
}

TEST_F(CpuDispatch, RefusesOtherNamesAndSaysWhichExist) {
  for (const char* name : {"sse2", "AVX2", "avx512_fp16"}) {
    setenv("LEM_CPU", name, 1);
    try {
      cpu::PickKernels();
      FAIL() << name;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("portable"), std::string::npos) << e.what();
      EXPECT_NE(std::string(e.what()).find(name), std::string::npos) << e.what();
    }
  }
}

}  // namespace
}  // namespace lem
