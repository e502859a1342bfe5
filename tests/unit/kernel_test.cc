// SPDX-License-Identifier: EUPL-1.2
// The kernel in the program is the kernel in the repository, a changed one is noticed, and the
// four forms put it where they say.
#include "lek/kernel.h"

#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "lek/embedded.h"
#include "tests/support/error_text.h"
#include "tests/support/scratch_folder.h"

namespace lem {
namespace {

const std::string kFolder = std::string(LEM_SOURCE_DIR) + "/kernel/";

std::string Failed(const Kernel& kernel) {
  std::string failed;
  for (const KernelCheck& check : VerifyKernel(kernel)) {
    if (!check.ok) failed += check.what + ": " + check.detail + "\n";
  }
  return failed;
}

Kernel WithAxioms(const std::string& text) {
  Kernel kernel = LoadKernel({});
  kernel.axioms_text = text;
  kernel.axioms_where = "axioms";
  return kernel;
}

std::string Replace(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

TEST(Kernel, InTheProgramIsTheOneInTheRepositoryByteForByte) {
  EXPECT_EQ(EmbeddedKernelText(), ReadTextFile(kFolder + "lek-1-kernel.txt"));
  EXPECT_EQ(EmbeddedAxiomsText(), ReadTextFile(kFolder + "axioms.json"));
  EXPECT_EQ(EmbeddedKernelSums(), ReadTextFile(kFolder + "SHA256SUMS"));
}

TEST(Kernel, Verifies) { EXPECT_EQ(Failed(LoadKernel({})), ""); }

TEST(Kernel, AChangedLetterIsNoticed) {
  const testing::ScratchFolder scratch;
  const std::string changed =
      Replace(ReadTextFile(kFolder + "lek-1-kernel.txt"), "Work from", "Work From");
  const Kernel kernel = LoadKernel({scratch.Write("kernel.txt", changed), ""});
  EXPECT_NE(Failed(kernel).find("lek-1-kernel.txt: expected SHA-256 32fbd829"), std::string::npos);
}

TEST(Kernel, ProseHasToBeAsciiOfItsLength) {
  Kernel kernel = LoadKernel({});
  kernel.text[100] = '\xC3';
  EXPECT_NE(Failed(kernel).find("prose: expected printable ASCII"), std::string::npos);
  kernel.text = "short";
  EXPECT_NE(Failed(kernel).find("found 5 characters"), std::string::npos);
}

TEST(Kernel, AxiomsHaveTheirForm) {
  const std::string text(EmbeddedAxiomsText());
  const auto axioms_failure = [](const std::string& changed) {
    return Failed(WithAxioms(changed));
  };
  EXPECT_EQ(axioms_failure(text), "");
  EXPECT_NE(axioms_failure(Replace(text, "\"id\": \"privacy\"", "\"id\": \"secrecy\""))
                .find("expected privacy, found secrecy"),
            std::string::npos);
  EXPECT_NE(axioms_failure(Replace(text, "\"to\": \"consent\"", "\"to\": \"sovereignty\""))
                .find("expected the id of another axiom, found sovereignty"),
            std::string::npos);
  EXPECT_NE(axioms_failure(Replace(text, "\"to\": \"consent\"", "\"to\": \"privacy\""))
                .find("privacy is named twice"),
            std::string::npos);
  EXPECT_NE(axioms_failure(Replace(text, "\"asks\"", "\"wants\"")).find("asks"), std::string::npos);
  EXPECT_NE(axioms_failure("{\"version\": 1, \"axioms\": []}").find("expected five, found 0"),
            std::string::npos);
  EXPECT_NE(axioms_failure("{").find("axioms"), std::string::npos);
}

TEST(Kernel, EachFormPutsItWhereItSays) {
  const Kernel kernel = LoadKernel({});
  const auto content = [](const Json& messages, size_t i) {
    return messages.array()[i].At("content", "").string();
  };
  const Json system = RenderKernel(kernel, KernelForm::kSystem, "Why?");
  ASSERT_EQ(system.size(), 2);
  EXPECT_EQ(system.array()[0].At("role", "").string(), "system");
  EXPECT_EQ(content(system, 0) + "\n", kernel.text);
  EXPECT_EQ(content(system, 1), "Why?");
  const Json prefix = RenderKernel(kernel, KernelForm::kPrefix, "Why?");
  ASSERT_EQ(prefix.size(), 1);
  EXPECT_TRUE(content(prefix, 0).starts_with("LEK-1\n"));
  EXPECT_TRUE(content(prefix, 0).ends_with("\n\n---\n\nWhy?"));
  const Json sandwich = RenderKernel(kernel, KernelForm::kSandwich, "Why?");
  ASSERT_EQ(sandwich.size(), 1);
  const std::string text = content(sandwich, 0);
  const size_t prompt = text.find("\n\nWhy?\n\n");
  EXPECT_LT(text.find("\"axioms\""), prompt);
  EXPECT_LT(prompt, text.find("LEK-1"));
  EXPECT_EQ(RenderKernel(kernel, KernelForm::kNone, "Why?").size(), 1);
  EXPECT_EQ(content(RenderKernel(kernel, KernelForm::kNone, "Why?"), 0), "Why?");
}

TEST(Kernel, FormsHaveNames) {
  EXPECT_EQ(KernelFormByName("sandwich"), KernelForm::kSandwich);
  EXPECT_EQ(testing::ErrorText([] { KernelFormByName("burger"); }),
            "--form: expected system, prefix, sandwich or none, found burger");
}

}  // namespace
}  // namespace lem
