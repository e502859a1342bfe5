// SPDX-License-Identifier: EUPL-1.2
// The kernel and the axioms: read, checked against the hashes the program was built with, and
// rendered around a prompt. A model never sees them except through Render.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"

namespace lem {

// Where the texts come from; empty: those built into the program.
struct KernelSources {
  std::string kernel, axioms;  // paths
};

struct Kernel {
  std::string text, axioms_text;
  std::string text_where, axioms_where;  // for messages
  std::string text_sha256, axioms_sha256;
};

// Throws Error when a file cannot be read. Content is not judged here: VerifyKernel does that.
Kernel LoadKernel(const KernelSources& sources);

struct KernelCheck {
  std::string what;
  bool ok = false;
  std::string detail;  // what was found; for a failure also what was expected
};

// Hashes against SHA256SUMS; the prose is ASCII of 8,000 to 10,000 characters; axioms.json has the
// five ids with all fields, and `yields` names each of the other four once.
std::vector<KernelCheck> VerifyKernel(const Kernel& kernel);

// How the kernel reaches a model.
//   none      the prompt alone
//   system    the kernel as system message
//   prefix    kernel, rule, prompt in one user message, for templates without a system role
//   sandwich  axioms.json, prompt, kernel in one user message, the original's form
enum class KernelForm : uint8_t { kNone, kSystem, kPrefix, kSandwich };
KernelForm KernelFormByName(std::string_view name);  // throws UsageError
std::string_view NameOf(KernelForm form);

// Messages for a chat template or an endpoint: [{"role","content"}...], ending with the user's.
Json RenderKernel(const Kernel& kernel, KernelForm form, std::string_view prompt);

}  // namespace lem
