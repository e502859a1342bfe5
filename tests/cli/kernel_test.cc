// SPDX-License-Identifier: EUPL-1.2
// lem kernel as a user runs it, away from the source tree.
#include <gtest/gtest.h>

#include "formats/json.h"
#include "tests/support/lem_program.h"

namespace lem {
namespace {

using testing::ProgramOutput;
using testing::RunLem;

const std::string kFolder = std::string(LEM_SOURCE_DIR) + "/kernel/";

TEST(KernelCommand, ShowsTheKernelByteForByte) {
  const ProgramOutput run = RunLem({"kernel", "show"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.out, ReadTextFile(kFolder + "lek-1-kernel.txt"));
  EXPECT_EQ(run.err, "");
}

TEST(KernelCommand, VerifiesItselfAndRefusesAChangedFile) {
  EXPECT_EQ(RunLem({"kernel", "verify"}).exit_code, 0);
  const testing::ScratchFolder scratch;
  const std::string changed =
      scratch.Write("k.txt", ReadTextFile(kFolder + "lek-1-kernel.txt") + " ");
  const ProgramOutput run = RunLem({"kernel", "verify", "--kernel", changed});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.err.find("lek-1-kernel.txt: expected SHA-256 32fbd829"), std::string::npos);
  EXPECT_NE(run.out.find("ok      axioms.json"), std::string::npos);
}

TEST(KernelCommand, RendersEachForm) {
  EXPECT_EQ(RunLem({"kernel", "render"}).out, ReadTextFile(kFolder + "lek-1-kernel.txt"));
  const ProgramOutput prefix = RunLem({"kernel", "render", "--form", "prefix", "--prompt", "Why?"});
  EXPECT_TRUE(prefix.out.ends_with("\n\n---\n\nWhy?\n"));
  const ProgramOutput sandwich =
      RunLem({"kernel", "render", "--form", "sandwich", "--prompt", "Why?", "--json"});
  const Json messages = *Json::Parse(sandwich.out, "").Find("messages");
  EXPECT_EQ(messages.size(), 1);
}

TEST(KernelCommand, MisuseIsCodeTwo) {
  EXPECT_EQ(RunLem({"kernel", "burn"}).exit_code, 2);
  EXPECT_EQ(RunLem({"kernel", "render", "--form", "prefix"}).exit_code, 2);
  EXPECT_EQ(RunLem({"kernel"}).exit_code, 2);
}

}  // namespace
}  // namespace lem
